"""Pictures and files: kept outside the log under keys that name their owner and their content.

A key reads ``<owner>.<digest>``: the owner is the entity id of a conversation or an agent. So the same upload gets the
same key, nothing is shared between two conversations, and whoever erases a conversation finds all that is its own.
attachment_stream.py keeps them in NATS, attachment_folder.py in a folder.
"""

import abc
import asyncio
import base64
import contextlib
import hashlib
import io
import re
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, ParamSpec, TypeVar

from hub.domain.messages import Attachment
from hub.errors import AttachmentDamaged, AttachmentsAway, AttachmentTooBig, NoAttachment

P = ParamSpec("P")
T = TypeVar("T")
PART_BYTES = 256 * 1024
"""A content is stored and read so much at a time: nobody holds more of it in memory."""
_OWNER = re.compile(r"[a-z]\d{1,4}-[A-Za-z0-9_-]{1,128}")
_DIGEST = re.compile(r"[a-z2-7]{32}")


class Attachments(abc.ABC):
    """The store. Every method raises AttachmentsAway when it cannot be reached or has no room.

    Then it is not known whether it was carried out: a server that stood still may do it later. All may be repeated.
    """

    async def put(
        self, owner: str, chunks: AsyncIterator[bytes] | bytes, limit: int, *, name: str, type: str
    ) -> Attachment:
        """Keep this content for `owner`: all of it is on disk when this returns, and never a part of it.

        `name` and `type` are kept beside it as they are; the last ones count where the same content comes again.
        Raises AttachmentTooBig after `limit` bytes, ValueError when `owner` is no entity id, and what `chunks` raises.
        """
        check_owner(owner)
        async with self._incoming() as file:
            digest, size = await _write_all(chunks, limit, file)
            attachment = Attachment(str(Key(owner, digest)), name, type, size)
            await self._keep(attachment, file)
        return attachment

    @abc.abstractmethod
    async def describe(self, key: str) -> Attachment:
        """What is kept under `key`. Raises NoAttachment; any text may be asked about."""

    async def get(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The content from byte `start` up to `stop`, as it is read. Raises NoAttachment.

        The iterator raises AttachmentDamaged when a part is missing, and, asked for everything, instead of the last
        piece when it is not what was put there.
        """
        size = (await self.describe(key)).size
        stop = size if stop is None else min(stop, size)
        pieces = self._read(key, start, stop)
        return _verified(key, pieces) if (start, stop) == (0, size) else pieces

    @abc.abstractmethod
    async def delete(self, key: str) -> None:
        """Keep it no longer; nothing happens when it is gone already. Raises NoAttachment for what is no key."""

    @abc.abstractmethod
    async def erase(self, owner: str) -> None:
        """Delete all that is this entity's. Raises ValueError when `owner` is no entity id."""

    @abc.abstractmethod
    def _incoming(self) -> contextlib.AbstractAsyncContextManager[io.FileIO]:
        """An empty file for a content on its way. Nothing of it is left afterwards."""

    @abc.abstractmethod
    async def _keep(self, attachment: Attachment, file: io.FileIO) -> None:
        """Have what stands in `file` stored, with what is said of it."""

    @abc.abstractmethod
    def _read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """These bytes of a content that is there. Raises AttachmentDamaged."""


class Digest:
    """The digest of a content that comes in pieces; as text it is part of a key."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=20)

    def add(self, chunk: bytes) -> None:
        """The next piece."""
        self._hash.update(chunk)

    def __str__(self) -> str:
        return base64.b32encode(self._hash.digest()).decode().lower()


class Key(NamedTuple):
    """A key's two parts: neither has a dot or a slash, so they may be parts of subjects and paths."""

    owner: str
    digest: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """The parts of any text that may be a key. Raises NoAttachment when it is none."""
        owner, _, digest = text.partition(".")
        if not _OWNER.fullmatch(owner) or not _DIGEST.fullmatch(digest):
            raise NoAttachment(f"{text[:100]!r} is no attachment's key; one looks like c7-k3v9.mfrggzdf…")
        return cls(owner, digest)


def check_owner(owner: str) -> None:
    """Raises ValueError when this is no entity id: it becomes part of subjects and paths."""
    if not _OWNER.fullmatch(owner):
        raise ValueError(f"{owner[:100]!r} can own no attachment: it is no entity id")


async def off_loop(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, in a thread, since it waits for a disk. Raises AttachmentsAway for what the disk refuses."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        where = f" {error.filename}:" if error.filename else ""
        raise AttachmentsAway(
            f"attachments:{where} {error.strerror}; make room on that disk, make it writable, or set `media` otherwise"
        ) from None


def damaged(key: str, why: str) -> AttachmentDamaged:
    """The error that says so."""
    return AttachmentDamaged(f"attachment {key}: {why}. Have the disk looked at; a backup of the store may have it")


async def _write_all(chunks: AsyncIterator[bytes] | bytes, limit: int, file: io.FileIO) -> tuple[str, int]:
    """Write all of it to `file`; its digest and its size. Raises AttachmentTooBig and AttachmentsAway."""
    digest, size = Digest(), 0

    def write(chunk: bytes) -> None:
        digest.add(chunk)
        rest = memoryview(chunk)
        while rest:
            rest = rest[file.write(rest) :]

    async for chunk in _pieces(chunks):
        size += len(chunk)
        if size > limit:
            raise AttachmentTooBig(f"the file is longer than the {limit:,} bytes that are allowed: send a smaller one")
        await off_loop(write, chunk)
    return str(digest), size


async def _pieces(chunks: AsyncIterator[bytes] | bytes) -> AsyncIterator[bytes]:
    if isinstance(chunks, bytes):
        for start in range(0, len(chunks), PART_BYTES):
            yield chunks[start : start + PART_BYTES]
    else:
        async for chunk in chunks:
            yield chunk


async def _verified(key: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """All of a content; its last piece only once its digest is known to be the key's. Raises AttachmentDamaged."""
    digest, last = Digest(), b""
    async for chunk in chunks:
        if last:
            yield last
        digest.add(chunk)
        last = chunk
    if str(digest) != Key.parse(key).digest:
        raise damaged(key, "its digest is another")
    if last:
        yield last
