"""A file of the spool: what is appended is on disk when `append` returns; several share an fsync.

A group is what one fsync has made durable: its length, its CRC-32, and a MessagePack list of records. What a power cut
tears is therefore always the last group, and nobody has been told that it is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import msgspec

SUFFIX, DAMAGED = ".spool", ".damaged"
_HEAD = struct.Struct("!II")
"""Length and CRC-32 of the list that follows."""


class Contents(NamedTuple):
    """What a file holds: the lists of its sound groups, and how many bytes after them are no group."""

    groups: list[bytes]
    rest: int


class SpoolFile:
    """A file that this process, and no other, appends to and removes. The kernel frees it when the process dies."""

    def __init__(self, path: Path, fd: int | None = None) -> None:
        self.path = path
        """Made by the first `append`, unless it was adopted."""
        self.waiting = 0
        """Records in it that have not been carried out; kept by the spool."""
        self.damaged = False
        self._fd = fd
        self._size = 0
        self._broken = ""
        self._records: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    @classmethod
    def adopt(cls, path: Path) -> SpoolFile | None:
        """The file of a process that has died; None when its process lives, or another one was faster."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        if not os.fstat(fd).st_nlink:  # its process has just removed it
            os.close(fd)
            return None
        return cls(path, fd)

    @property
    def name(self) -> str:
        """That of its path, without the suffix."""
        return self.path.stem

    @property
    def size(self) -> int:
        """Bytes on disk, and on their way there."""
        return self._size + sum(len(record) for record, _ in self._records)

    def read(self) -> Contents:
        """What it holds. Sets `damaged` when something that had been promised cannot be read; a torn end had not."""
        data, groups, at = self.path.read_bytes(), [], 0
        while len(data) - at >= _HEAD.size:
            length, crc = _HEAD.unpack_from(data, at)
            start, end = at + _HEAD.size, at + _HEAD.size + length
            if end > len(data) or zlib.crc32(data[start:end]) != crc:
                self.damaged = end < len(data)
                break
            groups.append(data[start:end])
            at = end
        self._size = at
        return Contents(groups, len(data) - at)

    async def append(self, record: bytes) -> None:
        """Have a MessagePack value on disk. Raises OSError; then it is not in the file."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._records.append((record, stored))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="spool")
        await stored

    async def _write(self) -> None:
        while self._records:
            group, self._records = self._records, []
            try:
                await asyncio.to_thread(self._store, [record for record, _ in group])
            except OSError as error:
                for _, stored in group:
                    if not stored.done():
                        stored.set_exception(error)
            else:
                for _, stored in group:
                    if not stored.done():
                        stored.set_result(None)
        self._writing = None

    def _store(self, records: list[bytes]) -> None:
        if self._broken:
            raise OSError(self._broken)
        if self._fd is None:
            self._fd = _create(self.path)
        payload = msgspec.msgpack.encode([msgspec.Raw(record) for record in records])
        data = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            if os.pwrite(self._fd, data, self._size) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(self._fd)
        except OSError:
            self._cut_back(self._fd)
            raise
        self._size += len(data)

    def _cut_back(self, fd: int) -> None:
        """Half a group must not stand before later ones: where it cannot be removed, nothing more is written."""
        try:
            os.ftruncate(fd, self._size)
        except OSError as error:
            self._broken = f"{self.path} cannot be cut back after a failed write: {error.strerror}"

    def clear(self) -> None:
        """Forget everything in it; should a power cut undo this, all of it is carried out again as repeats."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
                self._size = 0

    def remove(self) -> None:
        """Delete it; what was damaged is kept for a person, under a name that no spool reads."""
        with contextlib.suppress(OSError):
            if self.damaged:
                self.path.rename(self.path.with_suffix(DAMAGED))
            elif self._fd is not None:
                self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let another process have it."""
        if self._fd is not None:
            os.close(self._fd)


def _create(path: Path) -> int:
    """A new file of ours; it is in its folder for good when this returns. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(path)  # only now: nobody may find it unlocked
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError:
        os.close(fd)
        raise
    return fd
