"""The shape of teams.yaml: who answers, when, and by which policy; and of replies.yaml."""

import difflib
import re
import zoneinfo
from typing import Annotated

import pydantic
from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from hub.domain.teams import Hours, Pick
from hub.rules import calendar
from hub.rules.delivery import Way, WayLine, ways_of
from hub.rules.model import Lines, Name

Seconds = Annotated[int, Field(ge=0, le=604_800)]
"""At most a week; 0: as long as it takes."""

_SHORTCUT = re.compile(r"\w[^\s/]{0,19}")

Display = Annotated[str, Field(min_length=1, max_length=40)]


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A bar this high, for Asia/Brunei is not what Asia/Beijing means.
        close = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=1, cutoff=0.85)
        meant = f'did you mean "{close[0]}"?' if close else "all of mainland China is Asia/Shanghai"
        raise ValueError(f'unknown time zone "{name:.40}", {meant}') from None
    return name


def _date_name(name: str) -> str:
    calendar.dates_of(name)
    return name


def _language(text: str) -> str:
    if not (text.isascii() and text.isalpha() and text.islower() and len(text) in (2, 3)):
        raise ValueError(f'"{text:.40}" is no language: write two or three small letters, zh or en')
    return text


def _shortcut(text: str) -> str:
    if _SHORTCUT.fullmatch(text) is None:
        raise ValueError(f'"{text:.40}" is no name of a reply: 1 to 20 characters without spaces or /, no sign first')
    return text


Zone = Annotated[str, AfterValidator(_zone)]
"""IANA name of a time zone."""

Times = Annotated[calendar.Times, PlainValidator(calendar.times_of), WithJsonSchema({"type": "string"})]
"""`09:00-12:00, 13:30-18:00`, or `closed`. What ends before it begins goes on after midnight."""

Shortcut = Annotated[str, AfterValidator(_shortcut)]
ReplyText = Annotated[str, Field(min_length=1, max_length=2000)]


class CalendarLine(Lines):
    """Hours: days of the week (`fri`, `mon-fri`, `daily`; the narrower name counts) with their times of work."""

    model_config = pydantic.ConfigDict(
        extra="allow", json_schema_extra={"propertyNames": {"pattern": f"^(timezone|dates|{calendar.DAY_NAMES})$"}}
    )
    __pydantic_extra__: dict[str, Times]

    timezone: Zone = ""
    """IANA name; without it that of the whole file."""
    dates: dict[Annotated[str, AfterValidator(_date_name)], Times] = Field({})
    """`2026-10-01` or `2026-10-01..2026-10-07`, with the times of work of these days, or `closed`."""

    @property
    def days(self) -> dict[str, calendar.Times]:
        """The times of work by the name of the days."""
        return self.__pydantic_extra__

    def hours(self, timezone: str) -> Hours:
        """The calendar; `timezone` is that of the file."""
        week = calendar.settled(self.days, calendar.days_of)
        return Hours(
            self.timezone or timezone,
            tuple(week.get(day, ()) for day in range(7)),
            calendar.settled(self.dates, calendar.dates_of),
        )


class OverflowLine(Lines):
    """Who has waited so long stands in the line of another team as well."""

    team: str
    after_s: Seconds = 60


class TeamLine(Lines):
    """A skill group, as people see it, and how long it lets a conversation be."""

    display: Display
    display_en: str = Field("", max_length=40)
    hours: str = ""
    """What visitors are told while nobody is on duty: a name under `hours`."""
    away: str = Field("", max_length=200)
    """How else to reach us, said with it."""
    away_en: str = Field("", max_length=200)
    pick: Pick = "least_loaded"
    """Whom the next conversation goes to; `manual`: to whoever takes it."""
    last_agent_days: int = Field(7, ge=0, le=365)
    """Who served the visitor at most so many days ago is asked first; 0: nobody is."""
    lead: str = ""
    """The agent who is told when nobody answers."""
    accept_s: Seconds = 0
    """Until the agent who was chosen turns to the conversation; then the next one gets it. 0: not watched."""
    remind_s: Seconds = 180
    """From the assignment until the first answer; then the agent is reminded. 0: never."""
    lead_s: Seconds = 600
    """Then the lead is told. 0: never."""
    pass_s: Seconds = 900
    """Then another agent gets it. 0: never."""
    nudge_s: Seconds = 0
    """From an answer until the visitor writes; then they are asked whether they are still there. 0: never."""
    close_s: Seconds = 86_400
    """So long after that, or after the answer where nobody asks, the conversation is closed. 0: never."""
    reply_s: Seconds = 600
    """From what the visitor writes after an answer until the next one; then the agent is reminded, and the lead is told
    `lead_s` later. 0: never."""
    overflow: OverflowLine | None = None
    max_waiting: int = Field(0, ge=0)
    """More are told that the line is full and their message is answered later; 0: no limit."""
    delivery: list[Way] | None = Field(None, min_length=1)
    """Where its agents are reached; without it as the whole file says."""


class AgentLine(Lines):
    """Somebody who answers."""

    display: Display
    teams: list[str] = Field(min_length=1)
    capacity: int = Field(5, ge=1, le=1000)
    """How many conversations at once."""
    addresses: dict[Name, Annotated[str, Field(min_length=1, max_length=200)]] = Field({})
    """Who the agent is on each channel, at WeCom the userid; none: only at a desk."""
    delivery: list[Way] | None = Field(None, min_length=1)
    """Where they are reached; without it as the first of their teams says that says it."""
    languages: list[Annotated[str, AfterValidator(_language)]] = Field([])
    """Two letters each; none: any language."""
    shift: str = ""
    """When they work: a name under `hours`; empty: they say themselves."""


class VisitorLine(Lines):
    """Visitors who are served first, or by a team of their own, or not at all. The first line that fits counts."""

    id: Name
    channel: str = ""
    """Empty: any."""
    who: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(min_length=1)
    """Their addresses on the channel (on a page the conversation's id), * for any characters, in any case."""
    team: str | None = None
    priority: int = Field(0, ge=0, le=100)
    block: bool = False
    """What they write is blocked."""

    @pydantic.model_validator(mode="after")
    def _decides(self) -> "VisitorLine":
        if self.block and (self.team or self.priority):
            raise ValueError("who is blocked waits for no team: remove team and priority, or block")
        if not (self.block or self.team or self.priority):
            raise ValueError("the line does nothing: give it a team, a priority, or block: true")
        return self


class Roster(Lines):
    """teams.yaml: who answers."""

    timezone: Zone = ""
    """IANA name: whose clock the hours are on."""
    hours: dict[Name, CalendarLine] = Field({})
    teams: dict[Name, TeamLine] = Field(min_length=1)
    agents: dict[Name, AgentLine] = Field({})
    weights: dict[Name, Annotated[int, Field(ge=0, le=100)]] = Field({})
    """How much of a capacity a conversation takes, by channel; 1 for those that are not named."""
    handover_s: Seconds = 300
    """Who goes off duty with open conversations gives them back after so long, unless they say no."""
    delivery: list[Way] | None = Field(None, min_length=1)
    """Where agents are reached: the first way counts whose condition holds. Without it: at the desk while it is in
    front, else at their addresses, in that order."""
    visitors: list[VisitorLine] = Field([])

    def ways(self, agent: AgentLine) -> list[WayLine]:
        """Where this agent is reached."""
        by_team = [self.teams[team].delivery for team in agent.teams if team in self.teams]
        return ways_of(agent.addresses, agent.delivery, *by_team, self.delivery)


class Replies(Lines):
    """replies.yaml: what agents need not type, by shortcut."""

    replies: dict[Shortcut, ReplyText] = Field({})
    """For everybody."""
    teams: dict[Name, dict[Shortcut, ReplyText]] = Field({})
    """For the agents of a team, before those for everybody."""
