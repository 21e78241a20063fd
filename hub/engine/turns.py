"""Whose turn it is, where several workers of a machine have something on disk for one entity: Lamport's bakery.

What waits has a number, larger than all that its worker saw announced when it came. Of each spool file and each entity
in it one announcement stands: an empty file whose name says the first and the last number, in a folder of the entity's
own. It stands before a platform is told that something is safe, and whatever a worker's fate: it is the file that
keeps the place, and not the worker. The folders are there in trouble only; nothing is synced, for after a power cut
whoever adopts the spool files announces all of it anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from hub.engine.spool_file import SUFFIX

TURNS = "turns"
"""The folder, in that of the spool files."""
TRIES = 100
"""To make a file in a folder that another worker, having found it empty, may remove at any moment."""


class Turn(NamedTuple):
    """The numbers of what `file` (its name without suffix) holds for an entity. Of two turns the lesser goes first."""

    first: int
    file: str
    last: int


class Turns:
    """What all workers of this machine have announced. Every method raises OSError when the disk fails."""

    def __init__(self, spool: Path) -> None:
        self._spool, self._root = spool, spool / TURNS

    def of(self, entity: str) -> list[Turn]:
        """The turns of all spool files that hold something for it; a file that somebody has removed holds nothing."""
        if not self._root.exists():  # as long as nothing waits, which is nearly always
            return []
        return [turn for turn in _listed(self._folder(entity)) if self._is_there(turn.file)]

    def change(self, entity: str, was: Turn | None, now: Turn | None) -> None:
        """Announce `now` where `was` has stood: all others see the one or the other, in each listing of the folder.

        For Linux lists a folder under the lock that a rename in it takes. No room on the disk is needed for that.
        """
        folder = self._folder(entity)
        if now is None:
            if was is not None:
                (folder / _name(was)).unlink(missing_ok=True)
                self._remove_empty(folder)
            return
        if was is not None:
            with contextlib.suppress(FileNotFoundError):  # somebody has tidied up by hand
                (folder / _name(was)).rename(folder / _name(now))
                return
        _create(folder / _name(now))

    def settle(self, right: Collection[tuple[str, Turn]]) -> None:
        """Of the files in `right`, each turn with its entity, leave nothing else; of files that are gone nothing."""
        files = {turn.file for _, turn in right}
        stay = {(self._folder(entity), turn) for entity, turn in right}
        for folder in _paths(self._root):
            for turn in _listed(folder):
                if not self._is_there(turn.file) or (turn.file in files and (folder, turn) not in stay):
                    (folder / _name(turn)).unlink(missing_ok=True)
            self._remove_empty(folder)

    def _folder(self, entity: str) -> Path:
        return self._root / hashlib.blake2b(entity.encode(), digest_size=16).hexdigest()

    def _is_there(self, file: str) -> bool:
        return (self._spool / f"{file}{SUFFIX}").exists()

    def _remove_empty(self, folder: Path) -> None:
        with contextlib.suppress(OSError):
            folder.rmdir()
            self._root.rmdir()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one on this machine that does this with the folder. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _name(turn: Turn) -> str:
    return f"{turn.first}-{turn.last}-{turn.file}"


def _turn(name: str) -> Turn | None:
    """What a file's name says; None: it is no announcement."""
    first, _, rest = name.partition("-")
    last, _, file = rest.partition("-")
    return Turn(int(first), file, int(last)) if first.isdecimal() and last.isdecimal() and file else None


def _listed(folder: Path) -> list[Turn]:
    return [turn for path in _paths(folder) if (turn := _turn(path.name)) is not None]


def _paths(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _create(file: Path) -> None:
    for more in reversed(range(TRIES)):
        try:
            file.parent.mkdir(0o700, parents=True, exist_ok=True)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            return
        except (FileNotFoundError, FileExistsError):
            if not more:
                raise
