"""What has happened to an entity. Durable, numbered, never changed; the log holds these and nothing else."""

from typing import Literal

import msgspec

from hub.domain.messages import Attachment, Block, Limits, Outgoing, Piece, Profile, Reach, Status, Wait
from hub.domain.presence import Because
from hub.domain.teams import AgentSettings, Hours, Patience, Teams, Way

IDLE = "idle"
"""Why the hub itself has closed a conversation: the visitor has not written for as long as the team waits."""


class Event(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """Base of all events; the tag is the class name. Unknown fields of a later version are kept out of the way."""


# --- of a conversation ---------------------------------------------------------------------------------------------


class Opened(Event, frozen=True):
    """The first message of a visitor has arrived."""

    profile: Profile


class Reopened(Event, frozen=True):
    """The visitor wrote again after the conversation had been closed."""


class MessagePosted(Event, frozen=True):
    """A visitor's message has its place. `to`: the agent entity whose phone must show it, or empty.

    `id` is a socket client's own number. What came from a platform has none, but an `outside_id` and the raw input.
    """

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
    files: tuple[Attachment, ...] = ()
    outside_id: str = ""
    raw: str = ""
    automatic: bool = False
    """A machine wrote it."""


class MessageEdited(Event, frozen=True):
    """The visitor has changed their message `ref` on the platform; the fields are as in MessagePosted."""

    ref: int
    text: str
    outside_id: str
    status: Status = ""
    original: str | None = None
    because: tuple[str, ...] = ()
    rules: str = ""
    to: str = ""
    no: int = 0
    name: str = ""
    raw: str = ""


class Reached(Event, frozen=True):
    """A visitor without a socket is reached there from now on: what waits for them goes there."""

    reach: Reach


class AutoReplied(Event, frozen=True):
    """A rule has answered the visitor; `choices` are answers that they may pick."""

    text: str
    because: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class QueueJoined(Event, frozen=True):
    """The conversation waits for an agent of `team` (relayed to the queue)."""

    team: str
    priority: int
    chosen: bool
    """A keyword chose the team; later keywords only reply."""
    agent: str = ""
    avoid: str = ""
    because: str = ""
    channel: str = ""
    language: str = ""
    name: str = ""
    last: str = ""
    """Who served the visitor before, by entity id."""
    last_ms: int = 0


class WaitTold(Event, frozen=True):
    """The visitor has been told that they wait."""

    no: int
    team: str
    position: int
    on_duty: bool
    wait: Wait = Wait()


class Assigned(Event, frozen=True):
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
    because: str = ""
    """Why the queue chose them."""
    team_display: str = ""
    patience: Patience = Patience()
    lead: str = ""
    taken: bool = False
    note: str = ""
    """What the agents before have left for them, a note on each line."""


class Accepted(Event, frozen=True):
    """The assignee has seen it, and will answer."""

    agent: str


class Reminded(Event, frozen=True):
    """Nobody has answered yet (relayed to `to`, the assignee or the team's lead)."""

    to: str
    agent: str
    display: str
    no: int
    name: str
    team: str
    waited_s: int
    lead: bool = False
    assigned: int = 0


class Nudged(Event, frozen=True):
    """The visitor was asked whether they are still there; without a word from them it is closed in `closes_s`."""

    closes_s: int


class HoldSet(Event, frozen=True):
    """The conversation's clocks stand still, or go on."""

    by: str
    on: bool


class NoteWritten(Event, frozen=True):
    """A note between agents. `id` is a client's own number, where it has one."""

    by: str
    display: str
    text: str
    id: str = ""


class AssignRefused(Event, frozen=True):
    """The queue's choice came too late: the conversation is closed (relayed back)."""

    agent: str
    no: int


class AnswerPosted(Event, frozen=True):
    """An agent's answer, on its way to the visitor."""

    id: str
    agent: str
    display: str
    text: str
    files: tuple[Attachment, ...] = ()
    active: bool = False
    """They sit at a desk, and their presence is told of it (relayed)."""
    timed: bool = False
    """From here on the visitor's silence is timed."""
    way: str = ""
    """As in AnswerMessage."""
    no: int = 0
    """Written at a desk while a phone shows the conversation under this number, which is told (relayed); 0: not."""
    twice: int = 0
    """Under this number the agent has answered the same on another way a moment before, and is told so (relayed)."""


class ChangeBegun(Event, frozen=True):
    """The platform is asked to change the answer `ref`, which the visitor has: `piece` and what follows in it go out.

    Whether the answer is changed, the attempts say; then MessageCorrected or MessageRecalled follows.
    """

    ref: int
    piece: Piece


class MessageCorrected(Event, frozen=True):
    """The agent's answer `ref` reads `text` from now on, with the files it had.

    `before` is the event that said until now how it reads, `original` is how that began; `to` is the phone that is
    told (number `no`), or empty.
    """

    ref: int
    before: int
    text: str
    by: str
    original: str = ""
    files: tuple[Attachment, ...] = ()
    anew: bool = False
    """The platform has taken nothing of it: it goes out in its new words."""
    to: str = ""
    no: int = 0


class MessageRecalled(Event, frozen=True):
    """The agent's answer `ref` has been taken back; the fields are as in MessageCorrected."""

    ref: int
    before: int
    by: str
    original: str = ""
    to: str = ""
    no: int = 0


class AnswerRefused(Event, frozen=True):
    """An answer from somebody who does not have it, or a change that cannot be made (relayed back with the text)."""

    agent: str
    no: int
    text: str
    because: str
    now_with: str = ""


class Transferred(Event, frozen=True):
    """The assignee, or their team's lead, gave it away."""

    by: str
    agent: str
    team: str
    priority: int
    no: int
    phone: bool
    note: str = ""
    because: str = ""
    before: str = ""
    """Who had it, where that is not `by`."""
    channel: str = ""
    language: str = ""
    name: str = ""


class Returned(Event, frozen=True):
    """The assignee could not be reached, or is an agent no more."""

    agent: str
    because: str
    no: int
    team: str
    priority: int
    lost: bool = False
    """The conversation stands in line already, so it is the agent who is told."""
    missed: bool = False
    """They did not accept or answer it in time (relayed to them too)."""
    late: bool = False
    """So it is, but the hub was away meanwhile: they lose the conversation, and it is not held against them."""
    channel: str = ""
    language: str = ""
    name: str = ""


class PhoneSet(Event, frozen=True):
    """The assignee has a phone from now on, or none any more (relayed to them when they have)."""

    agent: str
    on: bool
    no: int
    team: str
    name: str
    backlog: tuple[Block, ...] = ()
    skipped: int = 0
    assigned: int = 0
    """The seq of the assignment in force."""


class Closed(Event, frozen=True):
    """The conversation is over until the visitor writes again."""

    by: str
    agent: str = ""
    no: int = 0
    phone: bool = False
    because: str = ""
    """What the agent says; without `by` the hub closed it: IDLE, the visitor has not written for long."""


class MessageReleased(Event, frozen=True):
    """The held message `ref` may be read: `text` is it."""

    ref: int
    text: str
    by: str
    to: str = ""
    no: int = 0
    name: str = ""


class MessageRejected(Event, frozen=True):
    """The held message `ref` stays unread."""

    ref: int
    by: str


# --- of the queue --------------------------------------------------------------------------------------------------


class TeamsChanged(Event, frozen=True):
    """A new version of rules/teams.yaml is in force, as far as this event goes (relayed to the agents it names).

    One message of the log holds 1 MB: of thousands of agents only those stand here who have changed, and of many
    changed ones a part; another TeamsChanged brings the next.
    """

    teams: Teams
    """Without agents."""
    agents: tuple[AgentSettings, ...] = ()
    """Who is new, or has other settings, hours or limits than before; without their limits,"""
    limits: dict[str, Limits] = {}
    """which are the same for all agents of a channel."""
    removed: tuple[str, ...] = ()
    """Ids of agents that the version before still named."""


class Settling(Event, frozen=True):
    """`more`: not all that follows could be decided at once, the rest comes with the next Tick; else it is done."""

    more: bool


class Enqueued(Event, frozen=True):
    """A conversation waits under number `no`; it has kept that number if it had one."""

    conversation: str
    no: int
    team: str
    priority: int
    agent: str = ""
    avoid: str = ""
    channel: str = ""
    language: str = ""
    name: str = ""
    last: str = ""
    last_ms: int = 0
    avoid_until_ms: int = 0
    """Not 0: `avoid` has missed it, and is not given it before that moment."""
    asked: int = 0


class Overflowed(Event, frozen=True):
    """The conversation stands in the line of `team` as well from now on."""

    conversation: str
    no: int
    team: str
    because: str


class Told(Event, frozen=True):
    """Nobody is free: the conversation is told its position (relayed)."""

    conversation: str
    no: int
    team: str
    position: int
    on_duty: bool
    lost: str = ""
    """The agent who had it, and is in teams.yaml no more."""
    wait: Wait = Wait()
    because: str = ""
    """Why nobody gets it now."""


class TakeRefused(Event, frozen=True):
    """The agent does not get what they wanted to take (relayed back)."""

    agent: str
    no: int
    because: str


class WaitingListed(Event, frozen=True):
    """The agent is told who waits (relayed), as in TellWaitingList."""

    agent: str
    waiting: tuple[tuple[int, str, str, int], ...]
    more: int = 0


class Chosen(Event, frozen=True):
    """`agent` gets the conversation, and why (relayed)."""

    conversation: str
    no: int
    agent: str
    display: str
    team: str
    phone: bool
    because: str
    team_display: str = ""
    patience: Patience = Patience()
    lead: str = ""
    taken: bool = False
    asked: int = 0


class Left(Event, frozen=True):
    """The conversation is closed; its number is free again at `free_at_ms`."""

    conversation: str
    no: int
    free_at_ms: int


class DutySet(Event, frozen=True):
    """The queue knows that the agent is on or off duty."""

    agent: str
    on: bool
    because: str = ""


# --- of an agent ---------------------------------------------------------------------------------------------------


class AgentConfigured(Event, frozen=True):
    """The agent's settings in force. `settings` is None when teams.yaml names them no more."""

    settings: AgentSettings | None
    serving: tuple[str, ...] = ()
    """Where the agent has got a phone, or lost it: their conversations, which must know (relayed)."""
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


class Unreachable(Event, frozen=True):
    """The agent's phone cannot be reached at all: their conversations go back (relayed).

    They count as if they had said 下班; `until_ms` is as in DutySaid.
    """

    because: str
    conversations: tuple[str, ...]
    until_ms: int = 0
    display: str = ""
    leads: tuple[str, ...] = ()
    """Who is told (relayed)."""


# --- of whoever receives from the hub: an agent's phone, a visitor on a platform -------------------------------------


class Attempted(Event, frozen=True):
    """These exact bytes are on their way (`text`), as try `tries` of attempt number `attempt`.

    To a phone, `blocks` and `notes` say how many of what waits the text takes along (a part of a long block counts as
    one), `carries` which messages those blocks are, and `asks` is the number of the last held text that the text asks
    about, 0 without a question. `message` says what
    else goes: to a phone a file, to a visitor all that belongs to it.
    """

    attempt: int
    channel: str
    address: str
    text: str
    blocks: int = 0
    notes: int = 0
    tries: int = 1
    asks: int = 0
    carries: tuple[tuple[str, int], ...] = ()
    message: Outgoing | None = None


class AttemptSent(Event, frozen=True):
    """The platform took it. `refs`: the visitor has got these messages whole."""

    attempt: int
    receipt: str = ""
    refs: tuple[int, ...] = ()


class AttemptDelayed(Event, frozen=True):
    """Not now: the same bytes again at `retry_at_ms`."""

    attempt: int
    because: str
    retry_at_ms: int
    unknown: bool = False
    """The platform may have it."""


class AttemptRefused(Event, frozen=True):
    """It will not be taken, a dead letter: a person has to know. `unknown`: it may have arrived all the same.

    To a visitor: `refs` are the messages they have not got, `agent` (number `no`) the phone that is told, or empty.
    `message` stands there when the hub itself refused, without an attempt. `changes`: they have the messages, and it is
    their change that failed.
    """

    attempt: int
    because: str
    text: str
    unknown: bool = False
    refs: tuple[int, ...] = ()
    agent: str = ""
    no: int = 0
    message: Outgoing | None = None
    changes: bool = False
    again: bool = False
    """To an agent: all that it took along goes another way."""


class DeliveryRetried(Event, frozen=True):
    """A person has sent the dead letter of that attempt on its way again."""

    attempt: int
    by: str


class DeliveryDropped(Event, frozen=True):
    """A person has decided that the dead letter of that attempt is never sent."""

    attempt: int
    by: str


class ReceiptHad(Event, frozen=True):
    """The platform said later what became of attempt `attempt`, which it had taken."""

    attempt: int
    kind: Literal["delivered", "read", "failed"]
    because: str = ""
    refs: tuple[int, ...] = ()
    agent: str = ""
    no: int = 0


# --- of an intake --------------------------------------------------------------------------------------------------


class Unparsed(Event, frozen=True):
    """Raw input that nobody could read."""

    because: str
    raw: str


AnyEvent = (
    Opened | Reopened | MessagePosted | AutoReplied | QueueJoined | WaitTold | Assigned | AssignRefused | AnswerPosted
    | AnswerRefused | Transferred | Returned | PhoneSet | Closed | MessageReleased | MessageRejected
    | TeamsChanged | Enqueued | Told | Chosen | Left | DutySet
    | AgentConfigured | TextReceived | DutyChanged | AnswerChosen | StickyChosen | TextHeld | HeldDropped | CloseAsked
    | TransferAsked | Serving | ServingStopped | BlocksWaiting | NoteWaiting | Unreachable | MessageEdited | Reached
    | Attempted | AttemptSent | AttemptDelayed | AttemptRefused | DeliveryRetried | DeliveryDropped | ReceiptHad
    | Unparsed | ChangeBegun | MessageCorrected | MessageRecalled | ChangeAsked
    | Accepted | Reminded | Nudged | HoldSet | NoteWritten | Overflowed | TakeRefused | WaitingListed | HandoverAsked
    | Settling
    | TakeAsked | ListAsked | HoldAsked | NoteAsked | AcceptAsked | DutySaid | DutyProlonged | ActiveNoted
    | ServingMissed | LeadReminded | WayChosen | WayFailed | DeskSet | ReadMarked
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
