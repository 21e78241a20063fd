"""The time of day for all that is logged and waited for: it never goes back, whoever sets the machine's clock."""

import time
from collections.abc import Callable

SLOWED = 0.5
"""While the machine's clock is behind, so much of each second passes."""


class Clock:
    """Unix milliseconds that grow with the monotonic clock; `follow` the machine's clock now and then.

    If the machine's clock is set forward, this one jumps with it. If it is set back, this one runs at half speed until
    the other has caught up: what is due in ten seconds is due in twenty, not in an hour and ten seconds.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._at, self._told, self._rate = monotonic(), wall(), 1.0

    def now_ms(self) -> int:
        """The time of day, Unix milliseconds."""
        return int((self._told + (self._monotonic() - self._at) * self._rate) * 1000)

    def at_least(self, ms: int) -> None:
        """Somebody has told this time already, in a log that goes on here: the clock does not fall behind it."""
        at = self._monotonic()
        self._told = max(self._told + (at - self._at) * self._rate, ms / 1000)
        self._at = at
        self.follow()

    def follow(self) -> None:
        """Take note of what the machine's clock says."""
        at, wall = self._monotonic(), self._wall()
        told = self._told + (at - self._at) * self._rate
        self._at, self._told = at, max(told, wall)
        self._rate = SLOWED if told > wall else 1.0
