"""Events of an agent."""

from hub.domain.events.base import Event
from hub.domain.messages import Attachment, Block
from hub.domain.presence import Because
from hub.domain.teams import AgentSettings, Hours, Way


class AgentConfigured(Event, frozen=True):
    """The agent's settings in force. `settings` is None when teams.yaml names them no more."""

    settings: AgentSettings | None
    serving: tuple[tuple[str, int], ...] = ()
    """Where the agent has got a phone, or lost it: their conversations, which must know (relayed); each with the seq of
    the assignment there that they knew of."""
    shift: Hours | None = None
    handover_s: int = 300


class TextReceived(Event, frozen=True):
    """What the agent wrote, with the raw input; what it meant are the events that follow it."""

    outside_id: str
    text: str
    sent_at_ms: int
    raw: str = ""
    unsupported: str = ""
    files: tuple[Attachment, ...] = ()
    conversation: str | None = None
    """As in ReceiveText."""


class DutySaid(Event, frozen=True):
    """The agent has said 上班 or 下班, or is taken to have; `until_ms`: when that counts no more, Unix ms, 0: never."""

    on: bool
    because: Because
    until_ms: int = 0


class DutyChanged(Event, frozen=True):
    """The agent is on duty or off from now on, and why (hub.domain.presence; relayed to the queue).

    `until_ms`: when that may end by itself, Unix ms; 0: when something else changes it.
    """

    on: bool
    because: str = ""
    until_ms: int = 0


class DutyProlonged(Event, frozen=True):
    """The agent's duty stays as it is, until another moment than was thought."""

    until_ms: int


class ActiveNoted(Event, frozen=True):
    """The agent has answered at a desk, or has it in front of them."""

    answered: bool


class ServingMissed(Event, frozen=True):
    """The agent has let a conversation wait for too long."""

    conversation: str
    no: int


class LeadReminded(Event, frozen=True):
    """The agent leads the team of a conversation that a colleague does not answer: they may give it to somebody."""

    conversation: str
    no: int
    assigned: int = 0
    """The assignment that they were told of: they decide about no later one."""


class HandoverAsked(Event, frozen=True):
    """The agent has gone off duty with open conversations: at `at_ms` they are given back unless the agent says no."""

    at_ms: int
    """Unix ms; 0: the agent keeps them."""


class TakeAsked(Event, frozen=True):
    """接入 `no`, or with 0 下一位 (relayed to the queue)."""

    no: int = 0


class ListAsked(Event, frozen=True):
    """排队: who waits? (relayed to the queue)"""


class HoldAsked(Event, frozen=True):
    """挂起, or 恢复 (relayed to the conversation)."""

    conversation: str
    no: int
    on: bool
    assigned: int = 0


class NoteAsked(Event, frozen=True):
    """备注 (relayed to the conversation)."""

    conversation: str
    no: int
    text: str
    display: str = ""
    """The agent's."""


class AcceptAsked(Event, frozen=True):
    """The agent has turned to a conversation (relayed to it)."""

    conversation: str
    no: int
    assigned: int = 0


class AnswerChosen(Event, frozen=True):
    """The agent's text answers this conversation (relayed to it)."""

    conversation: str
    no: int
    text: str
    held: bool = False
    """It is the first held text of these words, which now has its conversation."""
    files: tuple[Attachment, ...] = ()
    way: str = ""
    """The channel that it was written on."""
    seen: int | None = None
    """The last seq of the conversation that the agent had been shown when it came; None: not known."""
    heard: int = 0
    """The seq of the last failure to deliver in it of which they had been told then."""


class StickyChosen(Event, frozen=True):
    """Text without a number goes to this conversation from now on; empty: to none."""

    conversation: str
    no: int = 0


class TextHeld(Event, frozen=True):
    """It is not clear whom the text is for: the agent is asked, the text waits until `until_ms`."""

    text: str
    until_ms: int


class HeldDropped(Event, frozen=True):
    """The held text was not claimed in time, or the agent dropped it; it is never sent."""

    text: str


class ChangeAsked(Event, frozen=True):
    """更正 (to `text`), or without text 撤回: of the last answer in this conversation (relayed to it)."""

    conversation: str
    no: int
    text: str = ""


class CloseAsked(Event, frozen=True):
    """结束 (relayed to the conversation)."""

    conversation: str
    no: int
    because: str = ""
    assigned: int = 0
    seen: int | None = None
    heard: int = 0
    """As in AnswerChosen, both."""


class TransferAsked(Event, frozen=True):
    """转接 (relayed to the conversation)."""

    conversation: str
    no: int
    agent: str = ""
    team: str = ""
    note: str = ""
    because: str = ""
    assigned: int = 0


class Serving(Event, frozen=True):
    """The conversation is this agent's."""

    conversation: str
    no: int
    name: str
    team: str
    assigned: int = 0
    """The seq of the assignment there: what the agent asks from now on they have decided knowing of it."""


class ServingStopped(Event, frozen=True):
    """The conversation is no longer this agent's; blocks of it that were not sent are dropped."""

    conversation: str
    no: int
    because: str
    to: str = ""


class BlocksWaiting(Event, frozen=True):
    """Visitors' messages wait for the phone."""

    blocks: tuple[Block, ...]


class WayChosen(Event, frozen=True):
    """The agent is reached by this way from now on; `serving` are the conversations that must know (relayed).

    Each with the seq of the assignment there that they knew of.
    """

    way: Way
    because: str
    serving: tuple[tuple[str, int], ...] = ()


class WayFailed(Event, frozen=True):
    """They cannot be reached on this channel, which is not tried before `until_ms`; another one is left."""

    channel: str
    because: str
    until_ms: int


class DeskSet(Event, frozen=True):
    """A desk of theirs is in front until then (Unix ms); 0: it is no more."""

    desk: str
    until_ms: int


class ReadMarked(Event, frozen=True):
    """They have read the conversation up to `seq`; what waits of it up to there is not sent."""

    conversation: str
    seq: int


class NoteWaiting(Event, frozen=True):
    """An answer to a command, a question or a failure waits for the phone."""

    text: str
    begins: int = 0
    """Who reads it knows that the conversation with this number is theirs."""
    ends: int = 0
    """Who reads it knows that the conversation with this number is not theirs."""
    returns: bool = False
    """A text of the agent comes back with it: whom they thought to write to, the hub does not know."""
    thread: tuple[str, str] = ("", "")
    """The conversation that it is about, and the title of its thread; for a channel that has threads."""
    failed: tuple[str, int] = ("", 0)
    """The conversation, and the seq in it, of a failure to deliver that it tells of."""


class Unreachable(Event, frozen=True):
    """The agent's phone cannot be reached at all: their conversations go back (relayed).

    They count as if they had said 下班; `until_ms` is as in DutySaid, `serving` as in WayChosen.
    """

    because: str
    serving: tuple[tuple[str, int], ...]
    until_ms: int = 0
    display: str = ""
    leads: tuple[str, ...] = ()
    """Who is told (relayed)."""


AgentEvent = (
    AgentConfigured | TextReceived | DutySaid | DutyChanged | DutyProlonged | ActiveNoted | ServingMissed
    | LeadReminded | HandoverAsked | TakeAsked | ListAsked | HoldAsked | NoteAsked | AcceptAsked | AnswerChosen
    | StickyChosen | TextHeld | HeldDropped | ChangeAsked | CloseAsked | TransferAsked | Serving | ServingStopped
    | BlocksWaiting | WayChosen | WayFailed | DeskSet | ReadMarked | NoteWaiting | Unreachable
)  # fmt: skip
