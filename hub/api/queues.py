"""/api/v1/teams and /queues: who answers for what, and who waits, at this moment."""

from typing import Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from hub.api import answers
from hub.api.auth import Caller
from hub.api.conversations import Conversation, Taking, shown, taker, until_with
from hub.api.lists import LIMIT, Limit, number_of
from hub.api.needs import Needs
from hub.domain.commands import Take
from hub.domain.events import Chosen
from hub.domain.ids import QUEUE_ID, agent_name
from hub.domain.looks import AskLines, AskServed, AskWaiting
from hub.domain.queue.views import Served, TeamLoad, Waiting


class TeamShown(msgspec.Struct, omit_defaults=True):
    """A team of rules/teams.yaml: what people call it (`display_en` in English, where it has such a name), who is in it
    and who leads it (names).
    """

    name: str
    display: str
    agents: list[str]
    pick: str
    display_en: str = ""
    lead: str = ""
    max_waiting: int = 0


class TeamList(msgspec.Struct):
    """In the order of the file; `default` gets what no rule gives to another one."""

    teams: list[TeamShown]
    default: str


class Lines(msgspec.Struct):
    """A line for each team."""

    queues: list[TeamLoad]


class WaitingList(msgspec.Struct):
    """Who waits, the first first; `cursor` asks for those behind them, and is empty at the end."""

    waiting: list[Waiting]
    cursor: str


@get("/api/v1/teams", tags=["queues"])
async def teams(needs: NamedDependency[Needs]) -> TeamList:
    """All teams, as rules/teams.yaml has them now."""
    known = needs.teams()
    members: dict[str, list[str]] = {}
    for agent in known.agents:
        for team in agent.teams:
            members.setdefault(team, []).append(agent.name)
    return TeamList(
        [
            TeamShown(
                team.name, team.display, members.get(team.name, []), team.pick, team.display_en,
                agent_name(team.lead) if team.lead else "", team.max_waiting,
            )
            for team in known.teams
        ],
        known.default,
    )  # fmt: skip


class QueueController(Controller):
    """The lines of all teams; agents may see them all, for they may take from all."""

    path = "/api/v1/queues"
    tags = ("queues",)

    @get("/")
    async def lines(self, needs: NamedDependency[Needs]) -> Lines:
        """How long each line is, and how many agents serve it."""
        return Lines(await answers.look(needs.calls, QUEUE_ID, AskLines(), list[TeamLoad]))

    @get("/{team:str}")
    async def waiting(
        self, team: FromPath[str], needs: NamedDependency[Needs], cursor: FromQuery[str] = "", limit: Limit = LIMIT
    ) -> WaitingList:
        """Who waits in the team's line, and for how long still (seconds, between `low_s` and `high_s`)."""
        after = number_of(cursor)
        found = await answers.look(needs.calls, QUEUE_ID, AskWaiting(team, after, limit), list[Waiting])
        return WaitingList(found, str(after + limit) if len(found) == limit else "")

    @post("/next", status_code=200)
    async def next(
        self, request: Request[Any, Caller, Any], needs: NamedDependency[Needs], data: JSONBody[Taking | None] = None
    ) -> Conversation:
        """Take the first in the lines of one's teams, however many one has; 404 when nobody waits there."""
        agent = taker(request.auth, data.agent if data else "", needs)

        async def take(since_ms: int) -> Conversation:
            conversation = await _given(agent, since_ms, needs) if since_ms else ""
            if not conversation:
                outcome = await answers.carry_out(needs.calls, QUEUE_ID, Take(agent))
                conversation = next(r.event.conversation for r in outcome.records if isinstance(r.event, Chosen))
            return shown(conversation, await until_with(agent, conversation, needs))

        return await needs.once.carry_out(request, Conversation, take, needs.now_ms())


async def _given(agent: str, since_ms: int, needs: Needs) -> str:
    """The conversation that the agent has got since then; empty: none."""
    served = await answers.look(needs.calls, QUEUE_ID, AskServed(agent), list[Served])
    return next((one.conversation for one in served if one.since_ms >= since_ms), "")
