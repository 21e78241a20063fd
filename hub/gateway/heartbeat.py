"""The wheel that one sweep a worker turns: thousands of time-outs without a timer or task for each."""

from typing import Generic, Protocol, TypeVar

TICK_S = 0.25
SLOTS = 128
"""A turn of the wheel is 32 s, more than the longest delay (PING_EVERY_S)."""

PING_EVERY_S = 30.0
PONG_S = 3.0
"""So long a client has to answer a ping."""
DOOR_S = 30.0
"""So long a client stands at the door at most (door.py)."""
HELLO_S = 10.0
LINGER_S = 2.0
"""So long a closed socket's client has to close its side."""


class Item(Protocol):
    """What can stand on the wheel: it remembers its slot, -1 when it stands in none."""

    slot: int


T = TypeVar("T", bound=Item)


class Wheel(Generic[T]):
    """Items by when they are due, in steps of TICK_S. An item stands on it once at most."""

    def __init__(self) -> None:
        self._slots: list[set[T]] = [set() for _ in range(SLOTS)]
        self._now = 0

    def put(self, item: T, delay_s: float) -> None:
        """Make `item` due in `delay_s` (at most one turn), never earlier; it leaves the place it had."""
        ticks = min(SLOTS - 1, max(1, -int(-delay_s // TICK_S) + 1))
        self.drop(item)
        item.slot = (self._now + ticks) % SLOTS
        self._slots[item.slot].add(item)

    def drop(self, item: T) -> None:
        """Take `item` off, if it is on."""
        if item.slot >= 0:
            self._slots[item.slot].discard(item)
            item.slot = -1

    def turn(self) -> set[T]:
        """One step on: the items that are due now, taken off."""
        self._now = (self._now + 1) % SLOTS
        due, self._slots[self._now] = self._slots[self._now], set()
        for item in due:
            item.slot = -1
        return due
