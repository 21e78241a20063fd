"""How each event of the queue changes its state."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from typing import TypeVar

import msgspec

from hub.domain import events as e
from hub.domain.commands import Origin
from hub.domain.events import Record
from hub.domain.origins import note
from hub.domain.queue.state import (
    Due,
    Lane,
    Load,
    Place,
    Queue,
    Slot,
    Spot,
    charge,
    lines_of,
    next_line,
    spot_of,
    team_of,
    weight_of,
)  # fmt: skip
from hub.domain.queue.waits import Service, measured
from hub.domain.teams import Overflow, Teams

T = TypeVar("T", Spot, Slot, Due)


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
            state.places[conversation] = msgspec.structs.replace(
                place, told=position, told_on_duty=on_duty, told_ms=record.at_ms, lost=""
            )  # fmt: skip
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
        joined_ms=record.at_ms, asked=event.asked,
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
    _note_due(state, conversation, place)


def _note_due(state: Queue, conversation: str, place: Place) -> None:
    """Note what is to be done for who stands in line."""
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
    key = _lane_of(state, team, place)
    for lane in state.lanes[team]:
        if (lane.language, lane.weight) == key:
            return lane
    lane = Lane(*key)
    state.lanes[team].append(lane)
    return lane


def _lane_of(state: Queue, team: str, place: Place) -> tuple[str, int]:
    """The language and the weight of its lane."""
    return place.language if place.language in state.languages.get(team, ()) else "", weight_of(state, place)


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
    weight = load.load + weighs
    full_ms = (load.full_ms or record.at_ms) if weight >= load.settings.capacity else 0
    _reload(state, Load(load.settings, weight, load.open + 1, record.seq, full_ms))


def _drop(state: Queue, conversation: str, at_ms: int, measure: bool = True) -> None:
    """Take the conversation out of its lines, or from its agent."""
    place = state.places[conversation]
    if place.agent:
        load = state.loads[place.agent]
        weighs = charge(load.settings, weight_of(state, place))
        weight = load.load - weighs
        full_ms = at_ms if weight >= load.settings.capacity else 0
        _reload(state, Load(load.settings, weight, load.open - 1, load.latest, full_ms))
        if measure:
            team = team_of(state, place)
            _measure(state.service, team, (at_ms - place.at_ms) * weighs)
            if load.full_ms:
                _measure(state.busy, team, (at_ms - load.full_ms) * load.load)
    else:
        _leave_lines(state, conversation)
    del state.places[conversation]


def _measure(services: dict[str, Service], team: str, took_ms: int) -> None:
    services[team] = measured(services.get(team, Service()), max(0, took_ms) / 1000)


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
        state.on_duty = state.on_duty | {agent}
        _line_agent_up(state, agent)
    else:
        _line_agent_off(state, agent)
        state.on_duty = state.on_duty - {agent}


def _line_agent_up(state: Queue, agent: str) -> None:
    """Put an agent who is on duty among those of their teams."""
    if agent in state.loads and agent in state.on_duty:
        load = state.loads[agent]
        for team in load.settings.teams:
            if team in state.slots:
                insort(state.slots[team], _slot(state, team, load))


def _line_agent_off(state: Queue, agent: str) -> None:
    """Take them from there."""
    if agent in state.loads and agent in state.on_duty:
        load = state.loads[agent]
        for team in load.settings.teams:
            if team in state.slots:
                _remove(state.slots[team], _slot(state, team, load))


def _arrange(state: Queue, event: e.TeamsChanged, at_ms: int) -> None:
    """Put everybody where the new teams want them. Who had an agent that is gone waits again, from where they were.

    What the new teams leave alone is left alone: thousands wait, and a change of the file is mostly of a few agents.
    """
    before, languages = state.rules, state.languages
    changed: Iterable[str] = [settings.id for settings in event.agents]
    for agent in (*event.removed, *changed):
        _line_agent_off(state, agent)
    counted = [
        settings.id for settings in event.agents
        if settings.id in state.loads and state.loads[settings.id].settings.capacity != settings.capacity
    ]  # fmt: skip
    state.rules, state.limits = event.teams, event.limits
    state.teams = {team.name: team for team in event.teams.teams}
    state.service = {team: service for team, service in state.service.items() if team in state.teams}
    state.busy = {team: service for team, service in state.busy.items() if team in state.teams}
    for agent in event.removed:
        del state.loads[agent]
    for settings in event.agents:
        state.loads[settings.id] = msgspec.structs.replace(
            state.loads.get(settings.id, Load(settings)), settings=settings
        )
    _man(state)
    if _overflows(before) != _overflows(state.rules):
        _line_up(state)
    else:
        weighed = before.weights != state.rules.weights
        _part_lines(
            state, [team for team in state.lines if weighed or languages.get(team) != state.languages.get(team)]
        )
    _load(state, state.loads if before.weights != state.rules.weights else counted, event.removed, at_ms)
    if _picks(before) != _picks(state.rules) or before.weights != state.rules.weights:
        state.slots = {team: [] for team in state.teams}
        changed = state.loads
    for agent in changed:
        _line_agent_up(state, agent)
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


def _overflows(rules: Teams) -> tuple[str, dict[str, Overflow | None]]:
    """All that says who stands in which line."""
    return rules.default, {team.name: team.overflow for team in rules.teams}


def _picks(rules: Teams) -> dict[str, str]:
    """All that says in which order a team's agents stand, beside what they have."""
    return {team.name: team.pick for team in rules.teams}


def _line_up(state: Queue) -> None:
    """Make all lines anew."""
    state.lines = {team: [] for team in state.teams}
    state.patient, state.resting, state.untold = {}, {}, {}
    for conversation, place in state.places.items():
        if place.agent:
            continue
        lines = lines_of(state, place)
        if place.further:
            place = state.places[conversation] = msgspec.structs.replace(place, further=lines[1:])
        for team in lines:
            state.lines.setdefault(team, []).append(spot_of(conversation, place))
        _note_due(state, conversation, place)
    for line in state.lines.values():  # quicker than to find the place of each
        line.sort()
    state.lanes = {}
    _part_lines(state, state.lines)


def _part_lines(state: Queue, teams: Iterable[str]) -> None:
    """Make the lanes of these teams' lines anew."""
    for team in teams:
        lanes: dict[tuple[str, int], Lane] = {}
        for spot in state.lines[team]:
            key = _lane_of(state, team, state.places[spot.conversation])
            if key not in lanes:
                lanes[key] = Lane(*key)
            lanes[key].spots.append(spot)
        state.lanes[team] = list(lanes.values())


def _load(state: Queue, agents: Collection[str], removed: Collection[str], at_ms: int) -> None:
    """Count what each of these agents has; who had one that is gone waits again."""
    if not agents and not removed:
        return
    counts, gone = {agent: [0, 0] for agent in agents}, set(removed)
    for conversation, place in state.places.items():
        if place.agent in counts:
            count = counts[place.agent]
            count[0] += charge(state.loads[place.agent].settings, weight_of(state, place))
            count[1] += 1
        elif place.agent in gone:
            lost = msgspec.structs.replace(place, agent="", lost=place.agent, at_ms=at_ms, joined_ms=at_ms)
            _stand(state, conversation, lost)
    for agent, (weighs, open_) in counts.items():
        load = state.loads[agent]
        state.loads[agent] = Load(load.settings, weighs, open_, load.latest)
