"""How much a bot may send, and when it may send again. No I/O; the clock is an argument, in seconds.

https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: about one message a second in a chat,
short bursts allowed; 20 a minute in a group; about 30 a second in all. How long a burst may be is not documented: see
BURST. Only what sends a message is counted.
"""

import math
from collections import defaultdict, deque

IN_ALL, IN_ALL_S = 30, 1.0
IN_GROUP, IN_GROUP_S = 20, 60.0
BURST = 5
"""Messages that a chat takes at once; then one a second. The stand-in's own guess."""


class Limits:
    """What was sent of late."""

    def __init__(self) -> None:
        self._all = _Window(IN_ALL, IN_ALL_S)
        self._groups: defaultdict[int, _Window] = defaultdict(lambda: _Window(IN_GROUP, IN_GROUP_S))
        self._chats: defaultdict[int, _Bucket] = defaultdict(_Bucket)

    def take(self, chat: int, group: bool, now: float) -> int:
        """Count a message to the chat; or, where it is one too many, so many whole seconds to wait."""
        counters: list[_Window | _Bucket] = [self._all, self._chats[chat]]
        if group:
            counters.append(self._groups[chat])
        wait_s = max(counter.wait_s(now) for counter in counters)
        if wait_s > 0:
            return math.ceil(wait_s)
        for counter in counters:
            counter.count(now)
        return 0


class _Window:
    """At most `most` in any `length_s`."""

    def __init__(self, most: int, length_s: float) -> None:
        self._length_s = length_s
        self._at: deque[float] = deque(maxlen=most)

    def wait_s(self, now: float) -> float:
        if self._at and self._at[-1] > now:  # the clock was set back
            self._at.clear()
        return self._at[0] + self._length_s - now if len(self._at) == self._at.maxlen else 0

    def count(self, now: float) -> None:
        self._at.append(now)


class _Bucket:
    """BURST at once; it fills up again by one a second."""

    def __init__(self) -> None:
        self._left, self._since = float(BURST), -math.inf

    def wait_s(self, now: float) -> float:
        return 1 - self._filled(now)

    def count(self, now: float) -> None:
        self._left, self._since = self._filled(now) - 1, now

    def _filled(self, now: float) -> float:
        # set back, the clock counts as if the bucket had filled up
        return min(BURST, self._left + now - self._since) if now >= self._since else BURST
