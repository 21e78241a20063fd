"""Attachments in a folder: <owner>/<digest> is the content, <digest>.json beside it what is said of it.

Plain files, for those who want to look at them, scan them, or keep them on a disk of their own. A content is there
once its .json is: that is written last and deleted first.
"""

import contextlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from hub.bus.attachments import PART_BYTES, Attachments, Key, check_owner, damaged, off_loop
from hub.domain.messages import Attachment
from hub.errors import NoAttachment

T = TypeVar("T")
CONTENT, SAID = "content", ".json"
INCOMING = "incoming"
"""What is on its way, each in a folder of its own. No owner is called so: an entity id has a dash."""
FORGOTTEN_S = 24 * 3600
"""What is so old there was left by a process that died."""


class FolderAttachments(Attachments):
    """As hub.bus.attachments.Attachments. All workers, of all machines, must see the same `folder`; nobody else may."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def describe(self, key: str) -> Attachment:
        about = self._content(key).with_suffix(SAID)
        found = await off_loop(_if_there, about.read_bytes)
        if found is None:
            raise NoAttachment(f"nothing is kept under {key}: it has been deleted, or never was there")
        try:
            return msgspec.json.decode(found, type=Attachment)
        except msgspec.DecodeError as error:
            raise damaged(key, f"{about.name}: {error}") from None

    async def delete(self, key: str) -> None:
        await off_loop(_remove, self._content(key))

    async def erase(self, owner: str) -> None:
        check_owner(owner)
        await off_loop(_if_there, lambda: shutil.rmtree(self._folder / owner))

    def _content(self, key: str) -> Path:
        owner, digest = Key.parse(key)
        return self._folder / owner / digest

    @contextlib.asynccontextmanager
    async def _incoming(self) -> AsyncIterator[io.FileIO]:
        folder = await off_loop(self._new_folder)
        try:
            with await off_loop(io.FileIO, folder / CONTENT, "w") as file:
                yield file
        finally:
            await off_loop(shutil.rmtree, folder, ignore_errors=True)

    def _new_folder(self) -> Path:
        incoming = self._folder / INCOMING
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        incoming.mkdir(mode=0o700, exist_ok=True)
        for left in incoming.iterdir():
            found = _if_there(left.stat)  # another worker may be done with it in this moment
            if found is not None and found.st_mtime < time.time() - FORGOTTEN_S:
                shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=incoming))

    async def _keep(self, attachment: Attachment, file: io.FileIO) -> None:
        await off_loop(self._move, attachment, file)

    def _move(self, attachment: Attachment, file: io.FileIO) -> None:
        """Both files are whole and on disk before either has its name."""
        content = self._content(attachment.key)
        content.parent.mkdir(mode=0o700, exist_ok=True)
        come = Path(str(file.name))
        said = come.with_suffix(SAID)
        os.fsync(file.fileno())
        with said.open("xb") as about:
            about.write(msgspec.json.encode(attachment))
            about.flush()
            os.fsync(about.fileno())
        for fresh, there in ((come, content), (said, content.with_suffix(SAID))):
            fresh.chmod(0o600)
            fresh.replace(there)
        for folder in (content.parent, self._folder, self._folder.parent):
            _sync(folder)

    async def _read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        content = self._content(key)
        file = await off_loop(_if_there, lambda: io.FileIO(content))
        if file is None:
            raise damaged(key, "its file is missing")
        with file:
            await off_loop(file.seek, start)
            while start < stop:
                piece = await off_loop(file.read, min(PART_BYTES, stop - start))
                if not piece:
                    raise damaged(key, f"its file ends at byte {start}")
                start += len(piece)
                yield piece


def _if_there(ask: Callable[[], T]) -> T | None:
    """The answer; None when there is no such file."""
    try:
        return ask()
    except FileNotFoundError:
        return None


def _remove(content: Path) -> None:
    content.with_suffix(SAID).unlink(missing_ok=True)
    content.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
