"""What the queue looks like at one moment, for those who watch it: who waits, who has how many, how teams stand."""

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from hub.domain.messages import Wait
from hub.domain.queue.fit import display_of, position
from hub.domain.queue.state import Load, Queue, Spot, team_of
from hub.domain.queue.tell import Outlook, shown_line
from hub.domain.queue.waits import LEAST, Service


class Waiting(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation that waits. `position` and `wait` are what its visitor would be told now."""

    conversation: str
    no: int
    name: str
    team: str
    channel: str
    language: str
    priority: int
    position: int
    turn: int
    """Within a priority the lowest is served first, whatever line they stand in."""
    since_ms: int
    """When it began to wait, or came back to the line, Unix ms."""
    wait: Wait
    overflowed: tuple[str, ...] = ()
    """Further teams in whose lines it stands."""


class Served(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation that an agent has since `since_ms` (Unix ms)."""

    conversation: str
    no: int
    name: str
    team: str
    channel: str
    agent: str
    display: str
    since_ms: int


class AgentLoad(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent: `open` conversations, which weigh `load` of their `capacity`."""

    id: str
    name: str
    display: str
    teams: tuple[str, ...]
    on_duty: bool
    open: int
    load: int
    capacity: int


class TeamLoad(msgspec.Struct, frozen=True, omit_defaults=True):
    """A team: how many wait, since when the one does who came first, how many of its members are on duty."""

    name: str
    display: str
    waiting: int
    waiting_since_ms: int
    """Unix ms; 0: nobody waits."""
    on_duty: int
    members: int
    open: int
    """Conversations that its agents have, of this team or another."""
    load: int
    capacity: int
    """Of those on duty."""
    service_s: int
    """How long a conversation stays with an agent, on average; 0: too few were measured."""


def waiting(state: Queue, now_ms: int, team: str, after: int = 0, limit: int | None = None) -> list[Waiting]:
    """Who waits in the team's line, in the order of their places; at most `limit`, behind the first `after`."""
    outlook = Outlook(state, now_ms)
    last = None if limit is None else after + limit
    return [_waiting(state, outlook, spot.conversation) for spot in state.lines.get(team, [])[after:last]]


def served(state: Queue, agent: str) -> list[Served]:
    """What the agent (an entity id) has, in the order in which it was given to them."""
    load = state.loads.get(agent)
    return [_served(state, conversation, load) for conversation in load.held] if load else []


def loads(state: Queue, after: str = "", limit: int | None = None) -> list[AgentLoad]:
    """All agents of rules/teams.yaml, in the order of their names; at most `limit` of those behind the name `after`."""
    behind = sorted(
        (pair for pair in state.loads.items() if pair[1].settings.name > after), key=lambda pair: pair[1].settings.name
    )
    return [
        AgentLoad(
            agent, load.settings.name, load.settings.display, load.settings.teams, agent in state.on_duty, load.open,
            load.load, load.settings.capacity,
        ) for agent, load in behind[:limit]
    ]  # fmt: skip


def teams(state: Queue) -> list[TeamLoad]:
    """All teams, in the order of rules/teams.yaml."""
    return [_team(state, team) for team in state.teams]


def _waiting(state: Queue, outlook: Outlook, conversation: str) -> Waiting:
    place = state.places[conversation]
    team, line = team_of(state, place.team), shown_line(state, place)
    at = position(state, conversation, place, line)
    return Waiting(
        conversation, place.no, place.name, team, place.channel, place.language, place.priority, at, place.since,
        place.at_ms, outlook.wait(place, line, at), place.further,
    )  # fmt: skip


def _served(state: Queue, conversation: str, load: Load) -> Served:
    place, settings = state.places[conversation], load.settings
    team = team_of(state, place.team)
    return Served(
        conversation, place.no, place.name, team, place.channel, settings.id, settings.display, place.at_ms
    )  # fmt: skip


def _team(state: Queue, name: str) -> TeamLoad:
    line, slots, service = state.lines[name], state.slots[name], state.service.get(name, Service())
    open_ = load = capacity = 0
    for slot in slots:
        one = state.loads[slot.agent]
        open_ += len(one.held)
        load += one.load
        capacity += one.settings.capacity
    service_s = round(service.mean_s) if service.count >= LEAST else 0
    return TeamLoad(
        name, display_of(state, name), len(line), _since_ms(state, line), len(slots), state.members[name], open_, load,
        capacity, service_s,
    )  # fmt: skip


def _since_ms(state: Queue, line: Sequence[Spot]) -> int:
    """When the one who came first of those in the line began to wait: of one priority they stand at its head."""
    heads, at = list[Spot](), 0
    while at < len(line):
        heads.append(line[at])
        at = bisect_left(line, line[at].rank + 1, at, key=attrgetter("rank"))
    return state.places[min(heads, key=attrgetter("since")).conversation].at_ms if heads else 0
