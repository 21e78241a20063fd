"""The door: when a thousand clients come back at once, handshakes get a part of each turn of the loop, not all of it.

Who comes while the part is used up stands in line, first come, first served; what a client in line costs is a few
kilobytes. Messages of those who are in go on meanwhile.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

SLICE_S = 0.003
"""Of each turn of the event loop."""
LINE = 4096
"""So many may stand in line; whoever comes then is sent away."""


class Door:
    """One worker's. `clock_s` measures what a handshake takes."""

    def __init__(self, clock_s: Callable[[], float] = time.perf_counter) -> None:
        self._clock_s = clock_s
        self._line: deque[Callable[[], None]] = deque()
        self._spent_s = 0.0
        self._turning = False

    def enter(self, admit: Callable[[], None]) -> bool:
        """Call `admit` now, or when it is its turn; False when the line is full, then it is never called."""
        if len(self._line) >= LINE:
            return False
        self._line.append(admit)
        self._admit()
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)
        return True

    def _turn(self) -> None:
        """A new turn of the loop has begun."""
        self._spent_s = 0.0
        self._turning = bool(self._line)
        if self._turning:
            asyncio.get_running_loop().call_soon(self._turn)
            self._admit()

    def _admit(self) -> None:
        while self._line and self._spent_s < SLICE_S:
            begun_s = self._clock_s()
            self._line.popleft()()
            self._spent_s += self._clock_s() - begun_s
