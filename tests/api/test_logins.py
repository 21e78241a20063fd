"""How agents come in by password, and who does not."""

import argon2
import msgspec
import pytest

from hub.api import hashing
from hub.bus.passwords import FIRST_LOCK_S, FREE
from tests.api.world import AGENT, World, problem_of

LOGIN = "/api/v1/agents/login"


async def set_password(world: World, password: str = "correct horse") -> None:
    answer = await world.ask("PUT", "/api/v1/agents/wangfang/password", "admin", json={"password": password})
    assert (answer.status_code, answer.content) == (204, b"")


async def log_in(world: World, password: str = "correct horse", name: str = "wangfang"):  # type: ignore[no-untyped-def]
    return await world.ask("POST", LOGIN, json={"name": name, "password": password})


async def me(world: World, token: str) -> int:
    return (await world.ask("GET", "/api/v1/agents/me", headers={"authorization": f"Bearer {token}"})).status_code


async def test_an_agent_logs_in_with_their_password(world: World) -> None:
    await set_password(world)
    said = (await log_in(world)).json()
    assert said["agent"] == AGENT
    answer = await world.ask("GET", "/api/v1/agents/me", headers={"authorization": f"Bearer {said['token']}"})
    assert answer.json() == {"id": AGENT, "name": "wangfang", "display": "王芳", "teams": ["sales"], "leads": []}


async def test_a_new_password_ends_the_tokens_of_the_one_before(world: World) -> None:
    by_admin = (await world.ask("POST", "/api/v1/agents/wangfang/token", "admin")).json()["token"]
    await set_password(world)
    first = (await log_in(world)).json()["token"]
    assert (await me(world, by_admin), await me(world, first)) == (401, 200)
    await set_password(world, "battery staple")
    assert await me(world, first) == 401
    assert problem_of(await log_in(world))["code"] == "wrong_login"
    assert await me(world, (await log_in(world, "battery staple")).json()["token"]) == 200


@pytest.mark.parametrize("name", ["wangfang", "lilei", "nobody", "张三 / x"])
async def test_whoever_tries_too_often_is_told_when_they_may_again_and_not_whether_the_name_is_known(
    world: World, name: str
) -> None:
    await set_password(world)
    for _ in range(FREE):
        wrong = problem_of(await log_in(world, "wrong wrong", name))
        assert (wrong["status"], wrong["code"]) == (401, "wrong_login")
        assert wrong["detail"] == "There is no agent with this name and password."
    answer = await log_in(world, name=name)
    assert (answer.status_code, problem_of(answer)["code"]) == (429, "locked")
    assert answer.headers["retry-after"] == str(FIRST_LOCK_S)
    world.now_s += FIRST_LOCK_S
    assert (await log_in(world, name=name)).status_code == (200 if name == "wangfang" else 401)


async def test_a_name_that_nobody_has_costs_as_much_as_a_wrong_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_password(world)
    looked: list[str] = []

    class Counting(argon2.PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            looked.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(hashing, "HASHER", Counting())
    for name in ("wangfang", "lilei", "nobody"):
        await log_in(world, "wrong wrong", name)
    assert len(looked) == 3
    assert all(argon2.extract_parameters(hash) == argon2.extract_parameters(looked[0]) for hash in looked)


async def test_one_address_may_not_try_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(hashed: str, password: str) -> bool:
        return False

    monkeypatch.setattr(hashing, "is_right", never)  # else the limit recovers while they are looked at
    answers = [await world.ask("POST", LOGIN, json={"name": f"n{n}", "password": "x"}) for n in range(75)]
    assert problem_of(answers[-1])["code"] == "too_many"


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
async def test_a_password_that_is_none_is_refused(world: World, password: str) -> None:
    answer = await world.ask("PUT", "/api/v1/agents/wangfang/password", "admin", json={"password": password})
    assert problem_of(answer)["status"] == 400
    answer = await world.ask("PUT", "/api/v1/agents/nobody/password", "admin", json={"password": "long enough"})
    assert problem_of(answer)["code"] == "not_found"


async def test_the_token_of_an_agent_whom_the_teams_name_no_more_opens_nothing(world: World) -> None:
    token = world.tokens.mint_agent(AGENT, world.now_s).token
    assert await me(world, token) == 200
    world.teams = msgspec.structs.replace(world.teams, agents=world.teams.agents[1:])
    answer = await world.ask("GET", "/api/v1/queues", headers={"authorization": f"Bearer {token}"})
    assert problem_of(answer)["code"] == "expired"
