"""How many automatic answers one address gets: programs that hide that they are one would answer each for ever."""

from collections import deque

MOST, WITHIN_S = 10, 3 * 3600.0
"""So many within that time."""
MOST_ADDRESSES = 10_000


class Budget:
    """What has gone out by itself, by address; times are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[float]] = {}

    def has_room(self, address: str, now_s: float) -> bool:
        """Whether one more may go out now."""
        times = self._sent.get(address.casefold()) or deque[float]()
        return len(times) < MOST or times[0] <= now_s - WITHIN_S

    def note(self, address: str, now_s: float) -> None:
        """One has gone out."""
        times = self._sent.pop(address.casefold(), deque(maxlen=MOST))
        self._sent[address.casefold()] = times  # now the last to be forgotten
        times.append(now_s)
        if len(self._sent) > MOST_ADDRESSES:
            del self._sent[next(iter(self._sent))]
