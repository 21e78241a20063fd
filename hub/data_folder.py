"""The folder that holds all the hub keeps: who may use it, and its secrets."""

import contextlib
import fcntl
import hashlib
import os
import secrets
from pathlib import Path
from typing import Self

from hub.errors import HubError

LOCK, SECRET_KEY, ADMIN_HASH = "hub.lock", "secret.key", "admin.hash"


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

    def make_secrets(self) -> str:
        """Make what the first start makes: the key that signs tokens, and the admin token.

        Returns the admin token when it was made just now, else an empty text: only its SHA-256 is kept. Whoever
        deletes that file (admin.hash) gets a new one at the next start.
        """
        if not (self.path / SECRET_KEY).exists():
            _write(self.path / SECRET_KEY, secrets.token_bytes(32))
        if (self.path / ADMIN_HASH).exists():
            return ""
        token = secrets.token_urlsafe(32)
        _write(self.path / ADMIN_HASH, hash_token(token).encode())
        return token


def hash_token(token: str) -> str:
    """What is kept of an admin token, to compare with: its SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def running(path: Path) -> str:
    """Which process has the folder, as "pid 1234"; an empty text when nobody has. Takes nothing."""
    with contextlib.suppress(OSError), (path / LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"pid {lock.read().decode() or '?'}"
    return ""


def _write(path: Path, content: bytes) -> None:
    """The whole file or none of it, readable by nobody else, on disk when this returns."""
    half = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        half.unlink()
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
