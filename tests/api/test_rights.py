"""The one table of rights, and a walk over every route of the app with every kind of token."""

import pytest

from hub.api.app import routes
from hub.api.rights import RIGHTS, ROLES, SCOPES, WEBSOCKET, Right, check_complete
from tests.api.world import AGENT, C, World, problem_of

PUBLIC = {
    "/", "/chat", "/agent", "/{channel}/{file}", "/api/v1/health", "/api/v1/visitors", "/api/v1/visitors/renew",
    "/api/v1/agents/login", "/files/{token}",
}  # fmt: skip
VALUES = {"id": C, "conversation": C, "seq": "2", "entity": "p7-phone-x", "attempt": "1", "name": "wangfang",
          "channel": "phone", "team": "sales", "token": "x", "file": "chat.js", "path": "openapi.json"}  # fmt: skip
WALK = sorted(route for route in RIGHTS if route[0] != WEBSOCKET)


def test_the_table_names_every_route_and_no_other() -> None:
    there = routes(World().app.others)  # type: ignore[arg-type]
    assert set(there) == set(RIGHTS)
    with pytest.raises(RuntimeError, match="does not say who may call"):
        check_complete([*there, ("GET", "/api/v1/secrets")])
    with pytest.raises(RuntimeError, match="routes that do not exist"):
        check_complete(there[1:])


def test_what_everybody_may_call_is_little() -> None:
    assert {path for (_, path), right in RIGHTS.items() if right.everybody} == PUBLIC


def test_what_is_not_public_is_the_admins_too_or_for_whom_a_conversation_is_with() -> None:
    without = {route for route, right in RIGHTS.items() if not right.everybody and "admin" not in right.roles}
    assert without == {
        ("GET", "/api/v1/agents/me"), ("GET", "/api/v1/agents/me/replies"), ("POST", "/api/v1/agents/me/desk"),
        ("POST", "/api/v1/queues/next"), ("POST", "/api/v1/conversations/{id}/files"),
        ("POST", "/api/v1/conversations/{id}/read"),
    }  # fmt: skip


def may(right: Right, token: str) -> bool:
    return right.everybody or token in right.roles or (right.scope is not None and token == right.scope)


@pytest.mark.parametrize(("method", "path"), WALK)
async def test_who_may_call(method: str, path: str) -> None:
    world = World()
    for token in ("none", *ROLES, *SCOPES):
        world.calls.forget()
        world.calls.post(C, "hold this")
        world.calls.assign(C, AGENT)
        before = len(world.calls.commands)
        answer = await world.ask(method, path.format_map(VALUES), token)
        if may(RIGHTS[method, path], token):
            assert answer.status_code not in {401, 403} or path.endswith("/renew"), token
        else:
            assert answer.status_code == (401 if token == "none" else 403), token
            assert len(world.calls.commands) == before


async def test_an_integration_is_told_which_scope_it_lacks() -> None:
    answer = await World().ask("GET", "/api/v1/queues", "read:events")
    assert problem_of(answer)["detail"] == "This token was made without the scope read:queue."
    answer = await World().ask("GET", "/api/v1/tokens", "read:events")
    assert problem_of(answer)["detail"] == "This is not for integration tokens."


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer wrong", "the-admin-token"])
async def test_what_is_no_token_is_told_so(authorization: str) -> None:
    world = World()
    answer = await world.ask("GET", f"/api/v1/conversations/{C}/messages", headers={"authorization": authorization})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_expired_token_is_told_so() -> None:
    world = World()
    headers = world.headers("visitor")
    world.now_s += 8 * 24 * 3600
    answer = await world.ask("GET", f"/api/v1/conversations/{C}/messages", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "expired")
