"""When a far side is not to be called for a while, and how often it may be called. Pure: the time is an argument."""

FAILURES = 5
"""So many calls in a row without an answer of the platform, and it is left alone."""
FIRST_S, LONGEST_S = 1.0, 60.0


class Circuit:
    """Counts what a far side fails to do. After a pause one call tries whether it is back, all others wait for that."""

    def __init__(self) -> None:
        self.because = ""
        """Why nobody calls at this moment; empty: they do."""
        self._failures = 0
        self._pause_s = FIRST_S
        self._open_until = 0.0
        self._probing = False

    def wait_s(self, now_s: float) -> float:
        """0: call now, and tell what came of it; else nothing is to be called for so long."""
        if not self.because:
            return 0.0
        if now_s < self._open_until:
            return self._open_until - now_s
        if self._probing:
            return FIRST_S
        self._probing = True
        return 0.0

    def answered(self) -> None:
        """The platform has answered, whatever it said."""
        self.because, self._failures, self._pause_s, self._probing = "", 0, FIRST_S, False

    def failed(self, because: str, now_s: float, pause_s: float = 0.0) -> None:
        """No answer came; with `pause_s` the platform itself said that nobody has a chance for so long."""
        self._failures += 1
        if not (self.because or pause_s or self._failures >= FAILURES):
            return
        self.because, self._probing = because, False
        self._open_until = now_s + max(self._pause_s, pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_S)


class Rate:
    """Spreads calls evenly: in no second more than `per_second` (0: any number), also after a pause."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._free_at = 0.0

    def take(self, now_s: float, workers: int, longest_s: float) -> float:
        """How long to wait before the call; more than `longest_s`: it has not been given a place, ask again then.

        The limit is divided among `workers`.
        """
        if not self._per_second:
            return 0.0
        gap_s = max(1, workers) / self._per_second
        at = max(self._free_at, now_s)
        if at - now_s <= longest_s:
            self._free_at = at + gap_s
        return at - now_s
