"""Questions about how an entity stands at this moment, and the answers. Pure; asked by the API (hub.engine.calls).

A question changes nothing and is logged nowhere. Its answer travels as JSON, and must fit into one message of NATS:
lists come in pages.
"""

from typing import Literal

import msgspec

from hub.domain.agent import duty
from hub.domain.agent.state import Agent
from hub.domain.conversation.state import Conversation
from hub.domain.presence import Because
from hub.domain.queue import views as queue_views
from hub.domain.queue.state import Queue
from hub.domain.refusals import NotFound

MOST = 500
"""So many rows an answer has at most."""


class AskStanding(msgspec.Struct, frozen=True, tag=True):
    """To a conversation: with whom is it? Answered by Standing."""


class AskLines(msgspec.Struct, frozen=True, tag=True):
    """To the queue: how do the lines stand? Answered by a list of TeamLoad, in the order of the file."""


class AskWaiting(msgspec.Struct, frozen=True, tag=True):
    """To the queue: who waits in the line of `team`, behind the first `after`? Answered by a list of Waiting."""

    team: str
    after: int = 0
    limit: int = MOST


class AskLoads(msgspec.Struct, frozen=True, tag=True):
    """To the queue: who is on duty with how many? Answered by a list of AgentLoad by name, behind the name `after`."""

    after: str = ""
    limit: int = MOST


class AskServed(msgspec.Struct, frozen=True, tag=True):
    """To the queue: what has this agent (an entity id)? Answered by a list of Served, the latest last."""

    agent: str


class AskPresence(msgspec.Struct, frozen=True, tag=True):
    """To an agent: are they on duty, why, and until when? Answered by Presence."""


Question = AskStanding | AskLines | AskWaiting | AskLoads | AskServed | AskPresence


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation: `agent` (an entity id; people call them `display`) has it, or nobody.

    One that they have given away waits; they may answer until the next one has it, and are named here so long.
    """

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
    last: str = ""
    """Who had it when it was closed, as long as it is."""


class Presence(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent, and the conversations that they have. Moments are Unix ms; 0: there is none."""

    on_duty: bool
    because: Because
    until_ms: int = 0
    """When that may end by itself."""
    handover_ms: int = 0
    """When what they have is given back, for they are off duty and have not said that they keep it."""
    serving: tuple[str, ...] = ()


def at_conversation(state: Conversation, question: Question, now_ms: int) -> bytes:
    """The answer of a conversation. Raises NotFound for another's question, or where nobody has ever written."""
    if not isinstance(question, AskStanding):
        raise _unknown(state, question)
    if state.profile is None:
        raise NotFound(f"there is no conversation {state.id}")
    profile = state.profile
    return msgspec.json.encode(
        Standing(
            "waiting" if state.leaving else state.stage, profile.name, profile.channel, state.team, state.priority,
            state.agent, state.display, state.no, state.opened_at_ms, state.seq,
            state.assigned if state.agent else 0, state.assigned_ms,
            bool(state.on_hold_ms), state.last if state.stage == "closed" else "",
        )
    )  # fmt: skip


def at_agent(state: Agent, question: Question, now_ms: int) -> bytes:
    """The answer of an agent. Raises NotFound for another's question."""
    if not isinstance(question, AskPresence):
        raise _unknown(state, question)
    because = duty.held(state, state.presence, now_ms).because
    until_ms, serving = state.duty_until_ms, tuple(state.serving)
    return msgspec.json.encode(Presence(state.on_duty, because, until_ms, state.handover_ms, serving))


def at_queue(state: Queue, question: Question, now_ms: int) -> bytes:
    """The answer of the queue. Raises NotFound for another's question, or for a team that there is not."""
    match question:
        case AskLines():
            return msgspec.json.encode(queue_views.teams(state))
        case AskWaiting(team=team) if team not in state.teams:
            raise NotFound(f'rules/teams.yaml names no team "{team}"')
        case AskWaiting(team=team, after=after, limit=limit):
            return msgspec.json.encode(queue_views.waiting(state, now_ms, team, after, min(limit, MOST)))
        case AskLoads(after=after, limit=limit):
            return msgspec.json.encode(queue_views.loads(state, after, min(limit, MOST)))
        case AskServed(agent=agent):
            return msgspec.json.encode(queue_views.served(state, agent)[-MOST:])
    raise _unknown(state, question)


def at_nothing(state: object, question: Question, now_ms: int) -> bytes:
    """Of a kind of entity that is asked nothing: raises NotFound."""
    raise _unknown(state, question)


def _unknown(state: object, question: Question) -> NotFound:
    return NotFound(f"a {type(state).__name__} does not know {type(question).__name__}")
