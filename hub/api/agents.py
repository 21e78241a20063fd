"""/api/v1/agents: who answers, who is on duty with how many, and the tokens that let an agent open a desk."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from hub.api import answers
from hub.api.auth import Caller
from hub.api.lists import LIMIT, Limit
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.domain.commands import SetDesk, SetDuty
from hub.domain.ids import QUEUE_ID
from hub.domain.looks import AskLoads, AskPresence, Presence
from hub.domain.queue.views import AgentLoad

FRONT_S = 150
"""So long a desk counts as being in front after it has said so."""


class AgentToken(msgspec.Struct):
    """A token for the agent's sockets and requests; `expires_at` is in Unix milliseconds."""

    token: str
    agent: str
    expires_at: int


class Agents(msgspec.Struct):
    """A page of them by name; `cursor` asks for the next one, and is empty on the last."""

    agents: list[AgentLoad]
    cursor: str


class Me(msgspec.Struct):
    """The agent who asks: their entity id, name, what people call them, and the teams that they are in and lead."""

    id: str
    name: str
    display: str
    teams: list[str]
    leads: list[str]


class QuickReply(msgspec.Struct):
    """What an agent need not type: `/name` stands for the text."""

    name: str
    text: str


class QuickReplies(msgspec.Struct):
    """In the order of rules/replies.yaml."""

    replies: list[QuickReply]


class Duty(msgspec.Struct):
    """Whether an agent is on duty: only then the queue gives them conversations."""

    on: bool


class Desk(msgspec.Struct):
    """A desk by a name that its page made up, and whether it is in front of the agent."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    front: bool


class AgentController(Controller):
    """An agent has the name that rules/teams.yaml gives them."""

    path = "/api/v1/agents"
    tags = ("agents",)

    @get("/")
    async def list_all(
        self, needs: NamedDependency[Needs], cursor: FromQuery[str] = "", limit: Limit = LIMIT
    ) -> Agents:
        """Who is on duty, and how many conversations each has."""
        loads = await answers.look(needs.calls, QUEUE_ID, AskLoads(cursor, limit), list[AgentLoad])
        return Agents(loads, loads[-1].name if len(loads) == limit else "")

    @get("/me")
    async def me(self, request: Request[Any, Caller, Any], needs: NamedDependency[Needs]) -> Me:
        """Whose token this is."""
        caller = request.auth
        for agent in needs.teams().agents:
            if agent.id == caller.agent:
                return Me(agent.id, agent.name, agent.display, list(agent.teams), sorted(filter(None, caller.leads)))
        raise problem(404, "rules/teams.yaml names you no more.", "not_found")

    @post("/me/desk", status_code=200)
    async def set_desk(
        self, request: Request[Any, Caller, Any], data: JSONBody[Desk], needs: NamedDependency[Needs]
    ) -> Desk:
        """While a desk is in front nothing is pushed to a phone. It counts for 150 seconds: say it anew every 60."""
        until_ms = int((needs.now_s() + FRONT_S) * 1000) if data.front else 0
        await answers.carry_out(needs.calls, request.auth.agent, SetDesk(data.id, until_ms))
        return data

    @get("/me/replies")
    async def replies(self, request: Request[Any, Caller, Any], needs: NamedDependency[Needs]) -> QuickReplies:
        """The quick replies of whoever asks: their teams', and everybody's."""
        teams = next((agent.teams for agent in needs.teams().agents if agent.id == request.auth.agent), ())
        return QuickReplies([QuickReply(name, text) for name, text in needs.replies(teams).items()])

    @post("/{name:str}/token")
    async def mint_token(self, name: FromPath[str], needs: NamedDependency[Needs]) -> AgentToken:
        """A token for the agent, for one working day."""
        agent = known(needs, name)
        minted = needs.tokens.mint_agent(agent, needs.now_s())
        return AgentToken(minted.token, agent, minted.expires_at_s * 1000)

    @get("/{name:str}/duty")
    async def duty(self, name: FromPath[str], needs: NamedDependency[Needs]) -> Presence:
        """Whether the agent is on duty, why, until when, and what they have."""
        return await answers.look(needs.calls, known(needs, name), AskPresence(), Presence)

    @post("/{name:str}/duty", status_code=200)
    async def set_duty(
        self,
        request: Request[Any, Caller, Any],
        name: FromPath[str],
        data: JSONBody[Duty],
        needs: NamedDependency[Needs],
    ) -> Duty:
        """Put the agent on duty or off; an agent only themself, a lead those of their teams. Twice changes nothing."""
        caller = request.auth
        if not caller.sees_all and caller.agent != needs.agent_id(name) and not _leads(caller, name, needs):
            raise problem(403, f'You are not the agent "{name}".', "not_yours")
        agent = known(needs, name)
        await answers.carry_out(needs.calls, agent, SetDuty(agent, data.on))
        return data


def known(needs: Needs, name: str) -> str:
    """The entity id of the agent; raises 404."""
    agent = needs.agent_id(name)
    if agent is None:
        raise problem(404, f'rules/teams.yaml names no agent "{name}".', "not_found")
    return agent


def _leads(caller: Caller, name: str, needs: Needs) -> bool:
    return any(agent.name == name and caller.leads.intersection(agent.teams) for agent in needs.teams().agents)
