"""Attachments in NATS: the stream ATTACHMENTS, with as many replicas as the log.

Not nats-py's object store: it reads into memory without backpressure, waits for ever for a lost chunk, and leaves
chunks that nobody finds when its process dies in the middle. Here a content is one atomic write (ADR-50): its parts
and what is said of it are stored together, or not at all.

What is deleted cannot be read any more. Its bytes stay on the server's disk until it compacts their block, and in the
guarded copies (guard.py) for two starts more.
"""

import asyncio
import contextlib
import io
import secrets
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from nats.js import api
from nats.js.errors import NotFoundError

from hub.bus.attachments import PART_BYTES, Attachments, Key, check_owner, damaged, off_loop
from hub.bus.connection import AWAY, Connection, insist, raise_if_closed
from hub.bus.streams import keep_stream
from hub.domain.messages import Attachment
from hub.errors import AttachmentsAway, BusError, NoAttachment

STREAM, ABOUT = "ATTACHMENTS", "about"
MAX_BYTES = 200 * 2**20
"""The server takes 1,000 messages in one atomic write."""
ASK_S, WRITE_S, PATIENCE_S = 2.0, 5.0, 30.0
"""For an answer; for that of an atomic write, which may have 200 MB to sync; for all tries."""
RETRY_S = 0.5
"""A full disk is not helped by being asked at once to stage it all again."""
AT_ONCE = 4
"""So many are written at the same time: the log's batches are on the same connection, and the server allows 50."""


class _Refusal(msgspec.Struct):
    description: str = ""


class _Answer(msgspec.Struct):
    error: _Refusal | None = None


class StreamAttachments(Attachments):
    """As hub.bus.attachments.Attachments. What is uploaded waits in `spool_folder` until it is whole, in files without
    a name: a process that dies leaves nothing there. NATS may be away for `patience_s`.
    """

    def __init__(self, connection: Connection, spool_folder: Path, patience_s: float = PATIENCE_S) -> None:
        self._connection = connection
        self._js = connection.jetstream(timeout=ASK_S)
        self._spool_folder = spool_folder
        self._patience_s = patience_s
        self._writing = asyncio.Semaphore(AT_ONCE)
        self._opened = False

    async def describe(self, key: str) -> Attachment:
        message = await self._message(_subject(key, ABOUT))
        if message is None:
            raise NoAttachment(f"nothing is kept under {key}: it has been deleted, or never was there")
        return msgspec.json.decode(message, type=Attachment)

    async def delete(self, key: str) -> None:
        await self._purge(_subject(key, ">"))

    async def erase(self, owner: str) -> None:
        check_owner(owner)
        await self._purge(f"attachment.{owner}.>")

    # --- writing ---------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _incoming(self) -> AsyncIterator[io.FileIO]:
        with await off_loop(self._new_file) as file:
            yield file

    def _new_file(self) -> io.FileIO:
        self._spool_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._spool_folder, buffering=0)

    async def _keep(self, attachment: Attachment, file: io.FileIO) -> None:
        """Try until it is stored. To store it twice does no harm: each part takes the place of the one before."""
        refusal = ""
        try:
            async with self._writing, self._patience():
                while refusal := await self._try(attachment, file):
                    await asyncio.sleep(RETRY_S)
        except AttachmentsAway as error:
            raise AttachmentsAway(f"{error} ({refusal})" if refusal else str(error)) from None

    async def _try(self, attachment: Attachment, file: io.FileIO) -> str:
        """Empty once the server has stored all of it, else why it has not, as far as is known."""
        batch, parts = secrets.token_hex(16), -(-attachment.size // PART_BYTES)
        await off_loop(file.seek, 0)
        try:
            await self._open()
            for number in range(parts + 1):
                headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number + 1)}
                if number < parts:
                    subject, data = _subject(attachment.key, str(number)), await off_loop(file.read, PART_BYTES)
                else:  # last, so that parts which a full disk has cut short are nothing
                    subject, data = _subject(attachment.key, ABOUT), msgspec.json.encode(attachment)
                    headers["Nats-Batch-Commit"] = "1"
                # Each part is asked an answer for: else all of them would pile up in memory.
                reply = await self._connection.request(subject, data, WRITE_S, headers=headers)
                if reply.data and (error := msgspec.json.decode(reply.data, type=_Answer).error):
                    return error.description
        except AWAY as error:
            raise_if_closed(self._connection)
            return f"no answer: {error}"
        return ""

    # --- reading and deleting --------------------------------------------------------------------------------------

    async def _read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        for number in range(start // PART_BYTES, -(-stop // PART_BYTES)):
            data = await self._message(_subject(key, str(number)))
            if data is None:
                raise damaged(key, f"part {number} of {STREAM} is missing")
            first = number * PART_BYTES
            yield data[max(start - first, 0) : stop - first]

    async def _message(self, subject: str) -> bytes | None:
        """What is stored there. Any server may answer, but that there is nothing only the stream's leader may say."""
        async with self._patience():
            await self._open()
            for direct in (True, False):
                with contextlib.suppress(NotFoundError):
                    found = await insist(
                        self._connection,
                        lambda direct=direct: self._js.get_last_msg(STREAM, subject, direct),  # type: ignore[misc]
                    )
                    return found.data or b""
        return None

    async def _purge(self, subject: str) -> None:
        async with self._patience():
            await self._open()
            await insist(self._connection, lambda: self._js.purge_stream(STREAM, subject=subject))

    # --- both ------------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        if self._opened:
            return
        config = api.StreamConfig(
            name=STREAM,
            subjects=["attachment.>"],
            storage=api.StorageType.FILE,
            num_replicas=self._connection.replicas,
            max_msgs_per_subject=1,
            allow_direct=True,
            allow_atomic=True,
        )
        await keep_stream(self._connection, self._js, config)
        self._opened = True

    @contextlib.asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """AttachmentsAway when it takes too long, or NATS refuses."""
        try:
            async with asyncio.timeout(self._patience_s):
                yield
        except TimeoutError:
            raise AttachmentsAway(
                f"NATS has not answered within {self._patience_s:g} s: is there room on its disk? See `hub doctor`"
            ) from None
        except BusError as error:
            raise AttachmentsAway(f"attachments in NATS: {error}") from error


def _subject(key: str, last: str) -> str:
    owner, digest = Key.parse(key)
    return f"attachment.{owner}.{digest}.{last}"
