"""The numbers `#n` of open conversations: small, and not given to another for a week after closing."""

import heapq
from bisect import insort
from itertools import islice, takewhile

import msgspec

REST_MS = 7 * 24 * 3600 * 1000
"""So long the number of a closed conversation is nobody's: an agent's late "#12 …" must reach no stranger."""
AT_ONCE = 32
"""So many of those that have rested are looked at when one is given: after a quiet night there may be thousands."""


class Rest(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A number that was given back, and the moment from which it may be given again."""

    free_at_ms: int
    no: int


class Numbers(msgspec.Struct):
    """Which numbers were ever given, and which of them are back. `free` is a heap, `resting` is sorted."""

    highest: int = 0
    free: list[int] = []
    resting: list[Rest] = []

    def next(self, now_ms: int) -> int:
        """The smallest number that has rested by `now_ms`, of the first of them; else one that nobody ever had.

        Changes nothing.
        """
        return min([*self.free[:1], *(rest.no for rest in self._rested(now_ms))], default=self.highest + 1)

    def take(self, no: int, at_ms: int) -> None:
        """Note that `no`, which was `next` at about `at_ms`, is given."""
        rested = self._rested(at_ms)
        for rest in rested:
            heapq.heappush(self.free, rest.no)
        del self.resting[: len(rested)]
        if no > self.highest:
            self.highest = no
        elif self.free[:1] == [no]:
            heapq.heappop(self.free)
        elif no in self.free:  # the clock was set forward since `next`
            self.free = sorted(free for free in self.free if free != no)
        else:  # or back
            self.resting = [rest for rest in self.resting if rest.no != no]

    def give_back(self, no: int, free_at_ms: int) -> None:
        """Let `no` rest until `free_at_ms`."""
        insort(self.resting, Rest(free_at_ms, no))

    def _rested(self, at_ms: int) -> list[Rest]:
        return list(takewhile(lambda rest: rest.free_at_ms <= at_ms, islice(self.resting, AT_ONCE)))
