"""The folder that holds all the hub keeps: who may use it."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

from hub.errors import HubError

LOCK = "hub.lock"


class DataFolder:
    """A data folder that this process, and no other, may write to until it ends or calls `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def take(cls, path: Path) -> Self:
        """The folder, made if need be. Raises HubError when another hub has it (saying which) or it cannot be made."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HubError(f"data folder {path}: {error.strerror}; make it writable or set `data`") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            who = running(path) or "another process"
            raise HubError(f"data folder {path}: in use by {who}; stop that hub first, or set another `data`") from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        return cls(path, lock)

    def release(self) -> None:
        """Let others have it."""
        os.ftruncate(self._lock, 0)
        os.close(self._lock)


def running(path: Path) -> str:
    """Which process has the folder, as "pid 1234"; an empty text when nobody has. Takes nothing."""
    with contextlib.suppress(OSError), (path / LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"pid {lock.read().decode() or '?'}"
    return ""
