"""Commands to an agent."""

from typing import Literal

from hub.domain.commands.base import Command
from hub.domain.messages import Attachment, Block
from hub.domain.teams import AgentSettings, Hours, Lookup


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
    """On which it came; empty: on the one in force."""
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
    failed: int = 0
    """The seq of a failure to deliver, where it is because of that."""


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

    `changes`: what failed is a change of what the visitor has; without text, to take it back. `seq`: where it stands.
    """

    conversation: str
    no: int
    text: str
    because: str
    changes: bool = False
    seq: int = 0


class TellChanged(Command, frozen=True):
    """What this agent wrote in conversation `no`, and began with `original`, reads `text` now; empty: it is gone."""

    conversation: str
    no: int
    original: str
    text: str = ""


AgentCommand = (
    ConfigureAgent | ReceiveText | Serve | ShowMessage | StopServing | TellRefused | TellWaitingList | TellNotTaken
    | Remind | NoteMissed | SetDesk | MarkRead | TellAway | TellTwice | NoteActive | TellUndelivered | TellChanged
)  # fmt: skip
