"""How many automatic answers one address gets: programs that hide that they are one would answer each for ever."""

from collections import deque

MOST, WITHIN_S = 10, 3 * 3600.0
"""So many within that time."""
MOST_ADDRESSES = 10_000


class Budget:
    """What has gone out by itself, by address; times are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[float]] = {}

    def take(self, address: str, now_s: float) -> bool:
        """Whether one more may go out now; if so it counts, unless it is given back."""
        address = address.casefold()
        times = self._sent.pop(address, deque(maxlen=MOST))
        self._sent[address] = times  # now the last to be forgotten
        if len(self._sent) > MOST_ADDRESSES:
            del self._sent[next(iter(self._sent))]
        if len(times) == MOST and times[0] > now_s - WITHIN_S:
            return False
        times.append(now_s)
        return True

    def give_back(self, address: str) -> None:
        """What was taken last did not go out."""
        if times := self._sent.get(address.casefold()):
            times.pop()
