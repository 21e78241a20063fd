"""Questions about how an entity stands at this moment, and the answers. Pure; asked by the API (hub.engine.calls).

A question changes nothing and is logged nowhere. Its answer travels as JSON, and must fit into one message of NATS:
lists come in pages.
"""

from typing import Literal

import msgspec

from hub.domain.conversation_state import Conversation
from hub.domain.queue import Queue
from hub.domain.refusals import NotFound

MOST = 500
"""So many rows an answer has at most."""


class AskStanding(msgspec.Struct, frozen=True, tag=True):
    """To a conversation: with whom is it? Answered by Standing."""


class AskLines(msgspec.Struct, frozen=True, tag=True):
    """To the queue: how do the lines stand? Answered by a list of Line, a team each, in the order of the file."""


class AskWaiting(msgspec.Struct, frozen=True, tag=True):
    """To the queue: who waits in the line of `team`, behind position `after`? Answered by a list of Waiter."""

    team: str
    after: int = 0
    limit: int = MOST


class AskLoads(msgspec.Struct, frozen=True, tag=True):
    """To the queue: who is on duty with how many? Answered by a list of Load by name, behind the name `after`."""

    after: str = ""
    limit: int = MOST


Question = AskStanding | AskLines | AskWaiting | AskLoads


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation: `agent` (an entity id; people call them `display`) has it, or nobody."""

    stage: Literal["new", "waiting", "served", "closed"]
    name: str = ""
    channel: str = ""
    team: str = ""
    priority: int = 0
    agent: str = ""
    display: str = ""
    no: int = 0
    opened_at_ms: int = 0
    seq: int = 0
    """Of its last event."""
    assigned: int = 0
    """The seq of the assignment in force; a command that names it is refused when it is another one by then."""
    since_ms: int = 0
    """When that was, Unix ms."""
    on_hold: bool = False


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A team's line: so many wait, so many agents are on duty, and so many of those have room."""

    team: str
    waiting: int = 0
    on_duty: int = 0
    free: int = 0


class Waiter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who waits at `position` of a line, 1 being the first."""

    no: int
    conversation: str
    position: int
    priority: int = 0


class Load(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent of rules/teams.yaml, by name: how much they have of what they can."""

    name: str
    on_duty: bool = False
    load: int = 0
    capacity: int = 0


def at_conversation(state: Conversation, question: Question, now_ms: int) -> bytes:
    """The answer of a conversation. Raises NotFound for another's question, or where nobody has ever written."""
    if not isinstance(question, AskStanding):
        raise _unknown(state, question)
    if state.profile is None:
        raise NotFound(f"there is no conversation {state.id}")
    profile = state.profile
    return msgspec.json.encode(
        Standing(
            state.stage, profile.name, profile.channel, state.team, state.priority, state.agent, state.display,
            state.no, state.opened_at_ms, state.seq,
        )
    )  # fmt: skip


def at_queue(state: Queue, question: Question, now_ms: int) -> bytes:
    """The answer of the queue. Raises NotFound for another's question, or for a team that there is not."""
    match question:
        case AskLines():
            lines = [_line(state, team.name) for team in state.teams.teams]
            return msgspec.json.encode(lines)
        case AskWaiting(team=team, after=after, limit=limit):
            if team not in state.slots:
                raise NotFound(f'rules/teams.yaml names no team "{team}"')
            spots = state.lines.get(team, [])[after : after + min(limit, MOST)]
            return msgspec.json.encode(
                [
                    Waiter(state.places[spot.conversation].no, spot.conversation, position, -spot.rank)
                    for position, spot in enumerate(spots, after + 1)
                ]
            )
        case AskLoads(after=after, limit=limit):
            loads = sorted(
                (load for load in state.loads.values() if load.settings.name > after), key=lambda one: one.settings.name
            )
            return msgspec.json.encode(
                [
                    Load(one.settings.name, one.settings.id in state.on_duty, one.open, one.settings.capacity)
                    for one in loads[: min(limit, MOST)]
                ]
            )
    raise _unknown(state, question)


def _line(state: Queue, team: str) -> Line:
    slots = state.slots.get(team, [])
    return Line(team, len(state.lines.get(team, ())), len(slots), sum(not slot.full for slot in slots))


def at_nothing(state: object, question: Question, now_ms: int) -> bytes:
    """Of a kind of entity that is asked nothing: raises NotFound."""
    raise _unknown(state, question)


def _unknown(state: object, question: Question) -> NotFound:
    return NotFound(f"a {type(state).__name__} does not know {type(question).__name__}")
