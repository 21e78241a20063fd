"""What a new version of rules/teams.yaml changes: what it leaves alone is not looked at, for thousands wait."""

import zlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from hub.domain import events as e
from hub.domain.events import AnyEvent
from hub.domain.queue.lines import close_line, count, line_off, line_up, man, note_patient, stand
from hub.domain.queue.state import Load, Queue, charge, lines_of, team_of
from hub.domain.teams import AgentSettings, Team, Teams, limits_by_channel, with_limits

T = TypeVar("T")

PART = 20
"""So much one event changes: an agent is one, and more of whom much is known or who have many conversations."""
MEMBERS, WAITING = 5, 6
"""So many agents of a team who are put in another order, or people in its line who may go on elsewhere, are one too."""
TEAMS_BYTES = 256 * 1024
"""A message of the log holds four times as much."""


def changes(state: Queue, teams: Teams) -> list[AnyEvent]:
    """What is not as the file has it, as far as one event takes it; none when all is. Teams come before agents."""
    bare = msgspec.structs.replace(teams, agents=())
    rules, left = (bare, PART) if bare == state.rules else _part(state, bare)
    named = {agent.id for agent in teams.agents}
    gone = ((agent, 1 + 2 * load.open) for agent, load in state.loads.items() if agent not in named)
    removed = _first(gone, left)
    changed = _first(_changed(state, teams), left - len(removed))
    if not changed and not removed and rules == state.rules:
        return []
    changed = _first(((agent, len(msgspec.json.encode(agent))) for agent in changed), TEAMS_BYTES)
    limits = {name: limits for agent in changed for name, limits in limits_by_channel(agent).items()}
    return [e.TeamsChanged(rules, tuple(with_limits(agent, {}) for agent in changed), limits, tuple(removed))]


def _part(state: Queue, rules: Teams) -> tuple[Teams, int]:
    """The rules with the first of the teams that are new or changed, all others as they were, and what is left to do in
    the same event: nothing unless these were all.

    Teams that are new come before those that may overflow into them, and none goes before these have changed.
    """
    costs = {team.name: _cost(state, team) for team in rules.teams if state.teams.get(team.name) != team}
    names = sorted(costs, key=lambda name: (name != rules.default, name in state.teams))
    come = set(_first(((name, costs[name]) for name in names), PART))
    if len(come) == len(costs):
        return rules, PART - sum(costs.values())
    teams = state.teams | {team.name: team for team in rules.teams if team.name in come}
    return msgspec.structs.replace(rules, teams=tuple(teams.values())), 0


def _cost(state: Queue, team: Team) -> int:
    """Of a team that is new or has changed."""
    before, cost = state.teams.get(team.name), 1
    if before is None or before.pick != team.pick:
        cost += len(state.slots.get(team.name, ())) // MEMBERS
    if before is None or before.overflow != team.overflow:
        cost += len(state.lines.get(team.name, ())) // WAITING
    return cost


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
    """Put every agent where the new teams want them. Who had one that is gone waits again, from where they were.

    Who waits stays where they are: those who belong in another line now go there by and by.
    """
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
        count(state, [team for team in staffed if team in state.teams])
    # One at least, so that it is said when all is as the new teams want it.
    settle = dict.fromkeys((*state.unsettled, *state.astray, *concerned, *staffed))
    state.unsettled = [team for team in settle if team in state.lines] or [event.teams.default]


# --- teams -----------------------------------------------------------------------------------------------------------


def _change(state: Queue, rules: Teams) -> Iterable[str]:
    """These teams are in force; which of them are new or changed."""
    before, default = state.teams, state.rules.default
    state.rules, state.teams = rules, {team.name: team for team in rules.teams}
    gone = [team for team in before if team not in state.teams]
    come = [team for team in state.teams if team not in before]
    for team in gone:
        _close(state, team)
    for team in come:
        if team not in state.lines:
            state.lines[team], state.lanes[team] = [], {}
    if come:
        count(state, come)
    changed = [team for team in rules.teams if before.get(team.name) != team]
    picked = [team.name for team in changed if team.name not in before or before[team.name].pick != team.pick]
    if picked:
        man(state, picked)
    for team in state.teams:
        if _goes_on(before, team) != _goes_on(state.teams, team):
            note_patient(state, team)
    if come or default != rules.default:  # who has named a team that there was not stands in that line
        gone.append(default)
    state.astray = [line for line in dict.fromkeys((*state.astray, *gone)) if line in state.lines]
    return [team.name for team in changed]


def _close(state: Queue, team: str) -> None:
    """It is a team no more; who stands in its line leaves it by and by."""
    for of in (state.slots, state.patient, state.members, state.languages, state.service, state.busy):
        if team in of:
            del of[team]
    close_line(state, team)


def _goes_on(teams: dict[str, Team], team: str) -> object:
    """All that says who may go on from its line to another."""
    overflow = teams[team].overflow if team in teams else None
    return overflow and (overflow, overflow.team in teams)


# --- agents ----------------------------------------------------------------------------------------------------------


def _dismiss(state: Queue, agent: str, at_ms: int) -> Iterable[str]:
    """The agent is gone; in which lines those wait again whom they had."""
    line_off(state, agent)
    lines: list[str] = []
    for conversation in state.loads.pop(agent).held:
        place = state.places[conversation]
        line = team_of(state, place.team)
        lost = msgspec.structs.replace(place, agent="", lost=agent, at_ms=at_ms, line=line, joined_ms=at_ms)
        stand(state, conversation, lost)
        lines += lines_of(lost)
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
