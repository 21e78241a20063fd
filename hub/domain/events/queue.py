"""Events of the queue."""

import msgspec

from hub.domain.events.base import Event
from hub.domain.messages import Limits, Wait
from hub.domain.teams import AgentSettings, Patience, Teams


class TeamsChanged(Event, frozen=True):
    """A new version of rules/teams.yaml is in force, as far as this event goes (relayed to the agents it names).

    Of thousands of agents only those stand here who have changed, and of many changed ones a part, which takes no
    longer than any decision; another TeamsChanged brings the next.
    """

    teams: Teams
    """Without agents."""
    agents: tuple[AgentSettings, ...] = ()
    """Who is new, or has other settings, hours or limits than before; without their limits,"""
    limits: dict[str, Limits] = msgspec.field(default_factory=dict)
    """which are the same for all agents of a channel."""
    removed: tuple[str, ...] = ()
    """Ids of agents that the version before still named."""


class Settling(Event, frozen=True):
    """`more`: not all that follows could be decided at once, the rest comes with the next Tick; else it is done."""

    more: bool
    teams: tuple[str, ...] = ()
    """For which there is more to decide; none are named: for all."""
    astray: tuple[str, ...] = ()
    """Lines in which some may stand who belong in another."""


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


class Rerouted(Event, frozen=True):
    """Teams have changed: the conversation stands in the line of `team`, and in none that is no team's any more."""

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


QueueEvent = (
    TeamsChanged | Settling | Enqueued | Overflowed | Rerouted | Told | TakeRefused | WaitingListed | Chosen | Left
    | DutySet
)  # fmt: skip
