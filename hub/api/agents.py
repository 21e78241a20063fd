"""POST /api/v1/agents/{name}/token and /duty, /agents/me/desk: an agent opens a desk, and is given conversations."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from hub.api import answers
from hub.api.auth import Caller, agent_of, may
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.domain.commands import SetDesk, SetDuty

FRONT_S = 150
"""So long a desk counts as being in front after it has said so."""


class AgentToken(msgspec.Struct):
    """A token for the agent's sockets and requests; `expires_at` is in Unix milliseconds."""

    token: str
    agent: str
    expires_at: int


class Duty(msgspec.Struct):
    """Whether an agent is on duty: only then the queue gives them conversations."""

    on: bool


class Desk(msgspec.Struct):
    """A desk by a name that its page made up, and whether it is in front of the agent."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    front: bool


@post("/api/v1/agents/me/desk", opt=may("agent"), status_code=200, tags=["agents"])
async def set_desk(request: Request[Any, Caller, Any], data: JSONBody[Desk], needs: NamedDependency[Needs]) -> Desk:
    """While a desk is in front, nothing is pushed to a phone. It counts for 150 seconds: say it anew every 60."""
    until_ms = int((needs.now_s() + FRONT_S) * 1000) if data.front else 0
    await answers.carry_out(needs.calls, agent_of(request.auth), SetDesk(data.id, until_ms))
    return data


@post("/api/v1/agents/{name:str}/token", opt=may("admin"), tags=["agents"])
async def mint_agent_token(name: FromPath[str], needs: NamedDependency[Needs]) -> AgentToken:
    """A token for the agent whom rules/teams.yaml calls `name`, for one working day."""
    agent = _known(needs, name)
    minted = needs.tokens.mint_agent(agent, needs.now_s())
    return AgentToken(minted.token, agent, minted.expires_at_s * 1000)


@post("/api/v1/agents/{name:str}/duty", opt=may("agent", "admin"), status_code=200, tags=["agents"])
async def set_duty(
    request: Request[Any, Caller, Any], name: FromPath[str], data: JSONBody[Duty], needs: NamedDependency[Needs]
) -> Duty:
    """Put the agent on duty or off; an agent only themself. Saying it twice changes nothing."""
    if request.auth.role == "agent" and agent_of(request.auth) != needs.agent_id(name):
        raise problem(403, f'You are not the agent "{name}".', "not_yours")
    agent = _known(needs, name)
    await answers.carry_out(needs.calls, agent, SetDuty(agent, data.on))
    return data


def _known(needs: Needs, name: str) -> str:
    """The entity id of the agent; raises 404."""
    agent = needs.agent_id(name)
    if agent is None:
        raise problem(404, f'rules/teams.yaml names no agent "{name}".', "not_found")
    return agent
