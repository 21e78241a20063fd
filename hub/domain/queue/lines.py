"""Who stands where: conversations in the lines of their teams, agents on duty among those of theirs."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from typing import TypeVar

from hub.domain.queue.state import Due, Lane, Load, Place, Queue, Slot, Spot, lines_of, next_line, spot_of

T = TypeVar("T", Spot, Slot, Due)


def stand(state: Queue, conversation: str, place: Place) -> None:
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


def leave_lines(state: Queue, conversation: str) -> Place:
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
        if (lane.language, lane.channel) == key:
            return lane
    lane = Lane(*key)
    state.lanes[team].append(lane)
    return lane


def _lane_of(state: Queue, team: str, place: Place) -> tuple[str, str]:
    """The language and the channel of its lane."""
    return place.language if place.language in state.languages.get(team, ()) else "", place.channel


def _remove(ordered: list[T], item: T) -> None:
    del ordered[bisect_left(ordered, item)]


def note_patient(state: Queue, team: str) -> None:
    """Find out anew who may go on from the team's line to another."""
    state.patient.pop(team, None)
    if team not in state.teams or state.teams[team].overflow is None:
        return
    dues = []
    for spot in state.lines[team]:
        place = state.places[spot.conversation]
        if lines_of(state, place)[-1] == team and next_line(state, place):
            dues.append(Due(place.joined_ms, spot.conversation))
    if dues:
        state.patient[team] = sorted(dues)


def part_lines(state: Queue, teams: Iterable[str]) -> None:
    """Make the lanes of these teams' lines anew."""
    for team in teams:
        lanes: dict[tuple[str, str], Lane] = {}
        for spot in state.lines.get(team, ()):
            key = _lane_of(state, team, state.places[spot.conversation])
            if key not in lanes:
                lanes[key] = Lane(*key)
            lanes[key].spots.append(spot)
        state.lanes[team] = list(lanes.values())


# --- agents on duty --------------------------------------------------------------------------------------------------


def man(state: Queue, teams: Collection[str]) -> None:
    """Find out anew which of the agents on duty stand in these teams."""
    slots: dict[str, list[Slot]] = {team: [] for team in teams}
    for agent in state.on_duty:
        if load := state.loads.get(agent):
            for team in load.settings.teams:
                if team in slots:
                    slots[team].append(_slot(state, team, load))
    state.slots |= {team: sorted(of) for team, of in slots.items()}


def line_up(state: Queue, agent: str) -> None:
    """Put an agent who is on duty among those of their teams."""
    if agent in state.loads and agent in state.on_duty:
        load = state.loads[agent]
        for team in load.settings.teams:
            if team in state.slots:
                insort(state.slots[team], _slot(state, team, load))


def line_off(state: Queue, agent: str) -> None:
    """Take them from there."""
    if agent in state.loads and agent in state.on_duty:
        load = state.loads[agent]
        for team in load.settings.teams:
            if team in state.slots:
                _remove(state.slots[team], _slot(state, team, load))


def move(state: Queue, load: Load) -> None:
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
