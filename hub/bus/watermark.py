"""How far each stream is known to have reached, kept outside NATS: a log that lost its end is noticed."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from nats.js.errors import NotFoundError

from hub.bus.connection import Connection, insist
from hub.bus.log import CURE
from hub.errors import LogError, LogWentBack


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
        if seq > self._marks.get(stream, 0):
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


async def check(connection: Connection, marks: Mapping[str, int]) -> None:
    """Return when every stream reaches its mark; after each start of the server, before anything is written.

    Raises LogWentBack with a line for each stream that is missing or ends too early.
    """
    js = connection.jetstream()
    lines = []
    for stream, mark in sorted(marks.items()):
        try:
            info = await insist(connection, lambda stream=stream: js.stream_info(stream))  # type: ignore[misc]
        except NotFoundError:
            lines.append(f"{stream} is missing, it is known to have reached sequence {mark}")
            continue
        if info.state.last_seq < mark:
            lines.append(f"{stream} ends at sequence {info.state.last_seq}, it is known to have reached {mark}")
    if lines:
        raise LogWentBack("\n".join([*lines, f"The server lost this at its start, nothing has been written. {CURE}"]))
