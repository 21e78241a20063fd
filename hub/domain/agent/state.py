"""The agent entity's state."""

from typing import NamedTuple

import msgspec

from hub.domain.attempts import Attempt
from hub.domain.messages import Block, Outgoing
from hub.domain.origins import Origins
from hub.domain.outside import OutsideIds
from hub.domain.pace import HOUR_MS
from hub.domain.presence import Presence
from hub.domain.teams import AgentSettings, Hours

LEFT_MS = 24 * HOUR_MS
"""So long it is remembered that a conversation was here; longer than any platform's duplicate check."""
MOST_LEFT = 50
"""So many are remembered for longer, the last ones: after a week their numbers may come again."""

MISSING = -1
"""For Served.last: the phone is shown nothing of the conversation until a Serve brings all that nobody has answered."""

MOST_SHOWN = 20
"""So many of a conversation's messages on a channel are kept with the time at which they came."""


class Shown(NamedTuple):
    """A message on one of an agent's channels, and when it was handed over: nobody has read it there before."""

    seq: int
    at_ms: int


class Served(msgspec.Struct):
    """A conversation that is this agent's."""

    no: int
    name: str
    team: str
    again: bool = False
    """It was here before, not long ago: the phone may have got some of its blocks then."""
    last: int = 0
    """The highest seq among the blocks it has brought; MISSING: some may have come while there was no phone."""
    assigned: int = 0
    """The seq of the assignment there,"""
    since_ms: int = 0
    """and when the agent entity heard of it."""
    accepted: bool = False
    unanswered: int = 0
    wrote_ms: int = 0
    """When the visitor last wrote."""
    unread_ms: int = 0
    """Since when a message of it waits to be read; 0: all are."""
    read: int = 0
    """The seq up to which they have read it elsewhere,"""
    shown: dict[str, list[Shown]] = {}
    """and the last MOST_SHOWN that each of their channels has shown, or told them that it could not show."""
    heard: list[Shown] = []
    """The last MOST_SHOWN failures to deliver of which they were told."""
    waits_ms: int = 0
    """When the first of its blocks came that have not left; 0: none waits."""
    doubtful: int = 0
    """So many texts the agent has to write here before it is clear again which of theirs were the last."""


class Left(msgspec.Struct, frozen=True, array_like=True):
    """What a number last stood for here, and when it left; or when the phone said that it is not here, if later."""

    conversation: str
    at_ms: int


class Led(msgspec.Struct, frozen=True):
    """A colleague's conversation that is not answered, and when this agent was told."""

    conversation: str
    at_ms: int
    assigned: int = 0
    """The seq of the assignment there."""


class Held(msgspec.Struct):
    """A text of which it is not clear whom it is for. `asked_ms`: when the phone showed the question, 0: not yet."""

    number: int
    text: str
    until_ms: int
    asked_ms: int = 0
    at_ms: int = 0
    """Since when."""


class Note(msgspec.Struct):
    """What waits for the phone beside visitors' blocks, with the news it brings as in NoteWaiting."""

    text: str
    begins: int = 0
    ends: int = 0
    returns: bool = False
    thread: tuple[str, str] = ("", "")
    failed: tuple[str, int] = ("", 0)
    at_ms: int = 0
    """Since when it waits,"""
    place: int = 0
    """and its number among all that ever did."""


class Carried(msgspec.Struct):
    """A block, or a part of one, that an attempt takes to the phone."""

    conversation: str
    no: int
    seq: int


class PhoneAttempt(Attempt):
    """What is on its way to the phone. `asks`: the number of the last held text that it asks about, or 0."""

    blocks: list[Carried] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)
    asks: int = 0
    overtaken: bool = False
    """What it asked about may have been answered, and sent, before the phone shows it."""
    message: Outgoing | None = None
    """The file that it takes, instead of a text."""


class Agent(msgspec.Struct):
    """State of one agent; only `evolve` changes it."""

    id: str
    seq: int = 0
    at_ms: int = 0
    """When the last event was."""
    settings: AgentSettings | None = None
    shift: Hours | None = None
    presence: Presence = Presence()
    on_duty: bool = False
    duty_until_ms: int = 0
    """When `on_duty` is looked at again; 0: never."""
    handover_s: int = 0
    handover_ms: int = 0
    """When an agent who is off duty gives back what they have; 0: they do not."""
    desks: dict[str, int] = {}
    """Until when each desk of theirs counts as being in front."""
    at_desk: bool = False
    """A desk in front is the way in force: the conversations relay no messages."""
    failing: dict[str, int] = {}
    """Until when a channel is not tried."""
    unreachable: bool = False
    """Nothing is sent until the agent writes, comes on duty or is configured anew."""
    led: dict[int, Led] = {}
    """Colleagues' conversations that the agent was told of as a lead, by number."""
    serving: dict[str, Served] = {}
    seen: dict[int, bool] = {}
    """The numbers that the phone shows as theirs (what reached it, not what was meant to; the agent thinks by this),
    and whether it shows a visitor's text under them."""
    seen_ms: int = 0
    sticky: str = ""
    used_ms: int = 0
    """When the sticky conversation was last chosen or answered."""
    unsettled_ms: int = 0
    """When a conversation last stopped, was given away or lost the sticky place, or when the phone showed that."""
    misled: bool = False
    """A text given back, or that a conversation is not theirs, did not reach the phone: the agent thinks that somebody
    gets what they write, until they choose again.
    """
    written_ms: int = 0
    """When the latest of the agent's texts was written, by the platform's clock."""
    held: list[Held] = []
    holds: int = 0
    ask: bool = False
    """The next text to the phone must ask whom the held texts are for."""
    overtaken_ms: int = 0
    """When the phone got a question that had been overtaken, if it has got no other since: the agent may answer it, and
    believe then that the texts in it are sent only now."""
    blocks: list[Block] = []
    part: int = 0
    """So many parts of the first of `blocks` have left."""
    notes: list[Note] = []
    places: int = 0
    """So many blocks and notes have ever waited."""
    attempt: PhoneAttempt | None = None
    attempts: int = 0
    since: int = 0
    """The attempts up to this one went to another phone than they have now."""
    unread: dict[int, list[Carried]] = {}
    """What the phone has got and nobody has said that it is read, by the number of its attempt."""
    letters: dict[int, Note] = {}
    """Dead letters: visitors' messages that did not reach the phone, by the number of their attempt."""
    tries_ms: list[int] = []
    """The moments of the last hour's tries."""
    left: dict[int, Left] = {}
    """Numbers that were here, or of which the phone said that they are not here."""
    outside: OutsideIds = {}
    origins: Origins = {}


def next_place(state: Agent) -> int:
    """Of what begins to wait just now."""
    state.places += 1
    return state.places


def sticky_no(state: Agent) -> int:
    """The number of the sticky conversation, 0 without one."""
    return state.serving[state.sticky].no if state.sticky else 0


def unsee(state: Agent, no: int, at_ms: int) -> None:
    """The agent takes the conversation for gone: where they turn next they have not said."""
    if state.seen.pop(no, None) is not None:
        state.seen_ms = at_ms
    if sticky_no(state) == no:
        state.sticky = ""
    state.unsettled_ms = at_ms
