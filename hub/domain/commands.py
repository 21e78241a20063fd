"""What an entity can be asked to do. Imperative; a command may be refused, an event (events.py) has happened."""

from typing import Literal

import msgspec

from hub.domain.messages import Attachment, Block, Judgement, Profile, Reach, Wait
from hub.domain.teams import AgentSettings, Hours, Lookup, Patience, Teams


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Where a relayed command came from; each target keeps the highest per source partition, so a repeat is known."""

    partition: int
    epoch: int
    seq: int
    index: int


class Command(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """Base of all commands; the tag is the class name."""


# --- to any entity -------------------------------------------------------------------------------------------------


class Tick(Command, frozen=True):
    """Time has passed: `next_due` of the entity has been reached."""


# --- to a conversation ---------------------------------------------------------------------------------------------


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
    """An agent's answer to the visitor. From a desk socket it carries that client's `tab`.`n`; relayed, an origin."""

    agent: str
    text: str
    tab: str = ""
    n: int = 0
    files: tuple[Attachment, ...] = ()
    way: str = ""
    """The channel that they wrote it on; empty: a desk, or the API."""


class ChangeMessage(Command, frozen=True):
    """An agent's own answer `seq` is to read `text` from now on; without one it is taken back. 0: their last one."""

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


# --- to the queue --------------------------------------------------------------------------------------------------


class ChangeTeams(Command, frozen=True):
    """rules/teams.yaml has a new version.

    One event takes only so many agents along; send the command again until it leads to no event any more.
    """

    teams: Teams


class Enqueue(Command, frozen=True):
    """A conversation needs an agent of `team`. `agent`: this one, if it can be (a transfer to a person)."""

    conversation: str
    team: str
    priority: int
    agent: str = ""
    avoid: str = ""
    """An agent who gets it only if nobody else can: they just gave it away."""
    channel: str = ""
    language: str = ""
    name: str = ""
    """The visitor's."""
    last: str = ""
    """Who served the visitor before, by entity id."""
    last_ms: int = 0
    """When that ended."""
    missed: bool = False
    """`avoid` had it, and let the time to accept or to answer pass: it is not given to them again at once."""
    asked: int = 0
    """The conversation's seq with which it asks: a choice made for an earlier one does not count there. 0: not said."""


class Take(Command, frozen=True):
    """An agent wants what waits under number `no`, or this conversation; or with neither the next in their lines.

    However many they have already: it is they who decide that.
    """

    agent: str
    no: int = 0
    conversation: str = ""


class ListWaiting(Command, frozen=True):
    """An agent wants to know who waits in the lines of their teams."""

    agent: str


class Leave(Command, frozen=True):
    """A conversation is closed: it waits no more and counts for nobody. Its number rests for 7 days."""

    conversation: str


class SetDuty(Command, frozen=True):
    """To the queue from the agent entity; and to the agent entity from the API."""

    agent: str
    on: bool
    because: str = ""


# --- to an agent ---------------------------------------------------------------------------------------------------


class ConfigureAgent(Command, frozen=True):
    """The agent's line in teams.yaml, or the capabilities of their channel, have changed."""

    settings: AgentSettings | None
    """None: teams.yaml names them no more."""
    shift: Hours | None = None
    handover_s: int = 300
    """As in Teams; 0: who goes off duty is not asked, and keeps what they have."""


class ReceiveText(Command, frozen=True):
    """A text the agent wrote on their phone. `outside_id` is the platform's message id; `raw` what really came in."""

    outside_id: str
    text: str
    sent_at_ms: int
    raw: str = ""
    unsupported: str = ""
    """Not empty: it was not a text but this kind (location, link …)."""
    files: tuple[Attachment, ...] = ()
    lookup: Lookup | None = None
    """Filled in by the pipeline in the owner, where the text names somebody or a quick reply."""
    channel: str = ""
    conversation: str | None = None
    """Where a channel has threads: the one that it answers, "" for none, as a signature proves; it goes nowhere else.
    """


class Serve(Command, frozen=True):
    """A conversation is now this agent's; `backlog` is what nobody has answered yet, `skipped` how many more."""

    conversation: str
    no: int
    name: str
    team: str
    """As people call it."""
    backlog: tuple[Block, ...] = ()
    skipped: int = 0
    note: str = ""
    """What the agents before them have left for them, a note on each line."""
    assigned: int = 0
    """The seq of its Assigned, for the commands that follow; 0: as before."""
    taken: bool = False
    """They took it themself."""
    phone: bool | None = None
    """Whether the conversation believes that they have a phone; None: not said."""


class ShowMessage(Command, frozen=True):
    """A visitor wrote in a conversation that this agent serves."""

    block: Block


class StopServing(Command, frozen=True):
    """The conversation is no longer this agent's. `to`: whose it is now."""

    conversation: str
    no: int
    because: Literal["closed", "transferred", "returned", "missed"]
    by: str = ""
    to: str = ""


class TellRefused(Command, frozen=True):
    """The conversation refused this agent's answer or request; the text goes back to them with the reason."""

    conversation: str
    no: int
    text: str
    because: str
    now_with: str = ""


class TellWaitingList(Command, frozen=True):
    """Who waits in the lines of this agent's teams, the first first: number, name, team and seconds of each."""

    waiting: tuple[tuple[int, str, str, int], ...]
    more: int = 0
    """So many stand behind them."""


class TellNotTaken(Command, frozen=True):
    """What the agent wanted to take they did not get."""

    no: int
    because: str


class Remind(Command, frozen=True):
    """A visitor waits for the first answer in conversation `no` since `waited_s`.

    To the assignee, or to the lead of `team` of whom `display` has it.
    """

    conversation: str
    no: int
    name: str
    waited_s: int
    display: str = ""
    team: str = ""
    assigned: int = 0
    """The seq of the assignment."""


class NoteMissed(Command, frozen=True):
    """The agent has not accepted, or not answered, a conversation in time: it went to another."""

    conversation: str
    no: int


class SetDesk(Command, frozen=True):
    """A desk of the agent is in front of them until then (Unix ms); 0: it is no more."""

    desk: str
    until_ms: int


class MarkRead(Command, frozen=True):
    """The agent has read the conversation up to `seq` elsewhere; or has `answered` it there, with this text."""

    conversation: str
    seq: int
    answered: str = ""


class TellAway(Command, frozen=True):
    """To a lead: `display` cannot be reached at all; so many conversations of theirs wait for others now."""

    display: str
    because: str
    conversations: int


class TellTwice(Command, frozen=True):
    """The visitor got another answer of this agent to the same question, on another way, a moment before."""

    conversation: str
    no: int


class NoteActive(Command, frozen=True):
    """The agent has just answered at a desk; not `answered`: they have it open in front of them."""

    answered: bool = True


class TellUndelivered(Command, frozen=True):
    """A visitor has not got what this agent wrote to them in conversation `no`: `text` is it, as far as it failed.

    `changes`: what failed is a change of what the visitor has; without text, to take it back.
    """

    conversation: str
    no: int
    text: str
    because: str
    changes: bool = False


class TellChanged(Command, frozen=True):
    """What this agent wrote in conversation `no`, and began with `original`, reads `text` now; empty: it is gone."""

    conversation: str
    no: int
    original: str
    text: str = ""


# --- to whoever receives from the hub --------------------------------------------------------------------------------


class RecordVerdict(Command, frozen=True):
    """What became of an attempt. `kind` as in the contract; for a retry, `retry_at_ms` says when."""

    attempt: int
    kind: Literal["sent", "retry", "refused", "unknown"]
    because: str = ""
    receipt: str = ""
    retry_at_ms: int = 0
    unreachable: bool = False
    """With refused: this recipient cannot be reached at all."""


class RecordReceipt(Command, frozen=True):
    """The platform says later what became of an attempt that it had taken: its number, or the receipt it gave."""

    kind: Literal["delivered", "read", "failed"]
    attempt: int = 0
    receipt: str = ""
    because: str = ""
    raw: str = ""


class RetryDelivery(Command, frozen=True):
    """Send the dead letter of that attempt again."""

    attempt: int
    by: str


class DropDelivery(Command, frozen=True):
    """Never send the dead letter of that attempt."""

    attempt: int
    by: str


# --- to an intake --------------------------------------------------------------------------------------------------


class KeepUnparsed(Command, frozen=True):
    """Raw input that the connector could not read: kept, counted, to be replayed after a fix."""

    because: str
    raw: str


AnyCommand = (
    Tick | PostMessage | ReceiveMessage | AnswerMessage | ChangeMessage | Assign | TellWaiting | CloseConversation
    | TransferConversation | ReturnConversation | SetPhone | ReleaseMessage | RejectMessage | ChangeTeams | Enqueue
    | AcceptConversation | HoldConversation | WriteNote | Take | ListWaiting | TellWaitingList | TellNotTaken | Remind
    | NoteMissed | NoteActive | SetDesk | MarkRead | TellAway | TellTwice
    | Leave | SetDuty | ConfigureAgent | ReceiveText | Serve | ShowMessage | StopServing | TellRefused | TellUndelivered
    | TellChanged
    | RecordVerdict | RecordReceipt | RetryDelivery | DropDelivery | KeepUnparsed
)  # fmt: skip
