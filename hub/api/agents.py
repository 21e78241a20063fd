"""POST /api/v1/agents/{name}/token: lets an agent open a desk."""

import msgspec
from litestar import post

from hub.api.auth import may
from hub.api.needs import Needs
from hub.api.problems import problem


class AgentToken(msgspec.Struct):
    """A token for the agent's sockets and requests; `expires_at` is in Unix milliseconds."""

    token: str
    agent: str
    expires_at: int


@post("/api/v1/agents/{name:str}/token", opt=may("admin"), tags=["agents"])
async def mint_agent_token(name: str, needs: Needs) -> AgentToken:
    """A token for the agent whom rules/teams.yaml calls `name`, for one working day."""
    agent = needs.agent_id(name)
    if agent is None:
        raise problem(404, f'rules/teams.yaml names no agent "{name}".', "not_found")
    minted = needs.tokens.mint_agent(agent, needs.now_s())
    return AgentToken(minted.token, agent, minted.expires_at_s * 1000)
