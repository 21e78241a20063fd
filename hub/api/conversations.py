"""/api/v1/conversations: which there are, with whom they are, and what agents do with them."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from hub.api import answers
from hub.api.agents import known
from hub.api.auth import Caller, standing_for
from hub.api.lists import LIMIT, Limit, cursor_behind, place_of
from hub.api.messages import Decided, check_id, decided
from hub.api.needs import Needs
from hub.api.once import number
from hub.api.problems import problem
from hub.domain.commands import (
    AcceptConversation,
    AnyCommand,
    CloseConversation,
    HoldConversation,
    MarkRead,
    Take,
    TransferConversation,
    WriteNote,
)
from hub.domain.ids import QUEUE_ID, agent_name
from hub.domain.looks import Standing
from hub.history.models import ConversationRow
from hub.history.queries import Place

Words = Annotated[str, msgspec.Meta(max_length=1000)]
Stage = Literal["", "new", "waiting", "served", "closed"]
ARRIVES_MS = (5, 10, 20, 40, 80, 160, 320, 640, 1000)
"""A conversation hears of its agent a moment after the queue has chosen: it is looked at after so long, then again."""


class Conversation(msgspec.Struct, omit_defaults=True):
    """A conversation. Moments are Unix milliseconds; what is not known is left out.

    `agent` is the name in rules/teams.yaml of whoever has it since `since`, `no` its number among agents (#12).
    """

    id: str
    stage: str = ""
    channel: str = ""
    name: str = ""
    team: str = ""
    agent: str = ""
    no: int = 0
    opened_at: int = 0
    at: int = 0
    display: str = ""
    since: int = 0
    on_hold: bool = False


class Conversations(msgspec.Struct):
    """A page of them, those in which something happened last first; `cursor` asks for the next page."""

    conversations: list[Conversation]
    cursor: str


class Taking(msgspec.Struct):
    """Who takes it, by name; agents only themselves, and need not say so."""

    agent: str = ""


class Transfer(msgspec.Struct):
    """To whom: the name of an agent, or of a team. `note` is for whoever gets it."""

    agent: str = ""
    team: str = ""
    note: Words = ""


class Closing(msgspec.Struct):
    """Why; it may be empty. `seen`: the last seq that whoever ends it has before them; without, they have seen all."""

    because: Words = ""
    seen: answers.Seq | None = None


class Hold(msgspec.Struct):
    """Whether the conversation's clocks stand still."""

    on: bool


class Note(msgspec.Struct):
    """What agents should know; the visitor never sees it."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]


class Read(msgspec.Struct):
    """All up to this seq has been read."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=answers.END)]


class ConversationController(Controller):
    """What concerns the caller: an agent's own, a lead's teams', all for the admin and for integrations.

    Who acts on what another agent has gets 409 with `by` and `since`.
    """

    path = "/api/v1/conversations"
    tags = ("conversations",)

    @get("/")
    async def list_all(
        self,
        request: Request[Any, Caller, Any],
        needs: NamedDependency[Needs],
        stage: FromQuery[Stage] = "",
        team: FromQuery[str] = "",
        agent: FromQuery[str] = "",
        channel: FromQuery[str] = "",
        name: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
        limit: Limit = LIMIT,
    ) -> Conversations:
        """As far as the history has come; `name` is a part of the visitor's, `agent` an agent's name."""
        caller = request.auth
        rows = await needs.history.conversations(
            limit,
            stage=stage,
            team=team,
            agent=known(needs, agent) if agent else "",
            channel=channel,
            name=name,
            seen_by=None if caller.sees_all else (caller.agent, sorted(caller.leads)),
            after=place_of(cursor),
        )
        behind = cursor_behind([Place(row.at_ms, row.entity, row.seq) for row in rows], limit)
        return Conversations([_listed(row) for row in rows], behind)

    @get("/{id:str}")
    async def one(
        self, request: Request[Any, Caller, Any], id: FromPath[str], needs: NamedDependency[Needs]
    ) -> Conversation:
        """How it stands at this moment."""
        return shown(id, await standing_for(request.auth, id, needs))

    @post("/{id:str}/take", status_code=200)
    async def take(
        self,
        request: Request[Any, Caller, Any],
        id: FromPath[str],
        needs: NamedDependency[Needs],
        data: JSONBody[Taking | None] = None,
    ) -> Conversation:
        """Take it from the line, however many the agent has. What is theirs already stays theirs."""
        check_id(id)
        agent = taker(request.auth, data.agent if data else "", needs)
        await answers.carry_out(needs.calls, QUEUE_ID, Take(agent, conversation=id))
        return shown(id, await until_with(agent, id, needs))

    @post("/{id:str}/accept", status_code=200)
    async def accept(
        self, request: Request[Any, Caller, Any], id: FromPath[str], needs: NamedDependency[Needs]
    ) -> Decided:
        """The assignee has seen it, and will answer."""
        standing = await _assigned(request.auth, id, needs)
        return await _carry_out(needs, id, AcceptConversation(standing.agent, standing.assigned))

    @post("/{id:str}/read", status_code=200)
    async def read(
        self, request: Request[Any, Caller, Any], id: FromPath[str], data: JSONBody[Read], needs: NamedDependency[Needs]
    ) -> Read:
        """What an agent has read here is not pushed to their other channels. Nobody reads what is not written yet."""
        standing = await standing_for(request.auth, id, needs)
        read = Read(min(data.seq, standing.seq))
        await answers.carry_out(needs.calls, request.auth.agent, MarkRead(id, read.seq))
        return read

    @post("/{id:str}/transfer", status_code=200)
    async def transfer(
        self,
        request: Request[Any, Caller, Any],
        id: FromPath[str],
        data: JSONBody[Transfer],
        needs: NamedDependency[Needs],
    ) -> Decided:
        """Give it to an agent, or to a team's line. Who is full or off duty gets it as soon as they can."""
        if bool(data.agent) == bool(data.team):
            raise problem(400, "Name an agent or a team, and not both.", "whom")
        if data.team and all(team.name != data.team for team in needs.teams().teams):
            raise problem(404, f'rules/teams.yaml names no team "{data.team}".', "not_found")
        agent = known(needs, data.agent) if data.agent else ""
        standing = await _assigned(request.auth, id, needs)
        by, because = _on_behalf(request.auth, standing)
        command = TransferConversation(by, agent, data.team, data.note, because, standing.assigned)
        return await _carry_out(needs, id, command)

    @post("/{id:str}/close", status_code=200)
    async def close(
        self,
        request: Request[Any, Caller, Any],
        id: FromPath[str],
        needs: NamedDependency[Needs],
        data: JSONBody[Closing | None] = None,
    ) -> Decided:
        """End it; the visitor's next message opens it again. One that is closed stays closed.

        409 with `code` unread, where the visitor has written more than was `seen`, or an answer has failed since.
        """
        standing = await standing_for(request.auth, id, needs)
        closing = data or Closing()
        by = request.auth.agent or request.auth.name
        return await _carry_out(needs, id, CloseConversation(by, closing.because, standing.assigned, closing.seen))

    @post("/{id:str}/hold", status_code=200)
    async def hold(
        self, request: Request[Any, Caller, Any], id: FromPath[str], data: JSONBody[Hold], needs: NamedDependency[Needs]
    ) -> Decided:
        """Stop the conversation's clocks, until the visitor writes, or let them go on."""
        standing = await _assigned(request.auth, id, needs)
        return await _carry_out(needs, id, HoldConversation(standing.agent, data.on, standing.assigned))

    @post("/{id:str}/notes")
    async def note(
        self, request: Request[Any, Caller, Any], id: FromPath[str], data: JSONBody[Note], needs: NamedDependency[Needs]
    ) -> Decided:
        """Leave a note for whoever has it, or gets it."""
        caller = request.auth

        async def write(_: int) -> Decided:
            await standing_for(caller, id, needs)
            display = next((a.display for a in needs.teams().agents if a.id == caller.agent), caller.name)
            command = WriteNote(caller.agent or caller.name, data.text, display, *number(request))
            return await _carry_out(needs, id, command)

        return await needs.once.carry_out(request, Decided, write, needs.now_ms())


def taker(caller: Caller, named: str, needs: Needs) -> str:
    """The entity id of the agent who takes: who calls, or whom the admin or an integration names."""
    if caller.agent:
        if named and needs.agent_id(named) != caller.agent:
            raise problem(403, f'You are not the agent "{named}".', "not_yours")
        return caller.agent
    if not named:
        raise problem(400, "agent: name the agent who takes it.", "whom")
    return known(needs, named)


async def until_with(agent: str, conversation: str, needs: Needs) -> Standing:
    """How the conversation stands once it knows that it is the agent's; whoever waits longer sees it as it is."""
    standing = await answers.standing(needs.calls, conversation)
    for pause_ms in ARRIVES_MS:
        if standing is not None and (standing.stage, standing.agent) == ("served", agent):
            break
        await asyncio.sleep(pause_ms / 1000)
        standing = await answers.standing(needs.calls, conversation)
    if standing is None:
        raise problem(404, f"There is no conversation {conversation}.", "not_found")
    return standing


async def _assigned(caller: Caller, conversation: str, needs: Needs) -> Standing:
    """How a conversation that concerns the caller stands, and that somebody has it; else 409."""
    standing = await standing_for(caller, conversation, needs)
    if not standing.agent:
        raise problem(409, "The conversation is with nobody: let an agent take it first.", "not_yours")
    return standing


def _on_behalf(caller: Caller, standing: Standing) -> tuple[str, str]:
    """Who gives the conversation away, and why: who is no agent does it for the one who has it, and says so."""
    return (caller.agent, "") if caller.agent else (standing.agent, f"by {caller.name}")


async def _carry_out(needs: Needs, conversation: str, command: AnyCommand) -> Decided:
    return decided(await answers.submit(needs.calls, conversation, command), conversation)


def _listed(row: ConversationRow) -> Conversation:
    return Conversation(
        row.entity, row.stage or "", row.channel or "", row.name or "", row.team or "",
        agent_name(row.agent) if row.agent else "", row.no or 0, row.opened_at_ms or 0, row.at_ms,
    )  # fmt: skip


def shown(id: str, of: Standing) -> Conversation:
    """The conversation, as it stands. Whoever has given it away has it no more."""
    known = Conversation(id, of.stage, of.channel, of.name, of.team, no=of.no, opened_at=of.opened_at_ms)
    if of.stage == "served":
        known.agent, known.display = agent_name(of.agent), of.display
        known.since, known.on_hold = of.since_ms, of.on_hold
    return known
