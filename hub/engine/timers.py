"""When entities are due: one heap and one alarm for all entities of a partition."""

import asyncio
import heapq
from collections.abc import Callable

LONGEST_S = 1.0
"""So long the alarm sleeps at most: the clock that it goes by may be set meanwhile."""
GAP_MS = 10
"""An entity that is due again at once after its tick is ticked no more often than this."""


class Timers:
    """Calls `ring` with each entity at its moment (Unix ms, by `now_ms`). To be used inside a running loop.

    Moments are put off far more often than they come: with each message of a conversation. So an entity stands in
    the heap at the earliest moment that it was set to, and when that comes it moves on to the one that counts.
    """

    def __init__(self, now_ms: Callable[[], int], ring: Callable[[str], None]) -> None:
        self._now_ms, self._ring = now_ms, ring
        self._due: dict[str, int] = {}
        self._looks: dict[str, int] = {}
        """Where each entity stands in the heap; what else is there of it counts no more."""
        self._heap: list[tuple[int, str]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._not_before = 0

    def set(self, entity: str, due_ms: int | None) -> None:
        """The entity is due then, and at no other moment that was set before; None: it waits for nothing."""
        if due_ms is None:
            self._due.pop(entity, None)
            return
        self._due[entity] = due_ms = max(due_ms, self._not_before)
        look_ms = self._looks.get(entity)
        if look_ms is None or due_ms < look_ms:
            self._look(entity, due_ms)
            if self._heap[0] == (due_ms, entity):
                self._set_alarm()

    def due(self) -> dict[str, int]:
        """What waits, and until when."""
        return dict(self._due)

    def close(self) -> None:
        """Ring no more."""
        self._due.clear()
        self._looks.clear()
        self._heap.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def _look(self, entity: str, at_ms: int) -> None:
        self._looks[entity] = at_ms
        heapq.heappush(self._heap, (at_ms, entity))

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        delay_s = min(max(0, self._heap[0][0] - self._now_ms()) / 1000, LONGEST_S)
        self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring_due)

    def _ring_due(self) -> None:
        now_ms = self._now_ms()
        self._not_before = now_ms + GAP_MS
        while self._heap and self._heap[0][0] <= now_ms:
            look_ms, entity = heapq.heappop(self._heap)
            if self._looks.get(entity) != look_ms:
                continue
            del self._looks[entity]
            due_ms = self._due.get(entity)
            if due_ms is None:
                continue
            if due_ms > look_ms:  # it may have come as well: in its turn
                self._look(entity, due_ms)
            else:
                del self._due[entity]
                self._ring(entity)
        self._not_before = 0
        if self._heap:
            self._set_alarm()
