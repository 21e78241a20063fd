"""What waits to be sent: found in one partition's memory, in turns of the loop, and joined from all."""

import asyncio
import heapq
import time
from collections.abc import Collection, Iterator

import msgspec

from hub.domain.attempts import Queued
from hub.domain.looks import MOST
from hub.engine.calls import Listed, Wanted
from hub.engine.entities import TURN_S, Entities


def is_wanted(one: Queued, wanted: Wanted) -> bool:
    """Whether it is on the channel that is asked for, and behind the row before."""
    behind = not wanted.after or (one.at_ms, one.entity, one.place) < wanted.after
    return behind and wanted.channel in ("", one.channel)


async def newest(entities: Entities, entity: str, wanted: Wanted, now_ms: int) -> Listed:
    """The newest of those that are wanted, of one entity; an empty `entity`: of all.

    Whatever has something waiting is in memory (Kind.awake). It goes on meanwhile: each is as of its turn.
    """
    found, cut, until_s = list[Queued](), False, time.perf_counter() + TURN_S
    for one in _waiting(entities, entity, now_ms):
        if one is not None and is_wanted(one, wanted):
            heapq.heappush(found, one)
            if len(found) > min(wanted.limit, MOST):
                heapq.heappop(found)
                cut = True
        if time.perf_counter() >= until_s:
            await asyncio.sleep(0)
            until_s = time.perf_counter() + TURN_S
    return Listed(tuple(sorted(found, reverse=True)), cut)


def _waiting(entities: Entities, entity: str, now_ms: int) -> Iterator[Queued | None]:
    """None after each entity, for most that are awake have nothing that waits: a turn may end there too.

    Their names are taken in one step, which 10,000 of them make as long as a turn.
    """
    for name in [entity] if entity else list(entities.awake):
        slot = entities.slots.get(name)
        if slot is not None and slot.kind.queued is not None and not slot.spoilt:
            for one in slot.kind.queued(slot.state, now_ms):
                yield msgspec.structs.replace(one, because=slot.stopped) if slot.stopped else one
        yield None


def joined(lists: Collection[Listed], limit: int) -> Listed:
    """One list of several. What a list that was cut leaves out may be newer than another's last: no more of the others
    are taken than it has.
    """
    fits = min([limit, *(len(one.queued) for one in lists if one.more)])
    every = heapq.merge(*(one.queued for one in lists), reverse=True)
    taken = tuple(one for one, _ in zip(every, range(fits), strict=False))
    return Listed(taken, any(one.more for one in lists) or sum(len(one.queued) for one in lists) > len(taken))
