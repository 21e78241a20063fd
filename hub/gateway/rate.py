"""The token bucket: how much somebody may send, evenly and in a burst. Reads no clock."""


class Bucket:
    """Holds at most `burst`, gains `per_s` each second; a `take` uses one up, or `count`."""

    __slots__ = ("_at_s", "_level")

    def __init__(self, burst: float, now_s: float) -> None:
        self._level = burst
        self._at_s = now_s

    def take(self, now_s: float, per_s: float, burst: float, count: float = 1) -> bool:
        """Whether there were so many to take. `now_s` is of any clock that never goes back."""
        level = self._level + (now_s - self._at_s) * per_s
        if level > burst:  # noqa: PLR1730 - each frame passes two buckets: min() would be half of what they cost
            level = burst
        self._at_s = now_s
        if level < count:
            self._level = level
            return False
        self._level = level - count
        return True

    def wait_s(self, per_s: float) -> float:
        """Seconds until there is one to take again, as of the last `take`."""
        return max(0.0, (1 - self._level) / per_s)
