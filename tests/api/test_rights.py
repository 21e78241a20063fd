"""The one table of rights, and a walk over every route of the app with every kind of token."""

import pytest

from hub.api.auth import PUBLIC
from tests.api.world import AGENT, C, World

EVERYBODY = {"none", "visitor", "agent", "admin"}
RIGHTS = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/chat"): EVERYBODY,
    ("GET", "/{channel}/{file}"): EVERYBODY,
    ("GET", "/api/v1/health"): EVERYBODY,
    ("POST", "/api/v1/visitors"): EVERYBODY,
    ("POST", "/api/v1/visitors/renew"): EVERYBODY,
    ("GET", "/api/v1/conversations/{id}/messages"): {"visitor", "agent", "admin"},
    ("POST", "/api/v1/conversations/{id}/messages/{seq}/release"): {"admin"},
    ("POST", "/api/v1/conversations/{id}/messages/{seq}/reject"): {"admin"},
    ("POST", "/api/v1/conversations/{id}/files"): {"visitor", "agent"},
    ("POST", "/api/v1/conversations/{id}/files/links"): {"visitor", "agent", "admin"},
    ("PUT", "/files/{token}"): EVERYBODY,
    ("GET", "/files/{token}"): EVERYBODY,
    ("POST", "/api/v1/agents/{name}/token"): {"admin"},
    ("POST", "/api/v1/agents/{name}/duty"): {"agent", "admin"},
    ("POST", "/api/v1/agents/me/desk"): {"agent"},
    ("POST", "/api/v1/conversations/{id}/read"): {"agent"},
    ("GET", "/api/v1/deliveries"): {"admin"},
    ("GET", "/api/v1/deliveries/{entity}/{attempt}"): {"admin"},
    ("POST", "/api/v1/deliveries/{entity}/{attempt}/retry"): {"admin"},
    ("POST", "/api/v1/deliveries/{entity}/{attempt}/drop"): {"admin"},
    ("GET", "/api/v1/unparsed"): {"admin"},
    ("GET", "/api/v1/unparsed/{entity}/{seq}"): {"admin"},
    ("POST", "/api/v1/unparsed/{entity}/{seq}/replay"): {"admin"},
    ("GET", "/api/v1/trace"): {"admin"},
    ("GET", "/api/v1/trace/{conversation}/{seq}"): {"admin"},
    ("GET", "/api/v1/schema"): {"admin"},
    ("GET", "/api/v1/schema/openapi.json"): {"admin"},
    ("GET", "/api/v1/schema/{path}"): {"admin"},
}


def walk() -> list[tuple[str, str]]:
    """Every method and path of the API; OPTIONS is answered by the framework, with the names of the methods only."""
    routes = [(method, route.path_format) for route in World().app.others.routes for method in route.methods]  # type: ignore[attr-defined]
    return sorted(route for route in routes if route[0] != "OPTIONS")


def test_the_table_names_every_route() -> None:
    assert set(walk()) == set(RIGHTS)


def test_public_is_what_everybody_may_call() -> None:
    assert {path for (_, path), roles in RIGHTS.items() if roles == EVERYBODY} == PUBLIC


@pytest.mark.parametrize("role", sorted(EVERYBODY))
@pytest.mark.parametrize(("method", "path"), walk())
async def test_who_may_call(method: str, path: str, role: str) -> None:
    world = World()
    world.calls.post(C, "hold this")
    world.calls.assign(C, AGENT)
    values = {"id": C, "conversation": C, "seq": "2", "entity": "p7-phone-x", "attempt": "1", "name": "wangfang"}
    for name, value in (values | {"channel": "phone"}).items():
        path = path.replace(f"{{{name}}}", value)
    before = len(world.calls.commands)
    answer = await world.ask(method, path, role)
    may = role in RIGHTS[method, next(known for m, known in RIGHTS if m == method and matches(known, path))]
    if may:
        assert answer.status_code not in {401, 403} or path.endswith("/renew")
    else:
        assert answer.status_code == (401 if role == "none" else 403)
        assert len(world.calls.commands) == before


def matches(template: str, path: str) -> bool:
    """Whether `path` was made from `template`."""
    parts, found = template.split("/"), path.split("/")
    return len(parts) == len(found) and all(p.startswith("{") or p == f for p, f in zip(parts, found, strict=True))


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
