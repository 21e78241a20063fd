"""Who may call what: one list of public routes; every other route needs a token, and says whose.

A route names the roles that may call it in `opt` (`may("visitor", "admin")`); one that names none is the admin's.
"""

from typing import Any, Literal, NamedTuple

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from hub.api import answers
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.gateway.tokens import AgentIdentity, Expired, Identity, Invalid, Visitor

Role = Literal["visitor", "agent", "admin"]

PUBLIC = frozenset(
    {
        "/",
        "/chat",
        "/agent",
        "/{channel}/{file}",
        "/api/v1/health",
        "/api/v1/visitors",
        "/api/v1/visitors/renew",
        "/files/{token}",
    }
)
"""Pages; what mints tokens (rate-limited); files, whose path is the right to them, signed by us. What platforms call
(hub.api.callbacks) is public too: they sign what they send.
"""


class Caller(NamedTuple):
    """Who calls: `identity` is None for the admin."""

    role: Role
    identity: Identity | None


def may(*roles: Role) -> dict[str, Any]:
    """The `opt` of a route that these roles may call."""
    return {"roles": roles}


async def check_rights(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The app's guard: lets a request pass, with `connection.auth` being its Caller, or raises 401 or 403.

    It waits for nothing; but what is not `async` Litestar runs in a thread.
    """
    if connection.scope["path_template"] in PUBLIC:
        return
    caller = identify(connection.app.state.needs, connection.headers.get("authorization", ""))
    connection.scope["auth"] = caller
    if caller.role not in handler.opt.get("roles", ("admin",)):
        raise problem(403, f"This is not for a token of the role {caller.role}.", "forbidden")


def identify(needs: Needs, authorization: str) -> Caller:
    """Who shows this Authorization header; raises 401."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized("Send a token: Authorization: Bearer …", "no_token")
    try:
        identity = needs.tokens.read(token, needs.now_s())
    except Expired:
        raise _unauthorized("The token has expired: renew it or ask for a new one.", "expired") from None
    except Invalid:  # the admin token is none of the signed ones
        if needs.is_admin(token):
            return Caller("admin", None)
        raise _unauthorized("The token is not valid here.", "invalid") from None
    return Caller("visitor" if isinstance(identity, Visitor) else "agent", identity)


def owns(caller: Caller, conversation: str) -> bool:
    """Whether the caller is the conversation's own visitor."""
    return isinstance(caller.identity, Visitor) and caller.identity.conversation == conversation


def agent_of(caller: Caller) -> str:
    """The entity id of an agent who calls; empty for others."""
    return caller.identity.agent if isinstance(caller.identity, AgentIdentity) else ""


async def may_read(caller: Caller, conversation: str, needs: Needs) -> bool:
    """Whether the caller may read the conversation now: its visitor, the agent whom it is with, the admin."""
    if caller.role == "agent":
        return await answers.serves(needs.calls, agent_of(caller), conversation)
    return caller.role == "admin" or owns(caller, conversation)


def _unauthorized(detail: str, code: str) -> Exception:
    return problem(401, detail, code, {"www-authenticate": "Bearer"})
