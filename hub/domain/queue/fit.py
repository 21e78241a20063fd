"""Who is fit for whom: which agent a conversation goes to, which conversation an agent gets next, and why.

An agent is fit for a conversation when they are on duty in a team in whose line it stands, have room for what it weighs
and speak its language; who has missed it, is not fit for it until a while later.
"""

from bisect import bisect_left
from typing import NamedTuple

from hub.domain.queue.state import Load, Place, Queue, Slot, Spot, charge, lines_of, spot_of
from hub.domain.teams import AgentSettings

DAY_MS = 24 * 3600 * 1000
NAMED = 2
"""So many of those who do not get it are named in a reason, the others are counted."""


class Choice(NamedTuple):
    """An agent for a conversation."""

    agent: str
    because: str


def speaks(settings: AgentSettings, language: str) -> bool:
    """Whether the agent can answer in that language; an empty one is anybody's."""
    return not language or not settings.languages or language in settings.languages


def spoken(state: Queue, team: str, place: Place) -> str:
    """The language that an agent of `team` must speak for it; empty: any."""
    return place.language if place.language in state.languages.get(team, ()) else ""


def has_room(load: Load, channel: str) -> bool:
    """Whether the agent can have another conversation from there."""
    return load.load + charge(load, channel) <= load.settings.capacity


def rests(place: Place, agent: str, now_ms: int) -> bool:
    """Whether it is not given to the agent at this moment, for they have just missed it."""
    return place.avoid == agent and now_ms < place.avoid_until_ms


def chooses(state: Queue, team: str) -> bool:
    """Whether the queue chooses agents for that team; else they choose themselves."""
    return team in state.teams and state.teams[team].pick != "manual"


def may_have(state: Queue, agent: str, place: Place) -> bool:
    """Whether the agent is on duty and fit for it, leaving aside what they have missed."""
    load = state.loads.get(agent)
    if load is None or agent not in state.on_duty or not has_room(load, place.channel):
        return False
    return any(
        team in load.settings.teams and chooses(state, team) and speaks(load.settings, spoken(state, team, place))
        for team in lines_of(place)
    )


def agent_for(state: Queue, place: Place, now_ms: int) -> Choice | None:
    """Who gets it: who served the visitor last, else the first of its teams' agents who is fit.

    The agent to be avoided gets it only when nobody else is fit.
    """
    if choice := _last_agent(state, place, now_ms):
        return choice
    otherwise: Choice | None = None
    for team in lines_of(place):
        if not chooses(state, team):
            continue
        language = spoken(state, team, place)
        for slot in state.slots[team]:
            if slot.full:
                break
            load = state.loads[slot.agent]
            if not (speaks(load.settings, language) and has_room(load, place.channel)):
                continue
            if rests(place, slot.agent, now_ms):
                continue
            if slot.agent != place.avoid:
                return Choice(slot.agent, _reason(state, place, team, slot))
            otherwise = otherwise or Choice(slot.agent, _reason(state, place, team, slot))
    return otherwise


def _last_agent(state: Queue, place: Place, now_ms: int) -> Choice | None:
    team = state.teams.get(place.line)
    if not place.last or team is None or not team.last_agent_days or place.last == place.avoid:
        return None
    if now_ms - place.last_ms > team.last_agent_days * DAY_MS or not may_have(state, place.last, place):
        return None
    load = state.loads[place.last]
    return Choice(place.last, f"{team.display}: {_has(load)}, served the visitor before")


def next_for(
    state: Queue, load: Load, now_ms: int, *, but: str = "", asked: bool = False
) -> tuple[Spot, str] | tuple[None, None]:
    """The first in the lines of the agent's teams whom they are fit for, without `but`, and the team of that line.

    `asked`: they have asked for the next one themselves; then it may be too many for them, may be one that they have
    missed, and may wait for a team that chooses itself.
    """
    found, line = None, None
    for team in load.settings.teams:
        if team not in state.teams or not (asked or chooses(state, team)):
            continue
        for (language, channel), spots in state.lanes[team].items():
            if found is not None and found <= spots[0]:
                continue
            if not speaks(load.settings, language) or not (asked or has_room(load, channel)):
                continue
            for spot in spots:
                if found is not None and found <= spot:
                    break
                place = state.places[spot.conversation]
                if spot.conversation != but and (asked or not rests(place, load.settings.id, now_ms)):
                    found, line = spot, team
                    break
    return (found, line) if found is not None and line is not None else (None, None)


def position(state: Queue, conversation: str, place: Place, team: str) -> int:
    """Where in the team's line it stands; 1 is the first."""
    return 1 + bisect_left(state.lines[team], spot_of(conversation, place))


# --- in words --------------------------------------------------------------------------------------------------------


def display_of(state: Queue, team: str) -> str:
    """What people call the team."""
    return state.teams[team].display if team in state.teams else team


def why_next(state: Queue, load: Load, team: str) -> str:
    """Why an agent who has become free gets the first in a line."""
    return f"{display_of(state, team)}: {_has(load)}, nobody else is free"


def why_nobody(state: Queue, place: Place) -> str:
    """Why it waits."""
    return "; ".join(_nobody(state, place, team) for team in lines_of(place))


def _nobody(state: Queue, place: Place, team: str) -> str:
    display = display_of(state, team)
    if team not in state.teams:
        return "there are no teams yet"
    if not state.slots[team]:
        return f"{display}: nobody is on duty"
    if not chooses(state, team):
        return f"{display}: agents take themselves whom they serve"
    slots = state.slots[team]
    others = _others(state, place, team, [slot for slot in slots if not slot.full], slots[_fit(slots) :])
    return f"{display}: nobody is free{others}"


def _reason(state: Queue, place: Place, team: str, slot: Slot) -> str:
    """Why `slot` was picked: "After-sales: Wang has 3/5, least loaded; Li at capacity; 2 more off duty"."""
    slots = state.slots[team]
    at, fit = bisect_left(slots, slot), _fit(slots)
    why = "nobody else is free"
    if fit - at > 1:
        why = "waited longest for one" if state.teams[team].pick == "round_robin" else "least loaded"
    others = _others(state, place, team, slots[:at], slots[fit:])
    return f"{display_of(state, team)}: {_has(state.loads[slot.agent])}, {why}{others}"


def _others(state: Queue, place: Place, team: str, skipped: list[Slot], full: list[Slot]) -> str:
    """Why the others did not get it."""
    words = [f"; {_skip(state, place, team, slot)}" for slot in skipped[:NAMED]]
    if len(skipped) > NAMED:
        words.append(f"; {len(skipped) - NAMED} more skipped")
    if full:
        names = ", ".join(state.loads[slot.agent].settings.display for slot in full[:NAMED])
        more = f" and {len(full) - NAMED} more" if len(full) > NAMED else ""
        words.append(f"; {names}{more} at capacity")
    if off := state.members[team] - len(state.slots[team]):
        words.append(f"; {off} more off duty")
    return "".join(words)


def _skip(state: Queue, place: Place, team: str, slot: Slot) -> str:
    load, language = state.loads[slot.agent], spoken(state, team, place)
    if not speaks(load.settings, language):
        return f"{load.settings.display} does not speak {language}"
    if not has_room(load, place.channel):
        return f"{_has(load)}, too little room"
    return f"{load.settings.display} {'has missed it' if place.avoid_until_ms else 'gave it away'}"


def _has(load: Load) -> str:
    return f"{load.settings.display} has {load.load}/{load.settings.capacity}"


def _fit(slots: list[Slot]) -> int:
    """How many of them are not full."""
    return bisect_left(slots, True, key=lambda slot: slot.full)
