"""Who stands where: conversations in the lines of their teams, agents on duty among those of theirs."""

from bisect import bisect_left, insort
from collections.abc import Collection
from typing import TypeVar

from hub.domain.queue.state import Due, Lanes, Load, Place, Queue, Slot, Spot, lines_of, next_line, spot_of

T = TypeVar("T", Spot, Slot, Due)
_CLOSED = ("", "")
"""The lane of a line from which nobody is served."""


def stand(state: Queue, conversation: str, place: Place) -> None:
    """Put it into its lines."""
    state.places[conversation] = place
    spot = spot_of(conversation, place)
    for team in lines_of(place):
        if team not in state.lines:
            state.lines[team], state.lanes[team] = [], {}
        lanes, lane = state.lanes[team], _lane(state, team, place)
        if lane not in lanes:
            lanes[lane] = []
        insort(state.lines[team], spot)
        insort(lanes[lane], spot)
    _note_due(state, conversation, place)


def _note_due(state: Queue, conversation: str, place: Place) -> None:
    """Note what is to be done for who stands in line."""
    if not place.told:
        state.untold[conversation] = place.no
    if place.avoid_until_ms:
        state.resting[conversation] = place.avoid_until_ms
    if next_line(state, place):
        team = lines_of(place)[-1]
        if team not in state.patient:
            state.patient[team] = []
        insort(state.patient[team], Due(place.joined_ms, conversation))


def leave_lines(state: Queue, conversation: str) -> Place:
    """Take it out of its lines. Of one that is no team's any more nothing is left when the last has gone."""
    place = state.places[conversation]
    spot = spot_of(conversation, place)
    for team in lines_of(place):
        lanes, lane = state.lanes[team], _lane(state, team, place)
        _remove(state.lines[team], spot)
        _remove(lanes[lane], spot)
        if not lanes[lane]:
            del lanes[lane]
        if not lanes and team not in state.teams:
            forget_line(state, team)
    state.untold.pop(conversation, None)
    state.resting.pop(conversation, None)
    if next_line(state, place):
        team = lines_of(place)[-1]
        _remove(state.patient[team], Due(place.joined_ms, conversation))
        if not state.patient[team]:
            del state.patient[team]
    return place


def forget_line(state: Queue, team: str) -> None:
    """Nobody stands in it, and nobody will."""
    del state.lines[team], state.lanes[team]


def close_line(state: Queue, team: str) -> None:
    """It is no team's any more: nobody is served from it, and all leave it one after the other."""
    state.lanes[team] = {_CLOSED: state.lines[team].copy()}
    if not state.lines[team]:
        forget_line(state, team)


def _lane(state: Queue, team: str, place: Place) -> tuple[str, str]:
    """The language and the channel of its lane."""
    if team not in state.teams:
        return _CLOSED
    return place.language if place.language in state.languages.get(team, ()) else "", place.channel


def _remove(ordered: list[T], item: T) -> None:
    del ordered[bisect_left(ordered, item)]


def note_patient(state: Queue, team: str) -> None:
    """Find out anew who may go on from the team's line to another."""
    state.patient.pop(team, None)
    if state.teams[team].overflow is None:
        return
    dues = []
    for spot in state.lines[team]:
        place = state.places[spot.conversation]
        if lines_of(place)[-1] == team and next_line(state, place):
            dues.append(Due(place.joined_ms, spot.conversation))
    if dues:
        state.patient[team] = sorted(dues)


def part_line(state: Queue, team: str) -> None:
    """Make the lanes of the team's line anew."""
    lanes: Lanes = {}
    for spot in state.lines[team]:
        lane = _lane(state, team, state.places[spot.conversation])
        lanes.setdefault(lane, []).append(spot)
    state.lanes[team] = lanes


# --- agents ----------------------------------------------------------------------------------------------------------


def count(state: Queue, teams: Collection[str]) -> None:
    """Count the members of these teams anew, and gather their languages."""
    members, languages = dict.fromkeys(teams, 0), {team: set[str]() for team in teams}
    for load in state.loads.values():
        enlist(members, languages, load)
    state.members |= members
    for team, named in languages.items():
        if named != state.languages.get(team):
            state.languages[team] = named
            part_line(state, team)


def enlist(members: dict[str, int], languages: dict[str, set[str]], load: Load) -> None:
    """Count the agent, and their languages, among those of their teams."""
    for team in load.settings.teams:
        if team in members:
            members[team] += 1
            languages[team].update(load.settings.languages)


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
    line_off(state, agent)
    state.loads[agent] = load
    line_up(state, agent)


def _slot(state: Queue, team: str, load: Load) -> Slot:
    settings = load.settings
    full = load.load >= settings.capacity
    part = 0 if state.teams[team].pick == "round_robin" else (load.load << 32) // max(1, settings.capacity)
    return Slot(full, part, load.latest, settings.name, settings.id)
