"""Putting a record of the log aside that nobody can read, after a person has said so: `hub log skip`."""

import os
from pathlib import Path
from typing import NamedTuple

from nats.js.errors import NotFoundError

from hub.bus import founding
from hub.bus.connection import Connection, insist
from hub.bus.log import stored_in
from hub.domain.batch import decode_batch
from hub.errors import BusError

FOLDER = "skipped"
"""Inside the data folder: what was put aside, as LOG-<partition>-<sequence>."""


class Skipped(NamedTuple):
    """What was done: why the record cannot be read, the file that has its bytes, and the log's new epoch."""

    why: str
    file: Path
    epoch: int


async def skip(connection: Connection, partition: int, seq: int, data: Path) -> Skipped:
    """Write the record's bytes to a file below `data`, and have all readers leave it out from their next start on.

    Raises BusError when there is no such record, or nothing is wrong with it.
    """
    js, stream = connection.jetstream(), f"LOG-{partition}"
    try:
        record = await insist(connection, lambda: js.get_msg(stream, seq=seq))
    except NotFoundError:
        raise BusError(f"{stream} holds no record at sequence {seq}; `hub log status` shows what it holds") from None
    content = record.data or b""
    why = unreadable(content, record.headers or {}, seq)
    if not why:
        raise BusError(f"{stream}, sequence {seq}: nothing is wrong with this record, it is not skipped")
    file = data / FOLDER / f"{stream}-{seq}"
    _keep(file, content)
    fixed = await founding.note_skipped(connection, partition, seq)
    return Skipped(why, file, fixed.epoch)


def unreadable(content: bytes, headers: dict[str, str], seq: int) -> str:
    """Why no owner can read the record; empty when one can."""
    stored = stored_in(content, headers, seq)
    if isinstance(stored, str):
        return stored
    try:
        decode_batch(content)
    except ValueError as error:
        return str(error)
    return ""


def _keep(file: Path, content: bytes) -> None:
    """On disk before anybody is told to leave it out of the log."""
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with file.open("wb") as kept:
        kept.write(content)
        kept.flush()
        os.fsync(kept.fileno())
