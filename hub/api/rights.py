"""The table of rights: who may call what. A route that does not stand here does not start, and nothing else decides.

People and pages show a token of their role. A program shows an integration token, which has no role but scopes.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

Role = Literal["visitor", "agent", "lead", "admin"]
"""`lead`: an agent who leads a team of rules/teams.yaml."""
Scope = Literal[
    "read:agents", "manage:agents", "read:queue", "read:conversations", "write:conversations", "write:messages",
    "read:events", "manage:deliveries",
]  # fmt: skip
"""What an integration token may be made for."""

ROLES: tuple[Role, ...] = get_args(Role)
SCOPES: tuple[Scope, ...] = get_args(Scope)
WEBSOCKET = "WEBSOCKET"
"""Stands for the method of a route that is a WebSocket."""


class Right(NamedTuple):
    """Who may call a route: everybody, or these roles, and integration tokens with the scope."""

    roles: frozenset[Role] = frozenset()
    scope: Scope | None = None
    everybody: bool = False


def _of(roles: str, scope: Scope | None = None) -> Right:
    names = roles.split()
    return Right(frozenset(role for role in ROLES if role in names), scope)


EVERYBODY = Right(everybody=True)
"""Pages; what mints tokens (rate-limited); files, whose path is the right to them, signed by us. What platforms call
(hub.api.callbacks) is public too: they sign what they send.
"""
ADMIN = _of("admin")
STAFF = "agent lead admin"

RIGHTS: dict[tuple[str, str], Right] = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/chat"): EVERYBODY,
    ("GET", "/agent"): EVERYBODY,
    ("GET", "/{channel}/{file}"): EVERYBODY,
    ("GET", "/api/v1/health"): EVERYBODY,
    ("PUT", "/files/{token}"): EVERYBODY,
    ("GET", "/files/{token}"): EVERYBODY,
    # who comes in
    ("POST", "/api/v1/visitors"): EVERYBODY,
    ("POST", "/api/v1/visitors/renew"): EVERYBODY,
    ("POST", "/api/v1/agents/login"): EVERYBODY,
    ("POST", "/api/v1/agents/{name}/token"): ADMIN,
    ("PUT", "/api/v1/agents/{name}/password"): ADMIN,
    ("GET", "/api/v1/tokens"): ADMIN,
    ("POST", "/api/v1/tokens"): ADMIN,
    ("DELETE", "/api/v1/tokens/{id}"): ADMIN,
    # who answers, and who waits
    ("GET", "/api/v1/agents"): _of(STAFF, "read:agents"),
    ("GET", "/api/v1/agents/me"): _of("agent lead"),
    ("POST", "/api/v1/agents/me/desk"): _of("agent lead"),
    ("GET", "/api/v1/agents/me/replies"): _of("agent lead"),
    ("GET", "/api/v1/agents/{name}/duty"): _of(STAFF, "read:agents"),
    ("POST", "/api/v1/agents/{name}/duty"): _of(STAFF, "manage:agents"),
    ("GET", "/api/v1/teams"): _of(STAFF, "read:queue"),
    ("GET", "/api/v1/queues"): _of(STAFF, "read:queue"),
    ("GET", "/api/v1/queues/{team}"): _of(STAFF, "read:queue"),
    ("POST", "/api/v1/queues/next"): _of("agent lead"),
    # conversations
    ("GET", "/api/v1/conversations"): _of(STAFF, "read:conversations"),
    ("GET", "/api/v1/conversations/{id}"): _of(STAFF, "read:conversations"),
    ("POST", "/api/v1/conversations/{id}/take"): _of(STAFF, "write:conversations"),
    ("POST", "/api/v1/conversations/{id}/accept"): _of(STAFF, "write:conversations"),
    ("POST", "/api/v1/conversations/{id}/read"): _of("agent lead"),
    ("POST", "/api/v1/conversations/{id}/transfer"): _of(STAFF, "write:conversations"),
    ("POST", "/api/v1/conversations/{id}/close"): _of(STAFF, "write:conversations"),
    ("POST", "/api/v1/conversations/{id}/hold"): _of(STAFF, "write:conversations"),
    ("POST", "/api/v1/conversations/{id}/notes"): _of(STAFF, "write:conversations"),
    ("GET", "/api/v1/conversations/{id}/messages"): _of("visitor agent lead admin", "read:conversations"),
    ("POST", "/api/v1/conversations/{id}/messages"): _of(STAFF, "write:messages"),
    ("PATCH", "/api/v1/conversations/{id}/messages/{seq}"): _of(STAFF, "write:messages"),
    ("DELETE", "/api/v1/conversations/{id}/messages/{seq}"): _of(STAFF, "write:messages"),
    ("POST", "/api/v1/conversations/{id}/messages/{seq}/release"): ADMIN,
    ("POST", "/api/v1/conversations/{id}/messages/{seq}/reject"): ADMIN,
    ("POST", "/api/v1/conversations/{id}/files"): _of("visitor agent lead"),
    ("POST", "/api/v1/conversations/{id}/files/links"): _of("visitor agent lead admin", "read:conversations"),
    # what happens
    (WEBSOCKET, "/api/v1/events"): _of(STAFF, "read:events"),
    ("GET", "/api/v1/events"): _of(STAFF, "read:events"),
    # what a person looks after
    ("GET", "/api/v1/deliveries"): _of("admin", "manage:deliveries"),
    ("GET", "/api/v1/deliveries/{entity}/{attempt}"): _of("admin", "manage:deliveries"),
    ("POST", "/api/v1/deliveries/{entity}/{attempt}/retry"): _of("admin", "manage:deliveries"),
    ("POST", "/api/v1/deliveries/{entity}/{attempt}/drop"): _of("admin", "manage:deliveries"),
    ("GET", "/api/v1/unparsed"): ADMIN,
    ("GET", "/api/v1/unparsed/{entity}/{seq}"): ADMIN,
    ("POST", "/api/v1/unparsed/{entity}/{seq}/replay"): ADMIN,
    ("GET", "/api/v1/trace"): ADMIN,
    ("GET", "/api/v1/trace/{conversation}/{seq}"): ADMIN,
    ("GET", "/api/v1/schema"): ADMIN,
    ("GET", "/api/v1/schema/openapi.json"): ADMIN,
    ("GET", "/api/v1/schema/{path}"): ADMIN,
}


def check_complete(routes: Iterable[tuple[str, str]]) -> None:
    """Raise RuntimeError unless these routes (method and path) are those of the table."""
    there = set(routes)
    if unknown := there - RIGHTS.keys():
        raise RuntimeError(f"hub/api/rights.py does not say who may call {sorted(unknown)}")
    if gone := RIGHTS.keys() - there:
        raise RuntimeError(f"hub/api/rights.py names routes that do not exist: {sorted(gone)}")
