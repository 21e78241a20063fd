"""Who answers and by which policy: rules/teams.yaml, as the queue, the agents and the conversations read it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from hub.domain.messages import Limits

Pick = Literal["least_loaded", "round_robin", "manual"]
"""Whom a team's next conversation goes to; `manual`: to whoever takes it."""


class Span(msgspec.Struct, frozen=True, array_like=True):
    """A time of work, in minutes from midnight of the day on which it begins; over midnight `end` exceeds 1440."""

    start: int
    end: int


class Hours(msgspec.Struct, frozen=True, omit_defaults=True):
    """When somebody works, or a team is open: by the week, but for the dates that are named.

    `zone` is the IANA name of the time zone, `weekly` has seven days, Monday first; a date ("2026-10-01") has its own
    times of work, none on a holiday.
    """

    zone: str
    weekly: tuple[tuple[Span, ...], ...]
    dates: dict[str, tuple[Span, ...]] = {}


class Patience(msgspec.Struct, frozen=True, omit_defaults=True):
    """How long a team lets a conversation be, in seconds; 0: as long as it takes."""

    accept_s: int = 0
    """Until the agent who was chosen accepts it, or answers: then the next one gets it."""
    remind_s: int = 0
    """From the assignment until the first answer: then the agent is reminded."""
    lead_s: int = 0
    """– then the team's lead is told."""
    pass_s: int = 0
    """– then another agent gets it."""
    nudge_s: int = 0
    """From an answer until the visitor writes: then they are asked whether they are still there."""
    close_s: int = 0
    """– then the conversation is closed."""
    reply_s: int = 0
    """From a message that the visitor writes after an answer until the next answer: then the agent is reminded; and the
    lead is told, when `lead_s` more have passed."""


class Overflow(msgspec.Struct, frozen=True):
    """Who has waited so long stands in the line of `team` as well."""

    team: str
    after_s: int


class Team(msgspec.Struct, frozen=True, omit_defaults=True):
    """A skill group."""

    name: str
    display: str
    display_en: str = ""
    pick: Pick = "least_loaded"
    last_agent_days: int = 0
    """Who served the visitor at most so long ago is asked first; 0: nobody is."""
    hours: Hours | None = None
    """What visitors are told while nobody is on duty."""
    away: str = ""
    """How else to reach us, said with it; `away_en` in English."""
    away_en: str = ""
    lead: str = ""
    """An agent's entity id."""
    patience: Patience = Patience()
    overflow: Overflow | None = None
    max_waiting: int = 0
    """More are told that the line is full, and that their message is kept and answered later; 0: no such limit."""


DESK = "desk"
"""The way of who has the agent page in front of them."""


class Way(msgspec.Struct, frozen=True, omit_defaults=True):
    """A channel on which an agent can be reached, by their `address` there; always, or on the one condition it has."""

    channel: str
    """DESK, or the name of a channel."""
    address: str = ""
    limits: Limits = Limits()
    off_duty: bool = False
    """Only while they are not on duty."""
    unread_s: int = 0
    """Only when they have not read a message for so long."""


class AgentSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent as rules/teams.yaml and their channel's capabilities describe them.

    `channel` is empty for an agent who has only a desk; else `address` is the agent's identity there (a WeCom
    userid) and `limits` are the channel's: where there are several `ways`, those of the one in force.
    """

    id: str
    """The agent's entity id."""
    name: str
    display: str
    teams: tuple[str, ...]
    capacity: int
    channel: str = ""
    address: str = ""
    limits: Limits = Limits()
    languages: tuple[str, ...] = ()
    """Primary subtags in lower case ("zh", "en"); none: any language."""
    shift: str = ""
    """The name of their hours; empty: they say themselves when they work."""
    ways: tuple[Way, ...] = ()
    """In their order; the first that holds counts."""
    leads: tuple[str, ...] = ()
    """Who is told when they cannot be reached at all, by entity id."""


def limits_by_channel(agent: AgentSettings) -> dict[str, Limits]:
    """The limits of all channels on which they are reached."""
    limits = {way.channel: way.limits for way in agent.ways if way.channel != DESK}
    return limits | {agent.channel: agent.limits} if agent.channel else limits


def with_limits(agent: AgentSettings, limits: Mapping[str, Limits]) -> AgentSettings:
    """The agent with these limits of their channels; without, where none are named."""
    ways = tuple(msgspec.structs.replace(way, limits=limits.get(way.channel, Limits())) for way in agent.ways)
    return msgspec.structs.replace(agent, limits=limits.get(agent.channel, Limits()), ways=ways)


class Teams(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who answers, as of one version of the rules."""

    version: str
    default: str
    teams: tuple[Team, ...]
    agents: tuple[AgentSettings, ...]
    hours: dict[str, Hours] = {}
    """The shifts that agents name."""
    weights: dict[str, int] = {}
    """How much of an agent's capacity a conversation takes, by channel; 1 for those that are not named."""
    handover_s: int = 300
    """Who goes off duty with open conversations and says nothing gives them back after so long."""


class Lookup(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the rules know of the name or shortcut in an agent's text; all empty: nothing."""

    agent: str = ""
    """An agent's entity id,"""
    team: str = ""
    """or a team's name."""
    display: str = ""
    """What people call them."""
    rest: str = ""
    """What stands behind the name: a note for whoever bears it."""
    reply: str = ""
    """The text of a quick reply."""
