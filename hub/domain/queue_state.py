"""The queue's state, and how each of its events changes it.

`places` and `loads` say it all; lines, lanes, slots and the lists of what is due are sorted, follow from them, and are
there so that a decision costs what it touches and not what there is.
"""

from bisect import bisect_left, insort
from typing import NamedTuple, TypeVar

import msgspec

from hub.domain import events as e
from hub.domain.commands import Origin
from hub.domain.events import Record
from hub.domain.messages import Limits
from hub.domain.numbers import Numbers
from hub.domain.origins import Origins, note
from hub.domain.teams import AgentSettings, Team, Teams
from hub.domain.waits import Service, measured


class Place(msgspec.Struct, frozen=True, array_like=True):
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
    further: tuple[str, ...] = ()
    """Teams in whose lines it stands as well."""
    joined_ms: int = 0
    """When it joined the last of its lines."""
    told: int = 0
    """The position that the visitor was told last; 0: none yet."""
    told_on_duty: bool = False
    lost: str = ""
    """The agent who had it, and is in teams.yaml no more; until the visitor has been told."""


class Spot(NamedTuple):
    """Somebody in a line; spots sort in the order in which they are served."""

    rank: int
    """The negative priority."""
    since: int
    conversation: str


class Lane(msgspec.Struct):
    """Those in a team's line for whom the same agents are fit: one language (empty: any), one weight."""

    language: str
    weight: int
    spots: list[Spot] = []


class Load(msgspec.Struct, frozen=True):
    """An agent of teams.yaml, without the limits of their channel: how many conversations they have and what these
    weigh. `latest` is the queue's seq of the last conversation that they got.
    """

    settings: AgentSettings
    load: int = 0
    open: int = 0
    latest: int = 0


class Slot(NamedTuple):
    """An agent on duty; slots sort in the order in which their team chooses, those without room last."""

    full: bool
    load: int
    """In parts of the capacity; 0 where the team does not look at it."""
    latest: int
    name: str
    agent: str


class Due(NamedTuple):
    """Who has stood in a line since then, and goes on to another when they have waited long enough."""

    joined_ms: int
    conversation: str


class Queue(msgspec.Struct):
    """State of the queue; only `evolve` changes it."""

    id: str
    seq: int = 0
    rules: Teams = Teams("", "", (), ())
    """What is in force, without agents."""
    teams: dict[str, Team] = {}
    """The same teams, by name."""
    limits: dict[str, Limits] = {}
    """Of agents' channels."""
    members: dict[str, int] = {}
    """How many agents each team has, on duty or not,"""
    languages: dict[str, set[str]] = {}
    """and which languages they name: all others are anybody's."""
    places: dict[str, Place] = {}
    numbered: dict[int, str] = {}
    """The open conversations by number."""
    loads: dict[str, Load] = {}
    on_duty: set[str] = set()
    """Agents' ids, also of those whom teams.yaml does not name at this moment."""
    lines: dict[str, list[Spot]] = {}
    """Who waits, by team."""
    lanes: dict[str, list[Lane]] = {}
    """The same, by who can serve them."""
    slots: dict[str, list[Slot]] = {}
    """Who is on duty, by team; the keys are all teams there are."""
    patient: dict[str, list[Due]] = {}
    """Who may go on to another line, by the team that they wait for."""
    resting: dict[str, int] = {}
    """Who waits, and until when (Unix ms) not for the agent who has missed them."""
    untold: dict[str, int] = {}
    """Who waits and has not been told yet: their number, by conversation."""
    unsettled: bool = False
    """There is more to decide at once than one decision takes."""
    service: dict[str, Service] = {}
    """How long conversations take, by team."""
    numbers: Numbers = msgspec.field(default_factory=Numbers)
    origins: Origins = {}


T = TypeVar("T", Spot, Slot, Due)


def team_of(state: Queue, place: Place) -> str:
    """The team in whose line the conversation belongs at this moment."""
    return place.team if place.team in state.teams else state.rules.default


def lines_of(state: Queue, place: Place) -> tuple[str, ...]:
    """The teams in whose lines it stands, its own first."""
    own = team_of(state, place)
    if not place.further:
        return (own,)
    return (own, *(team for team in place.further if team in state.teams and team != own))


def next_line(state: Queue, place: Place) -> str:
    """The team in whose line it will stand as well when it has waited long enough, or empty."""
    lines = lines_of(state, place)
    team = state.teams.get(lines[-1])
    if team is None or team.overflow is None or team.overflow.team not in state.teams or team.overflow.team in lines:
        return ""
    return team.overflow.team


def spot_of(conversation: str, place: Place) -> Spot:
    """Where in line it stands."""
    return Spot(-place.priority, place.since, conversation)


def weight_of(state: Queue, place: Place) -> int:
    """How much of an agent's capacity it takes."""
    return state.rules.weights.get(place.channel, 1)


def charge(settings: AgentSettings, weight: int) -> int:
    """What a conversation of this weight takes of the agent: the whole of one whose capacity is less."""
    return max(1, min(weight, settings.capacity))


def evolve(state: Queue, record: Record, origin: Origin | None = None) -> None:
    """Bring the state to where the event is in force."""
    event = record.event
    state.seq = record.seq
    if origin is not None:
        note(state.origins, origin)
    match event:
        case e.Enqueued():
            _enqueue(state, event, record)
        case e.Overflowed(conversation=conversation, team=team):
            place = _leave_lines(state, conversation)
            further = (*place.further, team)
            _stand(state, conversation, msgspec.structs.replace(place, further=further, joined_ms=record.at_ms))
        case e.Told(conversation=conversation, position=position, on_duty=on_duty):
            place = state.places[conversation]
            state.untold.pop(conversation, None)
            told = msgspec.structs.replace(place, told=position, told_on_duty=on_duty, lost="")
            state.places[conversation] = told
        case e.Chosen(conversation=conversation, agent=agent):
            _give(state, conversation, agent, record)
        case e.Left(conversation=conversation, no=no, free_at_ms=free_at_ms):
            _drop(state, conversation, record.at_ms)
            del state.numbered[no]
            state.numbers.give_back(no, free_at_ms)
        case e.DutySet(agent=agent, on=on):
            _change_duty(state, agent, on)
        case e.TeamsChanged():
            _arrange(state, event, record.at_ms)
        case e.Settling(more=more):
            state.unsettled = more


def _enqueue(state: Queue, event: e.Enqueued, record: Record) -> None:
    since = record.seq
    if event.conversation in state.places:
        since = state.places[event.conversation].since
        _drop(state, event.conversation, record.at_ms, measure=not event.avoid_until_ms)
    else:
        state.numbers.take(event.no, record.at_ms)
        state.numbered[event.no] = event.conversation
    place = Place(
        event.no, since, event.team, event.priority, record.at_ms, event.channel, event.language, event.name,
        avoid=event.avoid, avoid_until_ms=event.avoid_until_ms, last=event.last, last_ms=event.last_ms,
        joined_ms=record.at_ms,
    )  # fmt: skip
    _stand(state, event.conversation, place)


def _stand(state: Queue, conversation: str, place: Place) -> None:
    """Put it into its lines."""
    state.places[conversation] = place
    spot = spot_of(conversation, place)
    for team in lines_of(state, place):
        if team not in state.lines:
            state.lines[team], state.lanes[team] = [], []
        insort(state.lines[team], spot)
        insort(_lane(state, team, place).spots, spot)
    if not place.told:
        state.untold[conversation] = place.no
    if place.avoid_until_ms:
        state.resting[conversation] = place.avoid_until_ms
    if next_line(state, place):
        team = lines_of(state, place)[-1]
        if team not in state.patient:
            state.patient[team] = []
        insort(state.patient[team], Due(place.joined_ms, conversation))


def _leave_lines(state: Queue, conversation: str) -> Place:
    """Take it out of its lines."""
    place = state.places[conversation]
    spot = spot_of(conversation, place)
    for team in lines_of(state, place):
        _remove(state.lines[team], spot)
        lane = _lane(state, team, place)
        _remove(lane.spots, spot)
        if not lane.spots:
            state.lanes[team].remove(lane)
    state.untold.pop(conversation, None)
    state.resting.pop(conversation, None)
    if next_line(state, place):
        team = lines_of(state, place)[-1]
        _remove(state.patient[team], Due(place.joined_ms, conversation))
        if not state.patient[team]:
            del state.patient[team]
    return place


def _lane(state: Queue, team: str, place: Place) -> Lane:
    language = place.language if place.language in state.languages.get(team, ()) else ""
    weight = weight_of(state, place)
    for lane in state.lanes[team]:
        if lane.weight == weight and lane.language == language:
            return lane
    lane = Lane(language, weight)
    state.lanes[team].append(lane)
    return lane


def _remove(ordered: list[T], item: T) -> None:
    del ordered[bisect_left(ordered, item)]


def _give(state: Queue, conversation: str, agent: str, record: Record) -> None:
    place = _leave_lines(state, conversation)
    state.places[conversation] = msgspec.structs.replace(
        place, agent=agent, at_ms=record.at_ms,
        avoid="", avoid_until_ms=0, further=(), told=0, told_on_duty=False, lost="",
    )  # fmt: skip
    load = state.loads[agent]
    weighs = charge(load.settings, weight_of(state, place))
    _reload(state, Load(load.settings, load.load + weighs, load.open + 1, record.seq))


def _drop(state: Queue, conversation: str, at_ms: int, measure: bool = True) -> None:
    """Take the conversation out of its lines, or from its agent."""
    place = state.places[conversation]
    if place.agent:
        load = state.loads[place.agent]
        weighs = charge(load.settings, weight_of(state, place))
        _reload(state, Load(load.settings, load.load - weighs, load.open - 1, load.latest))
        if measure:
            team = team_of(state, place)
            took_s = max(0, at_ms - place.at_ms) * weighs / 1000
            state.service[team] = measured(state.service.get(team, Service()), took_s)
    else:
        _leave_lines(state, conversation)
    del state.places[conversation]


def _reload(state: Queue, load: Load) -> None:
    """An agent has other conversations than before: move them among the agents of their teams."""
    agent = load.settings.id
    before, state.loads[agent] = state.loads[agent], load
    if agent in state.on_duty:
        for team in load.settings.teams:
            if team in state.slots:
                _remove(state.slots[team], _slot(state, team, before))
                insort(state.slots[team], _slot(state, team, load))


def _slot(state: Queue, team: str, load: Load) -> Slot:
    settings = load.settings
    full = load.load >= settings.capacity
    part = 0 if state.teams[team].pick == "round_robin" else (load.load << 32) // max(1, settings.capacity)
    return Slot(full, part, load.latest, settings.name, settings.id)


def _change_duty(state: Queue, agent: str, on: bool) -> None:
    if on:
        state.on_duty.add(agent)
    else:
        state.on_duty.remove(agent)
    if agent in state.loads:
        load = state.loads[agent]
        for team in load.settings.teams:
            if team in state.slots:
                slot = _slot(state, team, load)
                if on:
                    insort(state.slots[team], slot)
                else:
                    _remove(state.slots[team], slot)


def _arrange(state: Queue, event: e.TeamsChanged, at_ms: int) -> None:
    """Put everybody where the new teams want them. Who had an agent that is gone waits again, from where they were."""
    state.rules, state.limits = event.teams, event.limits
    state.teams = {team.name: team for team in event.teams.teams}
    state.service = {team: service for team, service in state.service.items() if team in state.teams}
    gone = set(event.removed)
    loads = {agent: Load(load.settings, latest=load.latest) for agent, load in state.loads.items() if agent not in gone}
    for settings in event.agents:
        loads[settings.id] = Load(settings, latest=loads[settings.id].latest if settings.id in loads else 0)
    state.loads = loads
    _man(state)
    state.lines = {team: [] for team in state.teams}
    state.lanes = {team: [] for team in state.teams}
    state.patient, state.resting, state.untold = {}, {}, {}
    for conversation, place in state.places.items():
        if place.agent in loads:
            load = loads[place.agent]
            weighs = charge(load.settings, weight_of(state, place))
            loads[place.agent] = Load(load.settings, load.load + weighs, load.open + 1, load.latest)
            continue
        if place.agent:
            place = msgspec.structs.replace(place, agent="", lost=place.agent, at_ms=at_ms, joined_ms=at_ms)
        elif place.further:
            place = msgspec.structs.replace(place, further=lines_of(state, place)[1:])
        _stand(state, conversation, place)
    state.slots = {team: [] for team in state.teams}
    for load in loads.values():
        if load.settings.id in state.on_duty:
            for team in load.settings.teams:
                if team in state.slots:
                    insort(state.slots[team], _slot(state, team, load))
    state.unsettled = True


def _man(state: Queue) -> None:
    """Count each team's members and languages."""
    state.members = dict.fromkeys(state.teams, 0)
    state.languages = {}
    for load in state.loads.values():
        for team in load.settings.teams:
            if team in state.teams:
                state.members[team] += 1
                if load.settings.languages:
                    state.languages.setdefault(team, set()).update(load.settings.languages)
