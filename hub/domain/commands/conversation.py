"""Commands to a conversation."""

from hub.domain.commands.base import Command
from hub.domain.messages import Attachment, Judgement, Profile, Reach, Wait
from hub.domain.teams import Patience


class PostMessage(Command, frozen=True):
    """A message from a visitor's socket. `tab`.`n` is the client's own number: n = 1, 2, 3 … for each tab.

    `profile` is used when this message opens the conversation. `judgement` is filled in by the pipeline in the owner.
    """

    tab: str
    n: int
    text: str
    profile: Profile
    judgement: Judgement | None = None
    files: tuple[Attachment, ...] = ()


class ReceiveMessage(Command, frozen=True):
    """A visitor's message from a platform. `outside_id` is the platform's own, `raw` what really came in.

    `reach`: where its sender is reached. `unsupported` names a kind that the hub cannot show. `edits`: the outside id
    of the earlier message that this one replaces. `automatic`: a machine wrote it, and is not answered by one.
    """

    outside_id: str
    text: str
    sent_at_ms: int
    profile: Profile
    reach: Reach
    files: tuple[Attachment, ...] = ()
    unsupported: str = ""
    edits: str = ""
    automatic: bool = False
    raw: str = ""
    judgement: Judgement | None = None


class AnswerMessage(Command, frozen=True):
    """An agent's answer to the visitor. From a desk socket it carries that client's `tab`.`n`; relayed, an origin.

    It names no assignment, unlike what decides who has the conversation: what an agent has told the visitor holds as
    well when the conversation has left them and come back since. What they had not read by then, `seen` says.
    """

    agent: str
    text: str
    tab: str = ""
    n: int = 0
    files: tuple[Attachment, ...] = ()
    way: str = ""
    """The channel that they wrote it on; empty: a desk, or the API."""
    seen: int | None = None
    """The last seq of the conversation that its writer had been shown; None: all of it."""
    heard: int = 0
    """The seq of the last failure to deliver of which a phone or mail had told them; a page shows it in its place."""


class ChangeMessage(Command, frozen=True):
    """An agent's own answer `seq` is to read `text` from now on; without one it is taken back. 0: their last one.

    It names no assignment: with the conversation an agent loses the answers that they may change, and has none of them
    when it comes back.
    """

    agent: str
    text: str = ""
    seq: int = 0


class Assign(Command, frozen=True):
    """The queue has chosen `agent`, and why. `phone`: messages must be relayed to the agent entity, for their phone."""

    agent: str
    display: str
    no: int
    team: str
    phone: bool
    because: str = ""
    team_display: str = ""
    patience: Patience = Patience()
    lead: str = ""
    """The team's, by entity id."""
    taken: bool = False
    """The agent has taken it themself: there is nothing to accept."""
    asked: int = 0
    """As in the Enqueue that it answers."""


class TellWaiting(Command, frozen=True):
    """The queue has no agent for the visitor yet. `on_duty`: somebody of the team is, but all are busy."""

    no: int
    team: str
    position: int
    on_duty: bool
    lost: str = ""
    """The agent who had it, and is in rules/teams.yaml no more."""
    wait: Wait = Wait()


class CloseConversation(Command, frozen=True):
    """End the conversation; the visitor's next message reopens it."""

    by: str
    because: str = ""
    assigned: int = 0
    """The seq of the Assigned that they knew of when they decided it; an older one is refused. 0: not said."""
    seen: int | None = None
    """As in AnswerMessage: refused where the visitor has written more since,"""
    heard: int = 0
    """and so, where an answer has not arrived."""


class TransferConversation(Command, frozen=True):
    """Give the conversation to another agent or back to a team; `agent` and `team` are ids/names, one is set.

    `note` is for whoever gets it; `because` says why where nobody has decided it (a shift has ended).
    """

    by: str
    agent: str = ""
    team: str = ""
    note: str = ""
    because: str = ""
    assigned: int = 0
    """The seq of the Assigned that they knew of when they decided it; an older one is refused. 0: not said."""


class AcceptConversation(Command, frozen=True):
    """The assignee has seen it, and will answer."""

    agent: str
    assigned: int = 0
    """The seq of the Assigned that they knew of when they decided it; an older one is refused. 0: not said."""


class HoldConversation(Command, frozen=True):
    """Its clocks stop, for the agent waits for somebody else; they go on when the visitor writes, or on `on=False`."""

    by: str
    on: bool
    assigned: int = 0
    """The seq of the Assigned that they knew of when they decided it; an older one is refused. 0: not said."""


class WriteNote(Command, frozen=True):
    """A note between agents, which the visitor never sees. `tab`.`n` is a client's own number, where it has one."""

    by: str
    text: str
    display: str = ""
    tab: str = ""
    n: int = 0


class ReturnConversation(Command, frozen=True):
    """The assignee cannot be reached: back to the queue, with the reason."""

    agent: str
    because: str
    assigned: int = 0
    """The seq of the Assigned that they knew of; of another one nothing follows. 0: not said."""


class SetPhone(Command, frozen=True):
    """The assignee has a phone from now on, to which messages must be relayed, or has none any more."""

    agent: str
    on: bool
    assigned: int = 0
    """The seq of the Assigned that they knew of; of another one nothing follows. 0: not said."""


class ReleaseMessage(Command, frozen=True):
    """A held message may be read now."""

    seq: int
    by: str


class RejectMessage(Command, frozen=True):
    """A held message stays unread for ever."""

    seq: int
    by: str


ConversationCommand = (
    PostMessage | ReceiveMessage | AnswerMessage | ChangeMessage | Assign | TellWaiting | CloseConversation
    | TransferConversation | AcceptConversation | HoldConversation | WriteNote | ReturnConversation | SetPhone
    | ReleaseMessage | RejectMessage
)  # fmt: skip
