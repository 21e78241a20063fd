"""Who calls, and what of all there is concerns them. Who may call which route stands in rights.py."""

from typing import Any, NamedTuple

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from hub.api import answers
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.api.rights import ADMIN, RIGHTS, WEBSOCKET, Right, Role
from hub.bus.access import Integration
from hub.domain.ids import agent_name
from hub.domain.looks import Standing
from hub.gateway.tokens import AgentIdentity, Expired, Identity, Invalid, Visitor


class Caller(NamedTuple):
    """Who calls: a `role`, or without one an integration.

    `leads`: the names of the teams that they lead, the empty one too where that is the default team: what no rule gives
    to a team bears no name until somebody has it.
    """

    role: Role | None
    identity: Identity | Integration | None = None
    leads: frozenset[str] = frozenset()

    @property
    def agent(self) -> str:
        """The entity id of an agent who calls; empty for others."""
        return self.identity.agent if isinstance(self.identity, AgentIdentity) else ""

    @property
    def name(self) -> str:
        """As events and reasons name them."""
        if isinstance(self.identity, Integration):
            return f"integration {self.identity.name}"
        return agent_name(self.agent) if self.agent else str(self.role)

    @property
    def subject(self) -> str:
        """What tells them from all others."""
        return self.identity.id if isinstance(self.identity, Integration) else self.agent or str(self.role)

    @property
    def sees_all(self) -> bool:
        """Whether every conversation concerns them: the admin's, and those that only an integration's scope limits."""
        return self.role in ("admin", None)

    def owns(self, conversation: str) -> bool:
        """Whether they are the conversation's own visitor."""
        return isinstance(self.identity, Visitor) and self.identity.conversation == conversation

    def has_say(self, agent: str, team: str) -> bool:
        """Whether a conversation of `team` that `agent` has concerns them: their own, and a lead's their teams'."""
        return self.sees_all or bool(self.agent and self.agent == agent) or team in self.leads


async def check_rights(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The app's guard: lets a request pass, with `connection.auth` being its Caller, or raises 401 or 403.

    It waits for nothing; but what is not `async` Litestar runs in a thread.
    """
    method = str(connection.scope.get("method", WEBSOCKET))
    right = RIGHTS.get((method, connection.scope["path_template"]), ADMIN)
    if right.everybody:
        return
    caller = identify(connection.app.state.needs, connection.headers.get("authorization", ""))
    connection.scope["auth"] = caller
    check(caller, right)


def check(caller: Caller, right: Right) -> None:
    """Raise 403 unless the caller has the right."""
    if isinstance(caller.identity, Integration):
        if right.scope is None:
            raise problem(403, "This is not for integration tokens.", "forbidden")
        if right.scope not in caller.identity.scopes:
            raise problem(403, f"This token was made without the scope {right.scope}.", "forbidden")
    elif caller.role not in right.roles:
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
        raise _unauthorized("The token is good no more: renew it or ask for a new one.", "expired") from None
    except Invalid:  # those of the admin and of integrations are none of the signed ones
        if needs.is_admin(token):
            return Caller("admin")
        integration = needs.access.integration(token)
        if integration is not None:
            return Caller(None, integration)
        raise _unauthorized("The token is not valid here.", "invalid") from None
    if isinstance(identity, Visitor):
        return Caller("visitor", identity)
    teams = needs.teams()
    leads = frozenset(team.name for team in teams.teams if team.lead == identity.agent)
    return Caller("lead" if leads else "agent", identity, leads | {""} if teams.default in leads else leads)


async def may_read(caller: Caller, conversation: str, needs: Needs) -> bool:
    """Whether the caller may read the conversation now: its visitor, those whom it concerns, and while it waits every
    agent, who may take it and so may look first.
    """
    if caller.sees_all or caller.role == "visitor":
        return caller.sees_all or caller.owns(conversation)
    standing = await answers.standing(needs.calls, conversation)
    return standing is not None and (
        standing.stage == "waiting" or caller.has_say(standing.agent or standing.last, standing.team)
    )


async def standing_for(caller: Caller, conversation: str, needs: Needs) -> Standing:
    """How a conversation that concerns the caller stands. Raises 404, and 403 or 409 with who has it."""
    standing = await answers.standing(needs.calls, conversation)
    if standing is None:
        raise problem(404, f"There is no conversation {conversation}; one looks like c7-k3v9.", "not_found")
    if caller.has_say(standing.agent, standing.team):
        return standing
    if standing.agent:
        raise problem(
            409,
            f"The conversation is with {standing.display}.",
            "not_yours",
            by=standing.display,
            since=standing.since_ms,
        )
    raise problem(403, "This conversation is not yours: take it first.", "not_yours")


def _unauthorized(detail: str, code: str) -> Exception:
    return problem(401, detail, code, {"www-authenticate": "Bearer"})
