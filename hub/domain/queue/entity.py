"""The queue: who waits, who has how many, who gets it, and the numbers `#n`. One for the whole hub.

A conversation keeps its number, and the place in line that its first Enqueue gave it, until it is closed: whoever is
transferred, or loses their agent, waits from where they were. Within a priority an agent who has room gets who came
first of those whom they are fit for. What makes one decision cheap is one promise, kept after every event: **nobody
waits while an agent is fit for them** (fit.py; but for teams that choose themselves). So a newcomer only has to
look at the agents, a freed agent only at the lines. A new teams.yaml breaks it: its teams are `unsettled` until they
have been looked at, a few at a time.

Visitors who wait are told so when they join, when their way has become half as long, and when somebody comes on duty or
nobody is any more (tell.py).
"""

import heapq
import itertools

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.origins import seen
from hub.domain.queue.arranging import changes
from hub.domain.queue.draft import Draft
from hub.domain.queue.fit import agent_for, chooses, display_of, has_room, may_have, next_for
from hub.domain.queue.numbers import REST_MS
from hub.domain.queue.state import Place, Queue, Spot, lines_of, next_line, spot_of, team_of
from hub.domain.queue.tell import tell
from hub.domain.refusals import NotFound, Repeated, Taken
from hub.domain.teams import with_limits

AGAIN_MS = 60_000
"""So long a conversation is not given to the agent who has missed it."""
LISTED = 10
"""So many of those who wait an agent is told of."""
LOOKED_AT = 4
"""So many teams one decision settles."""


def new(entity_id: str) -> Queue:
    """A queue without teams: whoever comes waits."""
    return Queue(entity_id)


def next_due(state: Queue) -> int | None:
    """When somebody has waited long enough for another line, or may be given to who has missed them (Unix ms)."""
    if state.unsettled:
        return 0
    dues = [_overflow_due(state, team) for team in state.patient]
    dues += [
        until_ms for conversation, until_ms in state.resting.items()
        if may_have(state, (place := state.places[conversation]).avoid, place)
    ]  # fmt: skip
    return min(dues, default=None)


def reactions(record: Record) -> list[tuple[str, AnyCommand]]:
    """The commands that an event calls for in conversations and agents."""
    match record.event:
        case e.TeamsChanged() as changed:
            return _configure(changed)
        case e.Told() as told:
            command = c.TellWaiting(told.no, told.team, told.position, told.on_duty, told.lost, told.wait)
            return [(told.conversation, command)]
        case e.Chosen() as chosen:
            return [(chosen.conversation, c.Assign(
                chosen.agent, chosen.display, chosen.no, chosen.team, chosen.phone, chosen.because,
                chosen.team_display, chosen.patience, chosen.lead, chosen.taken, chosen.asked,
            ))]  # fmt: skip
        case e.TakeRefused(agent=agent, no=no, because=because):
            return [(agent, c.TellNotTaken(no, because))]
        case e.WaitingListed(agent=agent, waiting=waiting, more=more):
            return [(agent, c.TellWaitingList(waiting, more))]
    return []


def _configure(changed: e.TeamsChanged) -> list[tuple[str, AnyCommand]]:
    hours, handover_s = changed.teams.hours, changed.teams.handover_s
    configured: list[tuple[str, AnyCommand]] = []
    for agent in changed.agents:
        settings = with_limits(agent, changed.limits)
        command = c.ConfigureAgent(settings, shift=hours.get(agent.shift), handover_s=handover_s)
        configured.append((agent.id, command))
    return configured + [(agent, c.ConfigureAgent(None)) for agent in changed.removed]


# --- deciding ------------------------------------------------------------------------------------------------------


def decide(state: Queue, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
    """The events that carry `command` out; none where it changes nothing.

    Raises Repeated for an origin seen before; of a Take that was not relayed Taken and NotFound.
    """
    if origin is not None and seen(state.origins, origin):
        raise Repeated(0)
    draft = Draft(state, now_ms)
    _rest(draft)
    match command:
        case c.Enqueue(conversation=conversation):
            place = state.places.get(conversation)
            _enqueue(draft, command, place.no if place else state.numbers.next(now_ms))
        case c.Leave(conversation=conversation):
            _leave(draft, conversation)
        case c.Take():
            _take(draft, command, relayed=origin is not None)
        case c.ListWaiting(agent=agent):
            return [_list(state, agent, now_ms)]
        case c.SetDuty(agent=agent, on=on, because=because):
            _set_duty(draft, agent, on, because)
        case c.ChangeTeams(teams=teams):
            return changes(state, teams)
        case c.Tick():
            _overflow_due_now(draft, [team for team in state.teams if team in state.patient])
        case _:
            raise NotFound(f"the queue does not know {type(command).__name__}")
    if draft.events or state.unsettled:
        _finish(draft)
    return draft.events


def _enqueue(draft: Draft, command: c.Enqueue, no: int) -> None:
    name, state = command.conversation, draft.state
    before = state.places.get(name)
    draft.leaves(name)
    draft.happen(e.Enqueued(
        name, no, command.team, command.priority, command.agent, command.avoid, command.channel, command.language,
        command.name, command.last, command.last_ms, draft.now_ms + AGAIN_MS if command.missed else 0, command.asked,
    ))  # fmt: skip
    place = state.places[name]
    refused = _ask(draft, name, place, command.agent)
    if before and before.agent:
        # Those who wait for the freed agent come first: else what an agent gives away would come straight back.
        draft.fill(before.agent, but=name)
    if refused is None:
        return
    _overflow(draft, name)
    _match(draft, name, refused)


def _ask(draft: Draft, conversation: str, place: Place, agent: str) -> str | None:
    """Give it to the agent who was asked for by name. None: they have it; else why not, if anybody was."""
    if not agent:
        return ""
    load = draft.state.loads.get(agent)
    if load is None:
        return f"{agent} is not in teams.yaml; "
    display = load.settings.display
    if agent not in draft.state.on_duty:
        return f"{display} is off duty; "
    if not has_room(load, place.channel):
        return f"{display} was asked for and is at capacity; "
    draft.choose(conversation, agent, f"{display} was asked for")
    return None


def _match(draft: Draft, conversation: str, refused: str = "") -> None:
    """Who is fit for it gets it; later, where others may wait for them too."""
    state = draft.state
    choice = agent_for(state, state.places[conversation], draft.now_ms)
    if choice is not None and draft.unsettled:
        draft.leave(lines_of(state.places[conversation]))
    elif choice is not None:
        draft.choose(conversation, choice.agent, refused + choice.because)


def _leave(draft: Draft, conversation: str) -> None:
    place = draft.state.places.get(conversation)
    if place is not None:
        draft.leaves(conversation)
        draft.happen(e.Left(conversation, place.no, draft.now_ms + REST_MS))
        if place.agent:
            draft.fill(place.agent)


def _set_duty(draft: Draft, agent: str, on: bool, because: str) -> None:
    state = draft.state
    if on == (agent in state.on_duty):
        return
    teams = state.loads[agent].settings.teams if agent in state.loads else ()
    before = {team: bool(state.slots.get(team)) for team in teams}
    draft.happen(e.DutySet(agent, on, because))
    draft.turned.update((team, None) for team in teams if before[team] != bool(state.slots.get(team)))
    if on:
        draft.fill(agent)
    else:
        _overflow_due_now(draft, list(draft.turned))


# --- taking ----------------------------------------------------------------------------------------------------------


def _take(draft: Draft, command: c.Take, relayed: bool) -> None:
    try:
        conversation = _wanted(draft, command)
    except (NotFound, Taken) as refusal:
        if not relayed:
            raise
        draft.happen(e.TakeRefused(command.agent, command.no, str(refusal)))
        return
    if conversation:
        display = draft.state.loads[command.agent].settings.display
        draft.choose(conversation, command.agent, f"{display} has taken it", taken=True)


def _wanted(draft: Draft, command: c.Take) -> str:
    """Which conversation the agent wants; empty: they have it already. Raises NotFound and Taken."""
    state, load = draft.state, draft.state.loads.get(command.agent)
    if load is None:
        raise NotFound(f"{command.agent} is not in rules/teams.yaml")
    if not command.no and not command.conversation:
        spot, _ = next_for(state, load, draft.now_ms, asked=True)
        if spot is None:
            raise NotFound("nobody waits")
        return spot.conversation
    conversation = command.conversation or state.numbered.get(command.no, "")
    place = state.places.get(conversation)
    if place is None:
        raise NotFound(f"nobody waits as {f'#{command.no}' if command.no else command.conversation}")
    if place.agent and place.agent != command.agent:
        raise Taken(place.no, state.loads[place.agent].settings.display, place.at_ms)
    return "" if place.agent else conversation


def _list(state: Queue, agent: str, now_ms: int) -> e.WaitingListed:
    teams = state.loads[agent].settings.teams if agent in state.loads else ()
    spots = {spot for team in teams for spot in state.lines.get(team, ())}
    waiting = []
    for spot in heapq.nsmallest(LISTED, spots):
        place = state.places[spot.conversation]
        waited_s = max(0, now_ms - place.at_ms) // 1000
        waiting.append((place.no, place.name, display_of(state, place.line), waited_s))
    return e.WaitingListed(agent, tuple(waiting), len(spots) - len(waiting))


# --- what time brings, and what follows ------------------------------------------------------------------------------


def _rest(draft: Draft) -> None:
    """Who may be given again to the agent who has missed them gets that agent, before anybody who has come since."""
    state = draft.state
    rested = [conversation for conversation, until_ms in state.resting.items() if until_ms <= draft.now_ms]
    if rested and not draft.unsettled:
        for spot in sorted(spot_of(conversation, state.places[conversation]) for conversation in rested):
            place = state.places[spot.conversation]
            if may_have(state, place.avoid, place) and not draft.full():
                _match(draft, spot.conversation)


def _overflow_due(state: Queue, team: str) -> int:
    """When the first who waits for the team goes on to another; at once when nobody of it is on duty."""
    joined_ms, overflow = state.patient[team][0].joined_ms, state.teams[team].overflow
    return joined_ms + overflow.after_s * 1000 if overflow and state.slots[team] else joined_ms


def _overflow_due_now(draft: Draft, teams: list[str]) -> None:
    """All who have waited long enough stand in the next line as well; the first of them are matched first."""
    state, spots = draft.state, list[Spot]()
    for team in teams:
        while team in state.patient and _overflow_due(state, team) <= draft.now_ms and not draft.full():
            conversation = state.patient[team][0].conversation
            _overflow(draft, conversation)
            spots.append(spot_of(conversation, state.places[conversation]))
    for spot in sorted(spots):
        _match(draft, spot.conversation)


def _overflow(draft: Draft, conversation: str) -> None:
    """Let it stand in the next line too, if it has waited long enough, and so on."""
    state = draft.state
    while team := next_line(state, place := state.places[conversation]):
        last = lines_of(place)[-1]
        overflow = state.teams[last].overflow
        waits = bool(state.slots[last])
        if overflow is None or (waits and place.joined_ms + overflow.after_s * 1000 > draft.now_ms):
            return
        why = f"has waited {overflow.after_s} s" if waits else "nobody is on duty"
        draft.happen(e.Overflowed(conversation, place.no, team, f"{display_of(state, last)}: {why}"))
        draft.overflowed.append(conversation)


def _finish(draft: Draft) -> None:
    """Look at some of the teams for which there is more to decide, and tell those who wait how they stand now.

    Nobody is served, or told anything, before all stand where they belong: who came first may still stand elsewhere.
    """
    for line in list(draft.astray):
        if not _reroute(draft, line):
            break
        del draft.astray[line]
    for team in list(draft.unsettled)[:LOOKED_AT]:
        if draft.astray or not _settle(draft, team):
            break
        del draft.unsettled[team]
        draft.turned[team] = draft.moved[team] = None
    draft.more = bool(draft.astray)
    if not draft.more:
        tell(draft)
    if draft.more:
        untold = itertools.islice(draft.state.untold, 1)  # whichever line it is, all of them are told first
        places = [draft.state.places[conversation] for conversation in (*draft.overflowed, *untold)]
        draft.leave([*draft.turned, *draft.moved, *(team for place in places for team in lines_of(place))])
    left, astray = list(draft.unsettled), list(draft.astray)
    if (left, astray) != (draft.state.unsettled, draft.state.astray):
        draft.happen(e.Settling(bool(left), tuple(left), tuple(astray)))


def _settle(draft: Draft, team: str) -> bool:
    """Look at the team's line, the first first; whether that could be done to the end. Agents only have less room then:
    for whom nobody is fit, nobody will be, nor for those behind them in their lane.
    """
    state = draft.state
    for spots in list(state.lanes[team].values()) if chooses(state, team) else ():
        at = 0
        while at < len(spots):
            if draft.full():
                return False
            spot = spots[at]
            if _serve(draft, spot):
                continue
            if not state.places[spot.conversation].avoid:
                break
            at += 1
    return True


def _reroute(draft: Draft, line: str) -> bool:
    """Who stands in the line and belongs elsewhere since teams have changed goes there; whether all of them could."""
    state = draft.state
    for spot in tuple(state.lines.get(line, ())):
        place = state.places[spot.conversation]
        team = team_of(state, place.team)
        if line in state.teams and team == place.line:
            continue
        if draft.full():
            return False
        draft.happen(e.Rerouted(spot.conversation, place.no, team, _why_there(state, place, line, team)))
        draft.leave([team])
    return True


def _why_there(state: Queue, place: Place, line: str, team: str) -> str:
    """Why who stands in the line belongs in that of `team`."""
    if line and line not in state.teams:
        why = "their team is no more"
    else:
        why = "the team is new" if place.team == team else "it is the default team now"
    return f"{display_of(state, team)}: {why}"


def _serve(draft: Draft, spot: Spot) -> bool:
    """Whether somebody is fit for it: they get it, or who came before it in any line if they are fit for them too."""
    state = draft.state
    while choice := agent_for(state, state.places[spot.conversation], draft.now_ms):
        first, _ = next_for(state, state.loads[choice.agent], draft.now_ms)
        if first is None or first == spot:
            draft.choose(spot.conversation, choice.agent, choice.because)
            return True
        spot = first
    return False
