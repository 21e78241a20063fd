"""A wire between two HTTP parties."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from hub.kit.far_side import Reply
from hub.kit.wire import HOST, Caller, Mishap, Request, Wire

BAD_GATEWAY = bytes(Reply(502))


class HttpWire(Wire):
    """Carries requests to `target`, a port on loopback (0: nobody is there), one connection each."""

    after: ClassVar[tuple[Mishap, ...]] = (*Wire.after, "spoil")
    _scheme = "http"

    def __init__(self, target: int = 0) -> None:
        super().__init__(1)
        self.target = target

    @property
    def url(self) -> str:
        """The base URL at which it is to be called."""
        return self.urls[0]

    async def again(self, request: Request) -> int:
        """Send the same bytes once more; the status of the answer, 0 without one. No fault happens to it."""
        answer = await self._ask(request)
        return int(answer.split(b" ", 2)[1]) if answer else 0

    async def _carry(self, place: int, caller: Caller) -> None:
        request = await _read(caller.reader)
        self.requests.append(request)
        fault = self._met(request)
        if await caller.stopped_by(fault, BAD_GATEWAY):
            return
        answer = await self._ask(request)
        if answer and await caller.hears(answer, fault, BAD_GATEWAY):
            self.answered += 1

    async def _ask(self, request: Request) -> bytes:
        if not self.target:
            return b""
        try:
            reader, writer = await asyncio.open_connection(HOST, self.target)
            try:
                writer.write(request.head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + request.body)
                return await reader.read(-1)
            finally:
                writer.close()
        except OSError:
            return b""


async def _read(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"connection:", b"expect:"))]
    length = next((int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    return Request(b"\r\n".join(lines), await reader.readexactly(length))
