"""The numbers `#n` of open conversations: small, and not given to another for a week after closing."""

from bisect import bisect_right, insort
from itertools import takewhile
from typing import NamedTuple

import msgspec

REST_MS = 7 * 24 * 3600 * 1000
"""So long the number of a closed conversation is nobody's: an agent's late "#12 …" must reach no stranger."""


class Rest(NamedTuple):
    """A number that was given back, and the moment from which it may be given again."""

    free_at_ms: int
    no: int


class Numbers(msgspec.Struct):
    """Which numbers were ever given, and which of them are back. `free` and `resting` are sorted."""

    highest: int = 0
    free: list[int] = []
    resting: list[Rest] = []

    def next(self, now_ms: int) -> int:
        """The smallest number that has rested by `now_ms`, else one that nobody ever had. Changes nothing."""
        rested = [rest.no for rest in takewhile(lambda rest: rest.free_at_ms <= now_ms, self.resting)]
        return min(self.free[:1] + rested, default=self.highest + 1)

    def take(self, no: int, at_ms: int) -> None:
        """Note that `no`, which was `next` at about `at_ms`, is given."""
        rested = bisect_right(self.resting, at_ms, key=lambda rest: rest.free_at_ms)
        if rested:
            self.free = sorted(self.free + [rest.no for rest in self.resting[:rested]])
            del self.resting[:rested]
        if no > self.highest:
            self.highest = no
        elif no in self.free:
            self.free.remove(no)
        else:  # the clock was set back since `next`
            self.resting = [rest for rest in self.resting if rest.no != no]

    def give_back(self, no: int, free_at_ms: int) -> None:
        """Let `no` rest until `free_at_ms`."""
        insort(self.resting, Rest(free_at_ms, no))
