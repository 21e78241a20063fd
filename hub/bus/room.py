"""How much room the log has: who keeps a nats-server looks at its disk and says it each second, every worker hears it.

On a full disk JetStream neither stores nor refuses: publishes time out, and its streams stay frozen until a restart. So
accepting stops before.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from hub.bus.connection import Connection
from hub.bus.requests import publish, subscribe
from hub.bus.server import StoredStream

SUBJECT = "room"
FORGOTTEN_S = 5.0
"""A report so old says nothing any more: its server is dead, or has been taken away."""
MIN_FREE_PERCENT = 10
FILLING_PERCENT = 70
"""Of a log's own limit: from then on a person should know."""
ENOUGH_MORE_PERCENT = 2
"""So much more than the least must be free until accepting begins again: else it would flicker."""


class Room(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the keeper of one nats-server says. `low`: why nothing more should be accepted, empty while there is room.

    `warnings` are lines for a person: log streams that fill up, records that are missing.
    """

    keeper: str
    low: str = ""
    warnings: tuple[str, ...] = ()


class Disk:
    """Whether the disk of `folder` has room, which is when at least `min_percent` of it are free (0: always)."""

    def __init__(self, folder: Path, min_percent: int = MIN_FREE_PERCENT) -> None:
        self._folder, self._min_percent = folder, min_percent
        self._low = False

    def look(self) -> str:
        """Why it has none, as of now; empty when it has."""
        disk = os.statvfs(self._folder)
        free = 100 * disk.f_bavail / max(disk.f_blocks, 1)
        self._low = free < self._min_percent + (ENOUGH_MORE_PERCENT if self._low and self._min_percent else 0)
        if not self._low:
            return ""
        return f"the log's disk has {free:.1f} % free, {self._min_percent} % are needed: make room"

    @property
    def free_bytes(self) -> int:
        """So much may still be written."""
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize


def warnings(streams: Iterable[StoredStream]) -> tuple[str, ...]:
    """What a person should know of the logs among these streams, a line each."""
    lines = []
    for stream in streams:
        state, limit = stream.state, stream.config.max_bytes
        if not stream.name.startswith("LOG-"):
            continue
        if limit > 0 and 100 * state.bytes >= FILLING_PERCENT * limit:
            lines.append(
                f"{stream.name} is {100 * state.bytes // limit} % full: raise `log_max_bytes`, or see why the history"
                " or the checkpoints lag behind, so that it cannot be trimmed"
            )
        missing = state.last_seq - state.first_seq + 1 - state.messages
        if missing:
            lines.append(f"{stream.name} has lost {missing} records: its files are damaged; see `hub log status`")
    return tuple(lines)


class Reporter:
    """The keeper's side: tells all workers how much room there is."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._keeper = secrets.token_hex(4)

    async def report(self, low: str, warnings: tuple[str, ...]) -> None:
        """Say it now; to be called each second. While NATS is away nobody hears it."""
        await publish(self._connection, SUBJECT, msgspec.json.encode(Room(self._keeper, low, warnings)))


class Rooms:
    """A worker's side: what the keepers of all servers have said last. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[float, Room]] = {}

    async def listen(self, connection: Connection) -> None:
        """Hear them from now on."""
        await subscribe(connection, SUBJECT, lambda data: self.hear(msgspec.json.decode(data, type=Room)))

    def hear(self, room: Room) -> None:
        """Take in one report."""
        self._heard[room.keeper] = (self._clock(), room)

    @property
    def low(self) -> str:
        """Why nothing more should be accepted: so many disks are low that no majority of the servers has room."""
        known = self._known()
        low = [room.low for room in known if room.low]
        return low[0] if 2 * len(low) >= max(len(known), 1) else ""

    @property
    def warnings(self) -> list[str]:
        """What a person should know of, each line once."""
        found = [line for room in self._known() for line in (room.low, *room.warnings) if line]
        return list(dict.fromkeys(found))

    def _known(self) -> list[Room]:
        oldest = self._clock() - FORGOTTEN_S
        self._heard = {keeper: heard for keeper, heard in self._heard.items() if heard[0] >= oldest}
        return [room for _, room in self._heard.values()]
