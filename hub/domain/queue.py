"""The queue: who waits, who has how many, who gets it, and the numbers `#n`. One for the whole hub.

A conversation keeps its number, and the place in line that its first Enqueue gave it, until it is closed: whoever is
transferred, or loses their agent, waits from where they were. Within a priority the line is strictly first come, first
served. What makes one decision cheap is one promise, kept after every event: **nobody waits for a team that has a fit
agent** (on duty, below capacity). So a newcomer only has to look at the agents, a freed agent only at the lines.

A visitor who waits is told so when they join, and once more when they are the first in line: never more than that.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.numbers import REST_MS, Numbers
from hub.domain.origins import Origins, note, seen
from hub.domain.refusals import NotFound, Repeated
from hub.domain.teams import AgentSettings, Teams


class Place(msgspec.Struct, frozen=True):
    """An open conversation. `agent` has it; empty: it waits."""

    no: int
    since: int
    """The queue's seq of its first Enqueued: its place in line."""
    team: str
    """As asked for; empty or unknown counts as the default team."""
    priority: int = 0
    avoid: str = ""
    agent: str = ""
    told: int = 0
    """The position that the visitor was told last; 0: none yet."""


class Spot(NamedTuple):
    """Somebody in a line; spots sort in the order in which they are served."""

    rank: int
    """The negative priority."""
    since: int
    conversation: str


class Load(msgspec.Struct, frozen=True):
    """An agent of teams.yaml. `latest` is the queue's seq of the last conversation that was given to them."""

    settings: AgentSettings
    open: int = 0
    latest: int = 0


class Slot(NamedTuple):
    """An agent on duty; slots sort in the order in which they are chosen, those at capacity last."""

    full: bool
    open: int
    latest: int
    name: str
    agent: str


class Queue(msgspec.Struct):
    """State of the queue; only `evolve` changes it. `lines` and `slots` are sorted, and follow from the rest."""

    id: str
    seq: int = 0
    teams: Teams = Teams("", "", (), ())
    places: dict[str, Place] = {}
    loads: dict[str, Load] = {}
    on_duty: set[str] = set()
    """Agents' ids, also of those whom teams.yaml does not name at this moment."""
    lines: dict[str, list[Spot]] = {}
    """Who waits, by team."""
    slots: dict[str, list[Slot]] = {}
    """Who is on duty, by team; the keys are all teams there are."""
    numbers: Numbers = msgspec.field(default_factory=Numbers)
    origins: Origins = {}


def new(entity_id: str) -> Queue:
    """A queue without teams: whoever comes waits."""
    return Queue(entity_id)


def next_due(state: Queue) -> int | None:
    """Never: numbers that have rested are found when one is needed."""
    return None


def reactions(record: Record) -> list[tuple[str, AnyCommand]]:
    """The commands that an event calls for in conversations and agents."""
    match record.event:
        case e.TeamsChanged(teams=teams, removed=removed):
            configured: list[tuple[str, AnyCommand]] = [(agent.id, c.ConfigureAgent(agent)) for agent in teams.agents]
            return configured + [(agent, c.ConfigureAgent(None)) for agent in removed]
        case e.Told(conversation=conversation, no=no, team=team, position=position, on_duty=on_duty, lost=lost):
            return [(conversation, c.TellWaiting(no, team, position, on_duty, lost))]
        case e.Chosen(conversation=conversation, no=no, agent=agent, display=display, team=team, phone=phone):
            return [(conversation, c.Assign(agent, display, no, team, phone))]
    return []


# --- deciding ------------------------------------------------------------------------------------------------------


def decide(state: Queue, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
    """The events that carry `command` out; none where it changes nothing. Raises Repeated for an origin seen before."""
    if origin is not None and seen(state.origins, origin):
        raise Repeated(0)
    match command:
        case c.Enqueue():
            return _enqueue(state, command, now_ms)
        case c.Leave(conversation=conversation):
            return _leave(state, conversation, now_ms)
        case c.SetDuty(agent=agent, on=on):
            return _set_duty(state, agent, on)
        case c.ChangeTeams(teams=teams):
            return _change_teams(state, teams)
        case c.Tick():
            return []
    raise NotFound(f"the queue does not know {type(command).__name__}")


def _enqueue(state: Queue, command: c.Enqueue, now_ms: int) -> list[AnyEvent]:
    name, before = command.conversation, state.places.get(command.conversation)
    no, since = (before.no, before.since) if before else (state.numbers.next(now_ms), state.seq + 1)
    place = Place(no, since, command.team, command.priority, command.avoid)
    events: list[AnyEvent] = [e.Enqueued(name, no, command.team, command.priority, command.agent, command.avoid)]
    team = _team(state, place)
    slots = state.slots.get(team, [])
    asked = state.loads.get(command.agent) if command.agent in state.on_duty else None
    gone, touched = {name}, [_team(state, before)] if before and not before.agent else []
    if before and before.agent and not (asked and asked.settings.id == before.agent):
        # Those who wait for the freed agent come first: else what an agent gives away would come straight back.
        freed = _released(state.loads[before.agent])
        taken = _fill(state, freed)
        events += taken
        gone.update(chosen.conversation for chosen in taken)
        touched = list(freed.settings.teams)
        slots = _with_count(slots, freed, freed.open + len(taken))
    if asked:
        events.append(_chosen(state, name, place, asked.settings, f"{asked.settings.display} was asked for"))
    elif slot := _pick(slots, place.avoid):
        because = _missed(state, command.agent) + _reason(state, team, slots, slot)
        events.append(_chosen(state, name, place, state.loads[slot.agent].settings, because))
    else:
        position = _position(state, team, _spot(name, place), gone)
        events.append(e.Told(name, no, team, position, bool(slots)))
        touched = [other for other in touched if other != team or position > 1]
    return events + _tell_first(state, touched, gone)


def _leave(state: Queue, conversation: str, now_ms: int) -> list[AnyEvent]:
    place = state.places.get(conversation)
    if place is None:
        return []
    events: list[AnyEvent] = [e.Left(conversation, place.no, now_ms + REST_MS)]
    if not place.agent:
        return events + _tell_first(state, [_team(state, place)], {conversation})
    return events + _serve_lines(state, _released(state.loads[place.agent]))


def _set_duty(state: Queue, agent: str, on: bool) -> list[AnyEvent]:
    if on == (agent in state.on_duty):
        return []
    events: list[AnyEvent] = [e.DutySet(agent, on)]
    load = state.loads.get(agent)
    return events + _serve_lines(state, load, on=True) if on and load else events


def _change_teams(state: Queue, teams: Teams) -> list[AnyEvent]:
    if teams == state.teams:
        return []
    named = {agent.id for agent in teams.agents}
    events: list[AnyEvent] = [e.TeamsChanged(teams, tuple(agent for agent in state.loads if agent not in named))]
    after = msgspec.structs.replace(state, places=dict(state.places))
    _arrange(after, teams)
    for spot in heapq.merge(*map(list, after.lines.values())):
        place = after.places[spot.conversation]
        team = _team(after, place)
        slots = after.slots.get(team, [])
        if slot := _pick(slots, place.avoid):
            because = _reason(after, team, slots, slot)
            chosen = _chosen(after, spot.conversation, place, after.loads[slot.agent].settings, because)
            events.append(chosen)
            _assign(after, chosen.conversation, chosen.agent, state.seq + len(events))
    for team, line in after.lines.items():
        for position, spot in enumerate(line, 1):
            place = after.places[spot.conversation]
            if not place.told or (position == 1 and place.told != 1):
                on_duty, lost = bool(after.slots.get(team)), state.places[spot.conversation].agent
                events.append(e.Told(spot.conversation, place.no, team, position, on_duty, lost))
    return events


def _serve_lines(state: Queue, load: Load, on: bool = False) -> list[AnyEvent]:
    """What follows when `load` is an agent's new one: the first in line get them, the next ones are told."""
    taken = _fill(state, load, on)
    gone = {chosen.conversation for chosen in taken}
    return [*taken, *_tell_first(state, load.settings.teams if taken else (), gone, on)]


def _fill(state: Queue, load: Load, on: bool = False) -> list[e.Chosen]:
    """The first in the lines of the agent's teams, for as many as they have room. `on`: they come on duty just now."""
    if not on and load.settings.id not in state.on_duty:
        return []
    settings = load.settings
    lines = heapq.merge(*(state.lines.get(team, ()) for team in settings.teams))
    taken: list[e.Chosen] = []
    for count, spot in zip(range(load.open, settings.capacity), lines, strict=False):
        place = state.places[spot.conversation]
        because = f"{_team(state, place)}: {settings.display} has {count}/{settings.capacity}, nobody else is free"
        taken.append(_chosen(state, spot.conversation, place, settings, because))
    return taken


def _tell_first(state: Queue, teams: Iterable[str], gone: Collection[str], on: bool = False) -> list[e.Told]:
    """For those who are first in line once `gone` have left it, unless they were told so before."""
    told = []
    for team in teams:
        first = next((spot for spot in state.lines.get(team, ()) if spot.conversation not in gone), None)
        if first and state.places[first.conversation].told != 1:
            no = state.places[first.conversation].no
            told.append(e.Told(first.conversation, no, team, 1, on or bool(state.slots.get(team))))
    return told


def _position(state: Queue, team: str, spot: Spot, gone: Collection[str]) -> int:
    """Where in the team's line `spot` will stand once `gone` have left it; 1 is the first."""
    waited = ((name, state.places[name]) for name in gone if name in state.places)
    fewer = sum(not p.agent and _team(state, p) == team and _spot(name, p) < spot for name, p in waited)
    return 1 + bisect_left(state.lines.get(team, []), spot) - fewer


def _pick(slots: list[Slot], avoid: str) -> Slot | None:
    """The least-loaded fit agent; `avoid` only where nobody else is fit."""
    fit = [slot for slot in slots[:2] if not slot.full]
    return next((slot for slot in fit if slot.agent != avoid), fit[0] if fit else None)


def _with_count(slots: list[Slot], load: Load, count: int) -> list[Slot]:
    """The slots as they are when the agent has `count` conversations."""
    changed = _slot(msgspec.structs.replace(load, open=count))
    return sorted(changed if slot.agent == changed.agent else slot for slot in slots)


def _chosen(state: Queue, conversation: str, place: Place, settings: AgentSettings, because: str) -> e.Chosen:
    team, phone = _team(state, place), bool(settings.channel)
    return e.Chosen(conversation, place.no, settings.id, settings.display, team, phone, because)


def _reason(state: Queue, team: str, slots: list[Slot], slot: Slot) -> str:
    """Why `slot` was picked, for people: "aftersale: 小王 has 3/5, least loaded; 小李 at capacity"."""
    settings = state.loads[slot.agent].settings
    fit = bisect_left(slots, True, key=lambda slot: slot.full)
    why = "least loaded" if fit > 1 else "nobody else is free"
    full = [state.loads[other.agent].settings.display for other in slots[fit : fit + 2]]
    more = f" and {len(slots) - fit - 2} more" if len(slots) - fit > 2 else ""
    at_capacity = f"; {', '.join(full)}{more} at capacity" if full else ""
    return f"{team}: {settings.display} has {slot.open}/{settings.capacity}, {why}{at_capacity}"


def _missed(state: Queue, asked: str) -> str:
    """Why the agent who was asked for by name does not get it, where one was."""
    if not asked:
        return ""
    load = state.loads.get(asked)
    return f"{load.settings.display} is off duty; " if load else f"{asked} is not in teams.yaml; "


# --- evolving ------------------------------------------------------------------------------------------------------


def evolve(state: Queue, record: Record, origin: Origin | None = None) -> None:
    """Bring the state to where the event is in force."""
    event = record.event
    state.seq = record.seq
    if origin is not None:
        note(state.origins, origin)
    match event:
        case e.Enqueued():
            _wait(state, event, record)
        case e.Told(conversation=conversation, position=position):
            place = state.places[conversation]
            state.places[conversation] = msgspec.structs.replace(place, told=position)
        case e.Chosen(conversation=conversation, agent=agent):
            _assign(state, conversation, agent, record.seq)
        case e.Left(conversation=conversation, no=no, free_at_ms=free_at_ms):
            _drop(state, conversation)
            state.numbers.give_back(no, free_at_ms)
        case e.DutySet(agent=agent, on=on):
            _change_duty(state, agent, on)
        case e.TeamsChanged(teams=teams):
            _arrange(state, teams)


def _wait(state: Queue, event: e.Enqueued, record: Record) -> None:
    since = record.seq
    if event.conversation in state.places:
        since = state.places[event.conversation].since
        _drop(state, event.conversation)
    else:
        state.numbers.take(event.no, record.at_ms)
    place = Place(event.no, since, event.team, event.priority, event.avoid)
    state.places[event.conversation] = place
    insort(state.lines.setdefault(_team(state, place), []), _spot(event.conversation, place))


def _assign(state: Queue, conversation: str, agent: str, seq: int) -> None:
    place = state.places[conversation]
    _drop(state, conversation)
    state.places[conversation] = msgspec.structs.replace(place, agent=agent, told=0)
    _reload(state, state.loads[agent], 1, seq)


def _drop(state: Queue, conversation: str) -> None:
    """Take the conversation out of its line, or from its agent."""
    place = state.places.pop(conversation)
    if place.agent:
        _reload(state, state.loads[place.agent], -1)
    else:
        line = state.lines[_team(state, place)]
        del line[bisect_left(line, _spot(conversation, place))]


def _reload(state: Queue, load: Load, by: int, latest: int = 0) -> None:
    """Count `by` conversations more for an agent, and move them among the agents of their teams."""
    changed = Load(load.settings, load.open + by, latest or load.latest)
    agent = load.settings.id
    state.loads[agent] = changed
    if agent in state.on_duty:
        for team in load.settings.teams:
            slots = state.slots[team]
            del slots[bisect_left(slots, _slot(load))]
            insort(slots, _slot(changed))


def _released(load: Load) -> Load:
    return msgspec.structs.replace(load, open=load.open - 1)


def _change_duty(state: Queue, agent: str, on: bool) -> None:
    if on:
        state.on_duty.add(agent)
    else:
        state.on_duty.remove(agent)
    if agent in state.loads:
        load = state.loads[agent]
        for team in load.settings.teams:
            slots = state.slots[team]
            if on:
                insort(slots, _slot(load))
            else:
                slots.remove(_slot(load))


def _arrange(state: Queue, teams: Teams) -> None:
    """Put everybody where `teams` want them. Who had an agent that is gone waits again, from where they were."""
    before, state.teams = state.loads, teams
    state.loads = {
        agent.id: msgspec.structs.replace(before.get(agent.id, Load(agent)), settings=agent) for agent in teams.agents
    }
    state.slots = {team.name: [] for team in teams.teams}
    for load in state.loads.values():
        if load.settings.id in state.on_duty:
            for team in load.settings.teams:
                insort(state.slots[team], _slot(load))
    state.lines = {}
    for conversation, place in state.places.items():
        if place.agent not in state.loads:
            place = msgspec.structs.replace(place, agent="")
            state.places[conversation] = place
            state.lines.setdefault(_team(state, place), []).append(_spot(conversation, place))
    for line in state.lines.values():
        line.sort()


def _team(state: Queue, place: Place) -> str:
    """The team in whose line the conversation belongs at this moment."""
    return place.team if place.team in state.slots else state.teams.default


def _spot(conversation: str, place: Place) -> Spot:
    return Spot(-place.priority, place.since, conversation)


def _slot(load: Load) -> Slot:
    settings = load.settings
    return Slot(load.open >= settings.capacity, load.open, load.latest, settings.name, settings.id)
