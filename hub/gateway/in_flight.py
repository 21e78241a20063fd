"""What sockets wait for, by partition: bounded in bytes, and in how long an owner may be silent."""

SILENT_S = 5.0
PROBE_S = 1.0
"""So often one command is let through to an owner that has been silent for longer."""
MAX_BYTES = 8 << 20
"""Of commands that wait for one partition."""
COMMAND_BYTES = 1024
"""What a command costs beside its frame, until it is answered."""


class Flow:
    """The commands of this worker's sockets that wait for one partition's owner.

    What waits goes on waiting, however long: it may be on disk already.
    """

    __slots__ = ("_probe_s", "bytes", "silent_s")

    def __init__(self) -> None:
        self.bytes = 0
        self.silent_s = 0.0
        """Something waits, and so long nothing has been answered."""
        self._probe_s = 0.0

    def refusal(self) -> str:
        """Why no more can be taken at this moment; empty when it can."""
        if self.bytes >= MAX_BYTES:
            return "too much waits for the log: send it again"
        if self.silent_s < SILENT_S or self._probe_s >= PROBE_S:
            self._probe_s = 0.0
            return ""
        return f"nothing has been committed for {self.silent_s:.0f} s: send it again"

    def add(self, size: int) -> int:
        """A command of `size` bytes waits; what to hand to `done`."""
        cost = size + COMMAND_BYTES
        self.bytes += cost
        return cost

    def done(self, cost: int, *, given_up: bool) -> None:
        """A command was answered, or given up because nobody answered."""
        self.bytes -= cost
        if not given_up:
            self.silent_s = 0.0

    def pass_s(self, seconds: float) -> None:
        """Time goes by."""
        self.silent_s = self.silent_s + seconds if self.bytes else 0.0
        self._probe_s += seconds
