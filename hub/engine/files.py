"""Files of messages: kept when they come in, fetched where a platform only names them, given to connectors to send."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from hub.bus.attachments import Attachments
from hub.contract import Connector, Enclosed, File, NotThere
from hub.domain.commands import ReceiveMessage, ReceiveText
from hub.domain.messages import Attachment
from hub.errors import AttachmentTooBig
from hub.media.sniff import HEAD_BYTES, clean_name, sniff
from hub.settings import Media

FETCH_S = 60.0
Message = ReceiveMessage | ReceiveText
"""Commands that may bring files."""


class NotTaken(Exception):
    """The file is not kept; the message says why, for whoever reads it in the file's place."""


class Files:
    """One worker's. `link` gives the address at which a file can be read for a while."""

    def __init__(
        self,
        attachments: Attachments,
        connectors: Mapping[str, Connector],
        media: Media,
        link: Callable[[Attachment], str],
    ) -> None:
        self._attachments, self._connectors, self._media, self._link = attachments, connectors, media, link

    async def keep(self, entity: str, file: File) -> Attachment:
        """The file, stored for the entity; or only named, where the platform has to be asked for its content.

        Raises NotTaken, and AttachmentsAway when it may be tried again.
        """
        if file.content is None:
            return Attachment("", file.name, file.type, source=file.source)
        return await self._store(entity, file.name, _once(file.content))

    async def keep_raw(self, entity: str, raw: str) -> str:
        """The key under which a raw input is kept that is too long for the log. Raises AttachmentsAway."""
        content = raw.encode()
        kept = await self._attachments.put(entity, content, len(content), name="raw.json", type="application/json")
        return kept.key

    async def raw(self, key: str) -> str:
        """What `keep_raw` has kept. Raises AttachmentError."""
        return b"".join([chunk async for chunk in await self._attachments.get(key)]).decode()

    async def complete(self, channel: str, entity: str, command: Message) -> Message:
        """The command with all files fetched that it only names; one that is not taken becomes a line of its text.

        Raises whatever the connector's `fetch` raises, and AttachmentsAway: then it may be tried again.
        """
        if not names_sources(command):
            return command
        files, lines = list[Attachment](), [command.text]
        for file in command.files:
            try:
                files.append(await self._fetch(channel, entity, file) if file.source else file)
            except NotTaken as why:
                lines.append(f"[{why}]")
        return msgspec.structs.replace(command, files=tuple(files), text="\n".join(filter(None, lines)))

    def enclose(self, file: Attachment) -> Enclosed:
        """The file as a connector gets it."""

        async def read() -> AsyncIterator[bytes]:
            async for chunk in await self._attachments.get(file.key):
                yield chunk

        return Enclosed(file.name, file.type, file.size, self._link(file), read)

    async def _fetch(self, channel: str, entity: str, file: Attachment) -> Attachment:
        try:
            async with asyncio.timeout(FETCH_S):
                return await self._store(entity, file.name, self._connectors[channel].fetch(file.source))
        except NotThere as why:
            raise NotTaken(f"{file.name or 'file'}: {why}") from None

    async def _store(self, entity: str, name: str, chunks: AsyncIterator[bytes]) -> Attachment:
        head = bytearray()
        async for chunk in chunks:
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        beginning = bytes(head)
        type_ = sniff(beginning)
        name = clean_name(name, type_)
        if type_ not in self._media.types:
            raise NotTaken(f"{name}: files of the type {type_} are not taken")

        async def whole() -> AsyncIterator[bytes]:
            yield beginning
            async for chunk in chunks:
                yield chunk

        try:
            return await self._attachments.put(entity, whole(), self._media.max_bytes, name=name, type=type_)
        except AttachmentTooBig:
            raise NotTaken(f"{name} is longer than {self._media.max_bytes:,} bytes") from None


def names_sources(command: Message) -> bool:
    """Whether a platform has to be asked for files that it only names."""
    return any(file.source for file in command.files)


def without_sources(command: Message) -> Message:
    """The command without the files that nobody could fetch; its text says so, for both sides to read."""
    lost = [file.name or file.type or "file" for file in command.files if file.source]
    lines = [command.text, *(f"[{name} could not be fetched]" for name in lost)]
    files = tuple(file for file in command.files if not file.source)
    return msgspec.structs.replace(command, files=files, text="\n".join(filter(None, lines)))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
