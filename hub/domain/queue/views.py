"""What the queue looks like at one moment, for those who watch it: who waits, who has how many, how teams stand."""

import msgspec

from hub.domain.messages import Wait
from hub.domain.queue.fit import display_of, position
from hub.domain.queue.state import Place, Queue, team_of
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
    """A team: how many wait, since when the one who came first does, how many of its members are on duty."""

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


def waiting(state: Queue, now_ms: int, team: str = "", after: int = 0, limit: int | None = None) -> list[Waiting]:
    """Who waits, in the order of their places in line; of one team's line or of all.

    `limit`: at most so many, behind the first `after`; what it costs grows with them and not with the line.
    """
    outlook = Outlook(state, now_ms)
    spots = state.lines.get(team, []) if team else sorted({spot for line in state.lines.values() for spot in line})
    last = None if limit is None else after + limit
    return [_waiting(state, outlook, spot.conversation) for spot in spots[after:last]]


def place_of(state: Queue, now_ms: int, conversation: str) -> Waiting | Served | None:
    """How an open conversation stands; None: the queue has none of that id."""
    found = state.places.get(conversation)
    if found is None:
        return None
    return _served(state, conversation, found) if found.agent else _waiting(state, Outlook(state, now_ms), conversation)


def served(state: Queue, agent: str = "") -> list[Served]:
    """What agents have, in the order in which it was given to them; one agent's (by entity id) or all."""
    having = ((name, place) for name, place in state.places.items() if place.agent and agent in ("", place.agent))
    return sorted((_served(state, *one) for one in having), key=lambda one: (one.since_ms, one.no))


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


def _served(state: Queue, conversation: str, place: Place) -> Served:
    display = state.loads[place.agent].settings.display
    team = team_of(state, place.team)
    return Served(conversation, place.no, place.name, team, place.channel, place.agent, display, place.at_ms)


def _team(state: Queue, name: str) -> TeamLoad:
    line, staff = state.lines[name], [state.loads[slot.agent] for slot in state.slots[name]]
    service = state.service.get(name, Service())
    since_ms = min((state.places[spot.conversation].at_ms for spot in line), default=0)
    service_s = round(service.mean_s) if service.count >= LEAST else 0
    return TeamLoad(
        name, display_of(state, name), len(line), since_ms, len(staff), state.members[name],
        sum(load.open for load in staff), sum(load.load for load in staff),
        sum(load.settings.capacity for load in staff), service_s,
    )  # fmt: skip
