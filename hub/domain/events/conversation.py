"""Events of a conversation."""

from hub.domain.events.base import Event
from hub.domain.messages import Attachment, Block, Piece, Profile, Reach, Status, Wait
from hub.domain.teams import Patience

IDLE = "idle"
"""Why the hub itself has closed a conversation: the visitor has not written for as long as the team waits."""


class Opened(Event, frozen=True):
    """The first message of a visitor has arrived."""

    profile: Profile


class Reopened(Event, frozen=True):
    """After it had been closed the visitor wrote again, or the platform had not taken an answer."""


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
    timed: bool = False
    """From here on it is timed how long they wait for another answer."""


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
    seen: int | None = None
    """As in AnswerMessage: what the visitor wrote after that is not answered."""
    heard: int = 0
    """As in AnswerMessage."""


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
    """An answer from somebody who does not have it, a change that cannot be made, or an end that comes too early
    (relayed back with the text).
    """

    agent: str
    no: int
    text: str
    because: str
    now_with: str = ""
    failed: int = 0
    """The seq of a failure to deliver, of which they are told by it."""


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
    """The held message `ref` may be read: `text` and `files` are it."""

    ref: int
    text: str
    by: str
    to: str = ""
    no: int = 0
    name: str = ""
    files: tuple[Attachment, ...] = ()


class MessageRejected(Event, frozen=True):
    """The held message `ref` stays unread."""

    ref: int
    by: str


ConversationEvent = (
    Opened | Reopened | MessagePosted | MessageEdited | Reached | AutoReplied | QueueJoined | WaitTold | Assigned
    | Accepted | Reminded | Nudged | HoldSet | NoteWritten | AssignRefused | AnswerPosted | ChangeBegun
    | MessageCorrected | MessageRecalled | AnswerRefused | Transferred | Returned | PhoneSet | Closed
    | MessageReleased | MessageRejected
)  # fmt: skip
