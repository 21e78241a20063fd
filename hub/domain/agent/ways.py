"""On which of an agent's channels they are reached at this moment, and what changes when that is another one.

Of the ways in rules/teams.yaml the first counts whose condition holds and that does not fail. A desk in front is a way
too: while it is, nothing is pushed to a phone.
"""

from typing import NamedTuple

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent.phone import BLOCK_MARGIN, pages
from hub.domain.agent.state import MISSING, Agent, Note, next_place
from hub.domain.events import AnyEvent
from hub.domain.messages import Limits
from hub.domain.presence import is_in_front
from hub.domain.teams import DESK, AgentSettings, Way

FAILING_MS = 3_600_000
"""So long a channel on which somebody could not be reached is not tried again, unless they come on duty."""
MOST_DESKS = 8


class Choice(NamedTuple):
    """A way, and why it is this one."""

    way: Way
    because: str


def choose(state: Agent, settings: AgentSettings, at_ms: int) -> Choice | None:
    """The way at that moment; None: no way is left, or there are none to choose from."""
    left = [way for way in settings.ways if state.failing.get(way.channel, 0) <= at_ms]
    skipped = "，".join(f"{way.channel} 联系不上" for way in settings.ways if way not in left)
    for way in left:
        if because := _holds(state, way, at_ms):
            return Choice(way, "；".join(filter(None, (skipped, because))))
    rest = next((way for way in left if way.channel != DESK), None)
    return Choice(rest, skipped or "没有别的方式") if rest else None


def _holds(state: Agent, way: Way, at_ms: int) -> str:
    """Why the way may be taken; empty: it may not."""
    if way.channel == DESK:
        return "工作台在前台" if any(until_ms > at_ms for until_ms in state.desks.values()) else ""
    if way.off_duty:
        return "" if state.on_duty else "不在班"
    if way.unread_s:
        since_ms = _unread_ms(state)
        return f"{way.unread_s} 秒没有看" if since_ms and since_ms + way.unread_s * 1000 <= at_ms else ""
    return "首选" if state.settings is None or way == state.settings.ways[0] else "排在前面的都不适用"


def _unread_ms(state: Agent) -> int:
    """Since when a message waits to be read by somebody who gives no sign of life; 0: none does.

    Who writes on their phone is there, and reads on it what is said to that.
    """
    since_ms = min((served.unread_ms for served in state.serving.values() if served.unread_ms), default=0)
    return max(since_ms, state.written_ms) if since_ms else 0


def next_due(state: Agent) -> int | None:
    """When another way counts than the one in force, as far as time alone decides it; None: never."""
    settings = state.settings
    if settings is None or len(settings.ways) < 2:
        return None
    unread_ms = _unread_ms(state)
    moments = {
        state.at_ms, *state.desks.values(), *state.failing.values(),
        *(unread_ms + way.unread_s * 1000 for way in settings.ways if unread_ms and way.unread_s),
    }  # fmt: skip
    due = (at_ms for at_ms in sorted(moments) if at_ms >= state.at_ms and _another(state, settings, at_ms))
    return next(due, None)


def _another(state: Agent, settings: AgentSettings, at_ms: int) -> Choice | None:
    """The way that counts then, if it is not the one in force."""
    choice = choose(state, settings, at_ms) or _last_resort(state, settings)
    if choice is None:
        return None
    at_desk = choice.way.channel == DESK
    if at_desk or state.at_desk:
        return None if at_desk == state.at_desk else choice
    here = (settings.channel, settings.address)
    return None if (choice.way.channel, choice.way.address) == here else choice


def _last_resort(state: Agent, settings: AgentSettings) -> Choice | None:
    """For who has left the desk: their phone once more, though it fails; if it does so again, somebody hears of it."""
    if not state.at_desk:
        return None
    return Choice(Way(settings.channel, settings.address, settings.limits), "都联系不上，再试一次")


def tick(state: Agent, now_ms: int) -> list[AnyEvent]:
    """The change of the way that is due."""
    settings = state.settings
    if settings is None or len(settings.ways) < 2:
        return []
    choice = _another(state, settings, now_ms)
    if choice is None:
        return []
    return [e.WayChosen(choice.way, choice.because, serving(state))]


def serving(state: Agent) -> tuple[tuple[str, int], ...]:
    """What they have, each with the seq of the assignment that they know of."""
    return tuple((conversation, served.assigned) for conversation, served in state.serving.items())


def moved(state: Agent, settings: AgentSettings | None) -> list[AnyEvent]:
    """What follows where new settings, which are `settle`d, have the phone in force no more."""
    before = state.settings
    if before is None or settings is None or not (before.channel and settings.ways) or state.at_desk:
        return []
    way = next((way for way in settings.ways if way.channel == settings.channel), None)
    if way is None or (before.channel, before.address) == (way.channel, way.address):
        return []
    return [e.WayChosen(way, "rules/teams.yaml", serving(state))]


def settle(state: Agent, settings: AgentSettings, now_ms: int) -> AgentSettings:
    """New settings with the way in force, where that is still one of theirs; else with the one that counts now."""
    phones = [way for way in settings.ways if way.channel != DESK]
    if not phones:
        return settings
    here = (state.settings.channel, state.settings.address) if state.settings else ("", "")
    way = next((way for way in phones if (way.channel, way.address) == here), None)
    if way is None:
        fresh = msgspec.structs.replace(state, settings=settings, failing={}, desks={})
        choice = choose(fresh, settings, now_ms)
        way = choice.way if choice else phones[0]
    return by(settings, way)


def by(settings: AgentSettings, way: Way) -> AgentSettings:
    """The settings with this way in force; a desk leaves the phone what it is."""
    if way.channel == DESK:
        return settings
    return msgspec.structs.replace(settings, channel=way.channel, address=way.address, limits=way.limits)


def fail(state: Agent, channel: str, because: str, now_ms: int) -> list[AnyEvent]:
    """The channel fails: another way counts; nothing: none is left."""
    settings = state.settings
    if settings is None:
        return []
    until_ms = now_ms + FAILING_MS
    without = msgspec.structs.replace(state, failing=state.failing | {channel: until_ms})
    if choose(without, settings, now_ms) is None:
        return []
    another = _another(without, settings, now_ms)  # now, for what was refused comes again there
    changed = [e.WayChosen(another.way, another.because, serving(state))] if another else []
    return [e.WayFailed(channel, because, until_ms), *changed]


def set_desk(state: Agent, command: c.SetDesk, now_ms: int) -> list[AnyEvent]:
    """A desk is in front until then, or is no more."""
    known_ms = state.desks.get(command.desk, 0)
    if command.until_ms <= now_ms and not known_ms:
        return []
    return [e.DeskSet(command.desk, command.until_ms if command.until_ms > now_ms else 0)]


def evolve(state: Agent, event: e.WayChosen | e.WayFailed | e.DeskSet, at_ms: int) -> None:
    """As hub.domain.agent.evolving.evolve, of these events."""
    match event:
        case e.DeskSet(desk=desk, until_ms=until_ms):
            desks = {other: ms for other, ms in state.desks.items() if other != desk and ms > at_ms}
            state.desks = dict([*desks.items(), (desk, until_ms)][-MOST_DESKS:]) if until_ms else desks
            if until_ms:
                state.presence = is_in_front(state.presence, at_ms)
        case e.WayFailed(channel=channel, until_ms=until_ms):
            state.failing[channel] = until_ms
        case e.WayChosen(way=way):
            _change(state, way)


def cut_notes(state: Agent, limits: Limits) -> None:
    """What waits as notes is cut anew, to the size of another channel."""
    limit, cut = limits.max_text - BLOCK_MARGIN, list[Note]()
    for one in state.notes:
        first, *more = pages(one.text, limit)
        cut.append(msgspec.structs.replace(one, text=first))
        cut += [msgspec.structs.replace(one, text=page, place=next_place(state)) for page in more]
    state.notes = cut


def _change(state: Agent, way: Way) -> None:
    """Another phone: it shows nothing yet, and what nobody has answered comes again from the conversations."""
    assert state.settings is not None
    state.settings = by(state.settings, way)
    cut_notes(state, state.settings.limits)
    state.at_desk = way.channel == DESK
    state.seen, state.part, state.blocks, state.since = {}, 0, [], state.attempts
    for served in state.serving.values():
        served.last, served.waits_ms = MISSING, 0
