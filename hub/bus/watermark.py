"""How far each stream is known to have reached, kept outside NATS: a log that lost its end is noticed."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from nats.js.api import StreamInfo
from nats.js.errors import NotFoundError

from hub.bus.connection import Connection, insist
from hub.bus.guard import EXPENDABLE
from hub.bus.log import CURE
from hub.errors import LogError, LogWentBack

STREAMS_A_PAGE = 256
"""The server's own limit."""


class Watermark:
    """The last sequence of each stream, in a file that survives a power cut. One process writes one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks: dict[str, int] = {}
        self._saved: dict[str, int] = {}

    @property
    def marks(self) -> Mapping[str, int]:
        """The highest sequence noted, by stream."""
        return self._marks

    def note(self, stream: str, seq: int) -> None:
        """The stream holds `seq` on disk. Costs nothing; `save` writes it."""
        if stream not in EXPENDABLE and seq > self._marks.get(stream, 0):
            self._marks[stream] = seq

    def load(self) -> None:
        """Add what the file knows; no file knows nothing. Raises LogError when it cannot be understood."""
        try:
            known = msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return
        except msgspec.DecodeError as error:
            raise LogError(
                f"{self._path}: {error}. It says how far the log was; when the log is known to be whole, delete it"
            ) from None
        for stream, seq in known.items():
            self.note(stream, seq)

    def save(self) -> None:
        """Write what is new, whole or not at all. Blocks for an fsync: to be called in a thread, once a second."""
        marks = dict(self._marks)
        if marks == self._saved:
            return
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(marks))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._saved = marks


def compare(marks: Mapping[str, int], ends: Mapping[str, int], cure: str = CURE) -> None:
    """Raises LogWentBack with a line for each stream that ends before its mark, or is not among the `ends`."""
    lines = []
    for stream, mark in sorted(marks.items()):
        if stream not in ends:
            lines.append(f"{stream} is missing, it is known to have reached sequence {mark}")
        elif ends[stream] < mark:
            lines.append(f"{stream} ends at sequence {ends[stream]}, it is known to have reached {mark}")
    if lines:
        raise LogWentBack("\n".join([*lines, f"The server lost this at its start, nothing has been written. {cure}"]))


async def check(connection: Connection, marks: Mapping[str, int]) -> None:
    """Return when every stream reaches its mark; to be called before anything is written. Raises LogWentBack."""
    js = connection.jetstream()
    ends = {}
    for stream in marks:
        with contextlib.suppress(NotFoundError):
            info = await insist(connection, lambda stream=stream: js.stream_info(stream))  # type: ignore[misc]
            ends[stream] = info.state.last_seq
    compare(marks, ends)


async def ends(connection: Connection) -> dict[str, int]:
    """The last sequence of each stream. Raises what nats-py raises when the server is away."""
    return {str(stream.config.name): stream.state.last_seq for stream in await streams(connection)}


async def streams(connection: Connection) -> list[StreamInfo]:
    """All there are. Raises what nats-py raises when the server is away."""
    js = connection.jetstream()
    found: list[StreamInfo] = []
    page = STREAMS_A_PAGE
    while page == STREAMS_A_PAGE:
        more = await js.streams_info(len(found))
        found += more
        page = len(more)
    return found
