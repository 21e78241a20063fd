"""What has happened to an entity. Durable, numbered, never changed; the log holds these and nothing else."""

from typing import Literal

import msgspec

from hub.domain.messages import AgentSettings, Block, Profile, Status, Teams


class Event(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Base of all events; the tag is the class name. Unknown fields of a later version are kept out of the way."""


# --- of a conversation ---------------------------------------------------------------------------------------------


class Opened(Event):
    """The first message of a visitor has arrived."""

    profile: Profile


class Reopened(Event):
    """The visitor wrote again after the conversation had been closed."""


class MessagePosted(Event):
    """A visitor's message has its place. `to`: the agent entity whose phone must show it, or empty."""

    id: str
    text: str
    status: Status = ""
    original: str | None = None
    flags: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    rules: str = ""
    to: str = ""
    no: int = 0
    name: str = ""


class AutoReplied(Event):
    """A rule has answered the visitor."""

    text: str
    because: tuple[str, ...] = ()


class QueueJoined(Event):
    """The conversation waits for an agent of `team` (relayed to the queue)."""

    team: str
    priority: int
    chosen: bool
    """A keyword chose the team; later keywords only reply."""
    agent: str = ""
    avoid: str = ""
    because: str = ""


class WaitTold(Event):
    """The visitor has been told that they wait."""

    no: int
    team: str
    position: int
    on_duty: bool


class Assigned(Event):
    """An agent has it (relayed to them when they have a phone to be served)."""

    agent: str
    display: str
    no: int
    team: str
    phone: bool
    name: str
    backlog: tuple[Block, ...] = ()
    skipped: int = 0
    before: str = ""
    """Who had it until now and has a phone: they are told."""


class AssignRefused(Event):
    """The queue's choice came too late: the conversation is closed (relayed back)."""

    agent: str
    no: int


class AnswerPosted(Event):
    """An agent's answer, on its way to the visitor."""

    id: str
    agent: str
    display: str
    text: str


class AnswerRefused(Event):
    """An answer from somebody who does not have the conversation (relayed back with the text)."""

    agent: str
    no: int
    text: str
    because: str
    now_with: str = ""


class Transferred(Event):
    """The assignee gave it away."""

    by: str
    agent: str
    team: str
    priority: int
    no: int
    phone: bool


class Returned(Event):
    """The assignee could not be reached."""

    agent: str
    because: str
    no: int
    team: str
    priority: int


class Closed(Event):
    """The conversation is over until the visitor writes again."""

    by: str
    agent: str = ""
    no: int = 0
    phone: bool = False


class MessageReleased(Event):
    """The held message `ref` may be read: `text` is it."""

    ref: int
    text: str
    by: str
    to: str = ""
    no: int = 0
    name: str = ""


class MessageRejected(Event):
    """The held message `ref` stays unread."""

    ref: int
    by: str


# --- of the queue --------------------------------------------------------------------------------------------------


class TeamsChanged(Event):
    """A new version of rules/teams.yaml is in force (relayed to each agent as ConfigureAgent)."""

    teams: Teams
    removed: tuple[str, ...] = ()
    """Ids of agents that the version before still named."""


class Enqueued(Event):
    """A conversation waits under number `no`; it has kept that number if it had one."""

    conversation: str
    no: int
    team: str
    priority: int
    agent: str = ""
    avoid: str = ""


class Told(Event):
    """Nobody is free: the conversation is told its position (relayed)."""

    conversation: str
    no: int
    team: str
    position: int
    on_duty: bool


class Chosen(Event):
    """`agent` gets the conversation, and why (relayed)."""

    conversation: str
    no: int
    agent: str
    display: str
    team: str
    phone: bool
    because: str


class Left(Event):
    """The conversation is closed; its number is free again at `free_at_ms`."""

    conversation: str
    no: int
    free_at_ms: int


class DutySet(Event):
    """The queue knows that the agent is on or off duty."""

    agent: str
    on: bool


# --- of an agent ---------------------------------------------------------------------------------------------------


class AgentConfigured(Event):
    """The agent's settings in force. `settings` is None when teams.yaml names them no more."""

    settings: AgentSettings | None


class TextReceived(Event):
    """What the agent wrote, with the raw input; what it meant are the events that follow it."""

    outside_id: str
    text: str
    sent_at_ms: int
    raw: str = ""
    unsupported: str = ""


class DutyChanged(Event):
    """上班 or 下班 (relayed to the queue)."""

    on: bool


class AnswerChosen(Event):
    """The agent's text answers this conversation (relayed to it)."""

    conversation: str
    no: int
    text: str


class StickyChosen(Event):
    """Text without a number goes to this conversation from now on; empty: to none."""

    conversation: str
    no: int = 0


class TextHeld(Event):
    """It is not clear whom the text is for: the agent is asked, the text waits until `until_ms`."""

    text: str
    until_ms: int


class HeldDropped(Event):
    """The held text was not claimed in time, or the agent dropped it; it is never sent."""

    text: str


class CloseAsked(Event):
    """结束 (relayed to the conversation)."""

    conversation: str
    no: int


class TransferAsked(Event):
    """转接 (relayed to the conversation)."""

    conversation: str
    no: int
    agent: str = ""
    team: str = ""


class Serving(Event):
    """The conversation is this agent's."""

    conversation: str
    no: int
    name: str
    team: str


class ServingStopped(Event):
    """The conversation is no longer this agent's; blocks of it that were not sent are dropped."""

    conversation: str
    no: int
    because: str
    to: str = ""


class BlocksWaiting(Event):
    """Visitors' messages wait for the phone."""

    blocks: tuple[Block, ...]


class NoteWaiting(Event):
    """An answer to a command, a question or a failure waits for the phone."""

    text: str


class Attempted(Event):
    """These exact bytes are on their way to the phone (`text`), as try `tries` of attempt number `attempt`.

    `blocks` and `notes` say how many of what waits the text takes along.
    """

    attempt: int
    channel: str
    address: str
    text: str
    blocks: int
    notes: int
    tries: int = 1


class AttemptSent(Event):
    """The platform took it."""

    attempt: int
    receipt: str = ""


class AttemptDelayed(Event):
    """Not now: the same bytes again at `retry_at_ms`."""

    attempt: int
    because: str
    retry_at_ms: int


class AttemptRefused(Event):
    """The platform will not take it; a person has to know."""

    attempt: int
    because: str
    text: str


class Unreachable(Event):
    """The agent's phone cannot be reached at all: off duty, and their conversations go back (relayed)."""

    because: str
    conversations: tuple[str, ...]


# --- of an intake --------------------------------------------------------------------------------------------------


class Unparsed(Event):
    """Raw input that nobody could read."""

    because: str
    raw: str


AnyEvent = (
    Opened | Reopened | MessagePosted | AutoReplied | QueueJoined | WaitTold | Assigned | AssignRefused | AnswerPosted
    | AnswerRefused | Transferred | Returned | Closed | MessageReleased | MessageRejected
    | TeamsChanged | Enqueued | Told | Chosen | Left | DutySet
    | AgentConfigured | TextReceived | DutyChanged | AnswerChosen | StickyChosen | TextHeld | HeldDropped | CloseAsked
    | TransferAsked | Serving | ServingStopped | BlocksWaiting | NoteWaiting | Attempted | AttemptSent | AttemptDelayed
    | AttemptRefused | Unreachable | Unparsed
)  # fmt: skip


class Record(msgspec.Struct, frozen=True, gc=False):
    """One event at its place: the `seq`-th of its entity, at `at_ms` (Unix, UTC).

    `prev` is the last seq before this one that the *visitor* may see (views.py); an agent sees every seq.
    """

    entity: str
    seq: int
    prev: int
    at_ms: int
    event: AnyEvent
