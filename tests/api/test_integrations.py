"""Tokens of programs: shown once, good for what they were made for, until they are revoked."""

from tests.api.world import World, problem_of

TOKENS = "/api/v1/tokens"


async def test_a_token_is_shown_once_and_lets_a_program_do_what_it_is_for(world: World) -> None:
    answer = await world.ask("POST", TOKENS, "admin", json={"name": "shop", "scopes": ["read:queue", "read:queue"]})
    made = answer.json()
    assert (answer.status_code, made["name"], made["scopes"]) == (201, "shop", ["read:queue"])
    listed = (await world.ask("GET", TOKENS, "admin")).json()["tokens"]
    assert listed == [{field: value for field, value in made.items() if field != "token"}]
    headers = {"authorization": f"Bearer {made['token']}"}
    assert (await world.ask("GET", "/api/v1/teams", headers=headers)).status_code == 200
    assert (await world.ask("GET", "/api/v1/agents", headers=headers)).status_code == 403
    assert (await world.ask("DELETE", f"{TOKENS}/{made['id']}", "admin")).status_code == 204
    assert (await world.ask("GET", "/api/v1/teams", headers=headers)).status_code == 401
    assert (await world.ask("GET", TOKENS, "admin")).json() == {"tokens": []}


async def test_nothing_of_a_token_is_kept_but_a_hash(world: World) -> None:
    made = (await world.ask("POST", TOKENS, "admin", json={"name": "shop", "scopes": ["read:queue"]})).json()
    stored = await world.access._bucket.get("known")
    assert made["id"].encode() in stored.value
    assert made["token"].encode() not in stored.value


async def test_what_is_no_scope_is_refused(world: World) -> None:
    for body in ({"name": "shop", "scopes": ["write:everything"]}, {"name": "shop", "scopes": []}, {"name": ""}):
        assert problem_of(await world.ask("POST", TOKENS, "admin", json=body))["status"] == 400
    assert problem_of(await world.ask("DELETE", f"{TOKENS}/nothing", "admin"))["code"] == "not_found"
