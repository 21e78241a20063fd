"""What a new version of rules/teams.yaml changes: what it leaves alone is not looked at, for thousands wait."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from hub.domain import events as e
from hub.domain.events import AnyEvent
from hub.domain.queue.lines import line_off, line_up, man, note_patient, part_lines, stand
from hub.domain.queue.state import Load, Queue, charge, lines_of, spot_of
from hub.domain.teams import AgentSettings, Team, Teams, limits_by_channel, with_limits

T = TypeVar("T")

AGENTS = 24
"""So many changed agents one event brings, or fewer whom much is known of or who have many conversations."""
TEAMS_BYTES = 256 * 1024
"""A message of the log holds four times as much."""
LAYOUT = 1
"""Raised when `Queue` keeps something in another way; `laid_out` then knows how to get there."""


def laid_out(state: Queue) -> None:
    """Bring what an older version's image says to where this version keeps it."""
    if state.layout >= LAYOUT:
        return
    held: dict[str, list[str]] = {agent: [] for agent in state.loads}
    for conversation, place in state.places.items():
        if place.agent:
            held[place.agent].append(conversation)
    for agent, load in state.loads.items():
        state.loads[agent] = msgspec.structs.replace(load, held=tuple(held[agent]), weights=state.rules.weights)
    part_lines(state, state.lines)
    state.unsettled = list(state.teams)
    state.layout = LAYOUT


def changes(state: Queue, teams: Teams) -> list[AnyEvent]:
    """What is not as the file has it, as far as one event takes it; none when all is."""
    bare, named = msgspec.structs.replace(teams, agents=()), {agent.id for agent in teams.agents}
    gone = [(agent, 1 + 2 * load.open) for agent, load in state.loads.items() if agent not in named]
    removed = _first(gone, AGENTS)
    changed = _first(_changed(state, teams), AGENTS - len(removed))
    if not changed and not removed and bare == state.rules:
        return []
    changed = _first(((agent, len(msgspec.json.encode(agent))) for agent in changed), TEAMS_BYTES)
    limits = {name: limits for agent in changed for name, limits in limits_by_channel(agent).items()}
    return [e.TeamsChanged(bare, tuple(with_limits(agent, {}) for agent in changed), limits, tuple(removed))]


def _first(costs: Iterable[tuple[T, int]], budget: int) -> list[T]:
    """The first of them that cost no more than that together; one at least, if there is anything to spend."""
    taken: list[T] = []
    for item, cost in costs:
        if budget <= 0 or (taken and cost > budget):
            break
        budget -= cost
        taken.append(item)
    return taken


def _changed(state: Queue, teams: Teams) -> Iterator[tuple[AgentSettings, int]]:
    """The agents of whom anything is not as the queue knows it, and what it costs to change that."""
    loads, weights, terms = state.loads, teams.weights, _terms(teams)
    for agent in teams.agents:
        load = loads.get(agent.id)
        if load is None or load.weights != weights or load.terms != terms.get(agent.shift, 0) or (
            load.settings != agent and load.settings != with_limits(agent, limits_by_channel(agent))
        ):  # fmt: skip
            yield agent, 1 + (load.open // 5 if load else 0)


def _terms(teams: Teams) -> dict[str, int]:
    """What stands for the hours and the time to hand over of agents, by the name of their shift."""
    return {
        shift: zlib.crc32(msgspec.json.encode((hours, teams.handover_s), order="sorted"))
        for shift, hours in ({"": None} | teams.hours).items()
    }


# --- what follows ----------------------------------------------------------------------------------------------------


def arrange(state: Queue, event: e.TeamsChanged, at_ms: int) -> None:
    """Put everybody where the new teams want them. Who had an agent that is gone waits again, from where they were."""
    concerned = dict.fromkeys(_change(state, event.teams)) if event.teams != state.rules else {}
    staffed: dict[str, None] = {}
    for agent in event.removed:
        staffed.update(dict.fromkeys(state.loads[agent].settings.teams))
        concerned.update(dict.fromkeys(_dismiss(state, agent, at_ms)))
    terms = _terms(event.teams)
    for bare in event.agents:
        settings, load = with_limits(bare, event.limits), state.loads.get(bare.id)
        teams = dict.fromkeys((*settings.teams, *(load.settings.teams if load else ())))
        if load is None or (load.settings.teams, load.settings.languages) != (settings.teams, settings.languages):
            staffed.update(teams)
        concerned.update(teams)
        _employ(state, settings, event.teams.weights, terms.get(settings.shift, 0))
    if staffed:
        _count(state, [team for team in staffed if team in state.teams])
    settle = [team for team in dict.fromkeys((*state.unsettled, *concerned, *staffed)) if team in state.teams]
    state.unsettled = settle or [event.teams.default]  # so that it is said when all is as the new teams want it


# --- teams -----------------------------------------------------------------------------------------------------------


def _change(state: Queue, rules: Teams) -> Iterable[str]:
    """These teams are in force; which of them there is something to decide for."""
    before, teams, default = state.teams, {team.name: team for team in rules.teams}, state.rules.default
    come = [team for team in teams if team not in before]
    left = {spot.conversation: None for team in before if team not in teams for spot in state.lines[team]}
    for spot in state.lines.get(default, ()):  # who has named a team that there was not
        named = state.places[spot.conversation].team
        if named not in before and (named in teams or default != rules.default):
            left[spot.conversation] = None
    touched = dict.fromkeys(team for conversation in left for team in lines_of(state, state.places[conversation]))
    for team in touched:
        state.lines[team] = [spot for spot in state.lines[team] if spot.conversation not in left]
    _found(state, rules, teams, come)
    for conversation in left:
        place = state.places[conversation]
        lines = lines_of(state, place)
        state.places[conversation] = msgspec.structs.replace(place, further=lines[1:])
        for team in lines:
            touched[team] = None
            state.lines.setdefault(team, []).append(spot_of(conversation, place))
    for team in touched:
        if team in state.lines:
            state.lines[team].sort()
            part_lines(state, [team])
            note_patient(state, team)
    for team in teams.keys() & before:
        if team not in touched and _goes_on(before, team) != _goes_on(teams, team):
            note_patient(state, team)
    return [team for team in teams if team in touched or before.get(team) != teams[team]]


def _found(state: Queue, rules: Teams, teams: dict[str, Team], come: Sequence[str]) -> None:
    """Close the teams that are gone, whose lines nobody stands in, and open the new ones."""
    before, state.rules, state.teams = state.teams, rules, teams
    for of in (state.lines, state.lanes, state.slots, state.patient, state.members, state.languages):
        for team in [team for team in of if team not in teams]:
            del of[team]
    state.service = {team: service for team, service in state.service.items() if team in teams}
    state.busy = {team: service for team, service in state.busy.items() if team in teams}
    for team in come:
        state.lines[team], state.lanes[team] = [], []
    if come:
        _count(state, come)
    picked = [team for team in teams if team not in before or before[team].pick != teams[team].pick]
    if picked:
        man(state, picked)


def _goes_on(teams: dict[str, Team], team: str) -> object:
    """All that says who may go on from its line to another."""
    overflow = teams[team].overflow
    return overflow and (overflow, overflow.team in teams)


def _count(state: Queue, teams: Sequence[str]) -> None:
    """Count the members of these teams, and gather their languages."""
    members, languages = dict.fromkeys(teams, 0), {team: set[str]() for team in teams}
    for load in state.loads.values():
        for team in load.settings.teams:
            if team in members:
                members[team] += 1
                languages[team].update(load.settings.languages)
    state.members |= members
    for team, named in languages.items():
        if named != state.languages.get(team, set()):
            state.languages[team] = named
            part_lines(state, [team])


# --- agents ----------------------------------------------------------------------------------------------------------


def _dismiss(state: Queue, agent: str, at_ms: int) -> Iterable[str]:
    """The agent is gone; in which lines those wait again whom they had."""
    line_off(state, agent)
    lines: list[str] = []
    for conversation in state.loads.pop(agent).held:
        lost = msgspec.structs.replace(
            state.places[conversation], agent="", lost=agent, at_ms=at_ms, joined_ms=at_ms
        )  # fmt: skip
        stand(state, conversation, lost)
        lines += lines_of(state, lost)
    return lines


def _employ(state: Queue, settings: AgentSettings, weights: dict[str, int], terms: int) -> None:
    """The agent is new, or has other settings: what they have is counted anew where that may make a difference."""
    agent = settings.id
    load = state.loads.get(agent, Load(settings))
    line_off(state, agent)
    now = msgspec.structs.replace(load, settings=settings, weights=weights, terms=terms)
    if (load.settings.capacity, load.weights) != (settings.capacity, weights):
        weighs = sum(charge(now, state.places[conversation].channel) for conversation in load.held)
        now = msgspec.structs.replace(now, load=weighs, full_ms=0)
    state.loads[agent] = now
    line_up(state, agent)
