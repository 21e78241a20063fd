"""The queue's state; evolving.py changes it.

What is `Kept` says it all; lines, lanes, slots and the lists of what is due are sorted, follow from it, and are there
so that a decision costs what it touches and not what there is. None of the many small things in them is looked at by
the garbage collector (`gc=False`): they hold nothing that could hold them.
"""

import msgspec

from hub.domain.origins import Origins
from hub.domain.queue.numbers import Numbers
from hub.domain.queue.waits import Service
from hub.domain.teams import AgentSettings, Team, Teams


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An open conversation. `agent` has it; empty: it waits."""

    no: int
    since: int
    """The queue's seq of its first Enqueued: its place in line."""
    team: str
    """As asked for; empty or unknown counts as the default team."""
    priority: int = 0
    at_ms: int = 0
    """When it began to wait, or when its agent got it."""
    channel: str = ""
    language: str = ""
    name: str = ""
    agent: str = ""
    avoid: str = ""
    avoid_until_ms: int = 0
    last: str = ""
    last_ms: int = 0
    line: str = ""
    """The team in whose line it stands, or stood last; for a while another than `team_of` where teams have changed."""
    further: tuple[str, ...] = ()
    """Teams in whose lines it stands as well."""
    joined_ms: int = 0
    """When it joined the last of its lines."""
    told: int = 0
    """The position that the visitor was told last; 0: none yet."""
    told_on_duty: bool = False
    lost: str = ""
    """The agent who had it, and is in teams.yaml no more; until the visitor has been told."""
    asked: int = 0
    """As in Enqueue."""
    told_ms: int = 0
    """When the visitor was told last."""


class Spot(msgspec.Struct, frozen=True, order=True, gc=False):
    """Somebody in a line; spots sort in the order in which they are served."""

    rank: int
    """The negative priority."""
    since: int
    conversation: str


Lanes = dict[tuple[str, str], list[Spot]]
"""A team's line by who can serve them: those of one language (empty: any) and one channel, of whom there are some."""


class Load(msgspec.Struct, frozen=True, gc=False):
    """An agent of teams.yaml: which conversations they have, in the order in which they got them, and what these weigh.
    `latest` is the queue's seq of the last one.

    `weights` and `terms` are those by which this agent goes: new ones come to one after the other.
    """

    settings: AgentSettings
    load: int = 0
    held: tuple[str, ...] = ()
    latest: int = 0
    full_ms: int = 0
    """Since when they have been at capacity and nobody has been done; 0: they are not."""
    weights: dict[str, int] = {}
    """How much of their capacity a conversation takes, by channel; 1 for those that are not named."""
    terms: int = 0
    """Stands for the hours and the time to hand over that they know of."""

    @property
    def open(self) -> int:
        """How many they have."""
        return len(self.held)


class Slot(msgspec.Struct, frozen=True, order=True, gc=False):
    """An agent on duty; slots sort in the order in which their team chooses, those without room last."""

    full: bool
    load: int
    """In parts of the capacity; 0 where the team does not look at it."""
    latest: int
    name: str
    agent: str


class Due(msgspec.Struct, frozen=True, order=True, gc=False):
    """Who has stood in a line since then, and goes on to another when they have waited long enough."""

    joined_ms: int
    conversation: str


class Kept(msgspec.Struct):
    """What there is of the queue's state that does not follow from the rest: image.py keeps this, and nothing else."""

    id: str
    seq: int = 0
    rules: Teams = Teams("", "", (), ())
    """What is in force, without agents."""
    places: dict[str, Place] = {}
    loads: dict[str, Load] = {}
    on_duty: set[str] = set()
    """Agents' ids, also of those whom teams.yaml does not name at this moment. A change makes another set: few come and
    go, and each decision thinks ahead with a copy of all that may change.
    """
    unsettled: list[str] = []
    """Teams for which there is more to decide at once than one decision takes: somebody may wait there although an
    agent is fit for them, or not know yet how they stand."""
    astray: list[str] = []
    """Lines, maybe of no team any more, in which some may stand who belong in another since teams have changed; they
    are `unsettled` too."""
    service: dict[str, Service] = {}
    """How long conversations take, by team."""
    busy: dict[str, Service] = {}
    """The same of agents at capacity (who may be slower): the time until one is done, times as many as they have."""
    numbers: Numbers = msgspec.field(default_factory=Numbers)
    origins: Origins = {}


class Queue(Kept):
    """State of the queue; only `evolve` changes it."""

    teams: dict[str, Team] = {}
    """Those in force, by name."""
    members: dict[str, int] = {}
    """How many agents each team has, on duty or not,"""
    languages: dict[str, set[str]] = {}
    """and which languages they name: all others are anybody's."""
    numbered: dict[int, str] = {}
    """The open conversations by number."""
    lines: dict[str, list[Spot]] = {}
    """Who waits: by team, or by what was one when they came,"""
    lanes: dict[str, Lanes] = {}
    """and by who can serve them."""
    slots: dict[str, list[Slot]] = {}
    """Who is on duty, by team; the keys are all teams there are."""
    patient: dict[str, list[Due]] = {}
    """Who may go on to another line, by the team that they wait for."""
    resting: dict[str, int] = {}
    """Who waits, and until when (Unix ms) not for the agent who has missed them."""
    untold: dict[str, int] = {}
    """Who waits and has not been told yet: their number, by conversation."""


def team_of(state: Queue, team: str) -> str:
    """The team in whose line a conversation belongs at this moment that has asked for `team`."""
    return team if team in state.teams else state.rules.default


def lines_of(place: Place) -> tuple[str, ...]:
    """The lines in which it stands, its own first."""
    return (place.line, *place.further) if place.further else (place.line,)


def next_line(state: Queue, place: Place) -> str:
    """The team in whose line it will stand as well when it has waited long enough, or empty."""
    lines = lines_of(place)
    team = state.teams.get(lines[-1])
    if team is None or team.overflow is None or team.overflow.team not in state.teams or team.overflow.team in lines:
        return ""
    return team.overflow.team


def spot_of(conversation: str, place: Place) -> Spot:
    """Where in line it stands."""
    return Spot(-place.priority, place.since, conversation)


def charge(load: Load, channel: str) -> int:
    """What a conversation from there takes of the agent: the whole of one whose capacity is less than its weight."""
    return max(1, min(load.weights.get(channel, 1), load.settings.capacity))
