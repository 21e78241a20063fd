"""What is wrong with a teams.yaml whose lines can all be read: names that lead nowhere, policies that cannot be."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hub.domain.hours import length_ms, odd_edges
from hub.domain.teams import DESK
from hub.marked_yaml import Path
from hub.rules import calendar
from hub.rules.delivery import WayLine, hidden
from hub.rules.findings import nearest
from hub.rules.roster import AgentLine, CalendarLine, Replies, Roster, TeamLine, VisitorLine
from hub.rules.visitors import is_pattern


class Wrong(NamedTuple):
    """Where in the file, what, and whether it is the key there."""

    path: Path
    what: str
    key: bool = False


def check_roster(roster: Roster, written: Mapping[str, Any], dropped: Collection[Path]) -> Iterator[Wrong]:
    """What is wrong with `roster`. `written` is the file with the lines that could not be read, which are `dropped`."""
    names = {section: _names(written, section) for section in ("teams", "agents", "hours")}
    for name, calendar_line in roster.hours.items():
        yield from _check_calendar(("hours", name), calendar_line, roster.timezone)
    for name, team in roster.teams.items():
        yield from _check_team(("teams", name), team, names)
    yield from _circles(roster.teams)
    for name, agent in roster.agents.items():
        yield from _check_agent(("agents", name), agent, names)
        yield from _check_ways(("agents", name), agent, roster)
    yield from _check_delivery((), roster.delivery)
    if not dropped:
        yield from _lead_nowhere(roster)
    yield from _check_addresses(roster.agents)
    count = len(roster.visitors) + sum(path[0] == "visitors" for path in dropped)
    kept = [path for index in range(count) if (path := ("visitors", index)) not in dropped]
    for path, line in zip(kept, roster.visitors, strict=True):
        yield from _check_visitor(path, line, names)
    if not dropped:  # an agent that could not be read may well be the missing member
        yield from _check_members(roster)


def surprises(roster: Roster, now_ms: int) -> Iterator[Wrong]:
    """What is right, but may surprise: times of a sound `roster` that a clock skips or shows twice within a year."""
    for name, line in roster.hours.items():
        hours = line.hours(roster.timezone)
        for shown, twice in odd_edges(hours, now_ms):
            does, counts = ("shows", "twice: the first") if twice else ("jumps over", "– the moment of the jump")
            what = f"on {shown:%Y-%m-%d} the clock of {hours.zone} {does} {shown:%H:%M} {counts} counts"
            yield Wrong(("hours", name), what, key=True)


def check_replies(replies: Replies, written: Mapping[str, Any]) -> Iterator[Wrong]:
    """What is wrong with replies.yaml; `written` is teams.yaml."""
    teams = _names(written, "teams")
    for team in replies.teams if teams else ():  # without any, teams.yaml says what is wrong
        yield from _unknown("team", team, teams, ("teams", team), key=True)
    by_team = [(("teams", team), texts) for team, texts in replies.teams.items()]
    for path, texts in [(("replies",), replies.replies), *by_team]:
        first: dict[str, str] = {}
        for name in texts:
            before = first.setdefault(name.casefold(), name)
            if before != name:
                yield Wrong((*path, name), f'"{name}" is "{before}" again: choose another name', key=True)


def _check_calendar(path: Path, line: CalendarLine, timezone: str) -> Iterator[Wrong]:
    wrong = list(_misnamed(path, line))
    yield from wrong
    for names, expand, at in ((line.days, calendar.days_of, path), (line.dates, calendar.dates_of, (*path, "dates"))):
        if not wrong:
            for second, first in calendar.clashes(list(names), expand):
                what = f"{second} and {first} have days in common: name each once, or one within the other"
                yield Wrong((*at, second), what, key=True)
    if not (line.days or line.dates):
        yield Wrong(path, "no day is named: write mon-fri: 09:00-18:00", key=True)
    zone = line.timezone or timezone
    if not zone:
        yield Wrong(path, "whose clock? write timezone: Asia/Shanghai at the top of the file, or here", key=True)
    elif not wrong:
        hours = line.hours(timezone)
        if overlap := calendar.runs_into(hours.weekly):
            yield Wrong(path, f"{overlap}: let one end where the other begins", key=True)
        yield from _never(path, line, zone)


def _misnamed(path: Path, line: CalendarLine) -> Iterator[Wrong]:
    for name in line.days:
        try:
            calendar.days_of(name)
        except ValueError as error:
            yield Wrong((*path, name), str(error), key=True)


def _never(path: Path, line: CalendarLine, zone: str) -> Iterator[Wrong]:
    """Times on a date that the clock jumps over; on a day of every week they are only left out once (`surprises`)."""
    for name, times in line.dates.items():
        for date, span in itertools.product(calendar.dates_of(name), times):
            if not length_ms(zone, date, span):
                what = f"the clock of {zone} jumps over {calendar.shown(span)} on {date}: choose other times"
                yield Wrong((*path, "dates", name), what)


def _check_team(path: Path, team: TeamLine, names: Mapping[str, list[str]]) -> Iterator[Wrong]:
    if team.hours:
        yield from _unknown("hours", team.hours, names["hours"], (*path, "hours"))
    if team.lead:
        yield from _unknown("agent", team.lead, names["agents"], (*path, "lead"))
    elif team.lead_s and "lead_s" in team.model_fields_set:
        yield Wrong((*path, "lead_s"), "nobody is told: name the lead as well")
    if team.overflow:
        yield from _unknown("team", team.overflow.team, names["teams"], (*path, "overflow", "team"))
    yield from _check_delivery(path, team.delivery)
    yield from _check_patience(path, team)


def _check_patience(path: Path, team: TeamLine) -> Iterator[Wrong]:
    """Reminder, lead and the next agent come one after the other."""
    steps = [key for key in ("remind_s", "lead_s", "pass_s") if getattr(team, key) and (key != "lead_s" or team.lead)]
    for earlier, later in itertools.pairwise(steps):
        if getattr(team, later) <= getattr(team, earlier):
            said = {key: f"{key} ({_said(team, key)})" for key in (earlier, later)}
            at = (*path, later if later in team.model_fields_set else earlier)
            yield Wrong(at, f"{said[later]} must be longer than {said[earlier]}: all count from the assignment")


def _said(team: TeamLine, key: str) -> str:
    return f"{getattr(team, key)}{'' if key in team.model_fields_set else ' where nothing is said'}"


def _circles(teams: Mapping[str, TeamLine]) -> Iterator[Wrong]:
    """Each circle of overflows once, named from the team that stands first in the file."""
    told: set[str] = set()
    for start in teams:
        way: list[str] = []
        team = start
        while team in teams and team not in way and team not in told:
            way.append(team)
            overflow = teams[team].overflow
            team = overflow.team if overflow else ""
        if team in way:
            circle = way[way.index(team) :]
            what = f"the overflow goes in a circle, {' → '.join([*circle, team])}: end it at one of them"
            yield Wrong(("teams", team, "overflow", "team"), what)
        told.update(way)


def _check_agent(path: Path, agent: AgentLine, names: Mapping[str, list[str]]) -> Iterator[Wrong]:
    for index, team in enumerate(agent.teams):
        yield from _unknown("team", team, names["teams"], (*path, "teams", index))
        if team in agent.teams[:index]:
            yield Wrong((*path, "teams", index), f'"{team}" is named twice: once is enough')
    if agent.shift:
        yield from _unknown("hours", agent.shift, names["hours"], (*path, "shift"))
    if path[-1] in names["teams"]:
        yield Wrong(path, "a team has this name: choose another, for who is meant by @?", key=True)


def _check_ways(path: Path, agent: AgentLine, roster: Roster) -> Iterator[Wrong]:
    yield from _check_delivery(path, agent.delivery)
    for place, way in enumerate(agent.delivery or ()):
        if way.channel != DESK and way.channel not in agent.addresses:
            what = f"there is no address of {way.channel}: write addresses: {{{way.channel}: …}}"
            yield Wrong((*path, "delivery", place), what)
    reached = {way.channel for way in roster.ways(agent)}
    for channel in agent.addresses:
        if channel not in reached:
            yield Wrong((*path, "addresses", channel), "no way leads there: name it in delivery", key=True)


def _check_delivery(path: Path, ways: Sequence[WayLine] | None) -> Iterator[Wrong]:
    for place, first in hidden(ways or ()):
        what = f"it is never asked whether this holds, for {first} before it always does: put it before {first}"
        yield Wrong((*path, "delivery", place), what)
    for place, way in enumerate(ways or ()):
        if way in (ways or ())[:place]:
            yield Wrong((*path, "delivery", place), "this way is named twice: once is enough")


def _lead_nowhere(roster: Roster) -> Iterator[Wrong]:
    """Ways of the file and of teams on channels where no agent at all has an address; of agents `_check_ways` asks."""
    channels = {channel for agent in roster.agents.values() for channel in agent.addresses}
    of_teams = ((("teams", name), team.delivery) for name, team in roster.teams.items())
    for path, ways in [((), roster.delivery), *of_teams]:
        for place, way in enumerate(ways or ()):
            if way.channel not in {DESK, *channels}:
                what = f"nobody has an address of {way.channel}{nearest(way.channel, channels)}"
                yield Wrong((*path, "delivery", place), what)


def _check_addresses(agents: Mapping[str, AgentLine]) -> Iterator[Wrong]:
    holders: dict[tuple[str, str], str] = {}
    for name, agent in agents.items():
        for channel, address in agent.addresses.items():
            first = holders.setdefault((channel, address.casefold()), name)
            if first != name:
                what = f'{channel} {address} is the agent "{first}" already: one person, one agent'
                yield Wrong(("agents", name, "addresses", channel), what)


def _check_visitor(path: Path, line: VisitorLine, names: Mapping[str, list[str]]) -> Iterator[Wrong]:
    if line.team:
        yield from _unknown("team", line.team, names["teams"], (*path, "team"))
    for number, who in enumerate(line.who):
        if line.block and is_pattern(who) and not any(char.isalnum() for char in who):
            what = f'"{who}" blocks everybody: name whom you mean, or at least their domain (*@example.com)'
            yield Wrong((*path, "who", number), what)


def _check_members(roster: Roster) -> Iterator[Wrong]:
    """Each team has somebody, who has room for one conversation of each channel."""
    room: dict[str, int] = {}
    for agent in roster.agents.values():
        for team in agent.teams:
            room[team] = max(room.get(team, 0), agent.capacity)
    for team in roster.teams:
        if team not in room:
            yield Wrong(("teams", team), "nobody is in this team: name it in the teams of an agent", key=True)
    for channel, weight in roster.weights.items():
        if small := [team for team, capacity in room.items() if team in roster.teams and capacity < weight]:
            what = f"nobody in {small[0]} has a capacity of {weight}: they could never get one"
            yield Wrong(("weights", channel), what)


def _names(written: Mapping[str, Any], section: str) -> list[str]:
    lines = written.get(section)
    return sorted(lines) if isinstance(lines, dict) else []


def _unknown(kind: str, name: str, known: list[str], path: Path, *, key: bool = False) -> Iterator[Wrong]:
    if name not in known:
        yield Wrong(path, f'unknown {kind} "{name}"{nearest(name, known) or f"; there are no {kind} yet"}', key)
