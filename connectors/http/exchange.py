"""One HTTP/1.1 connection of a client: a request goes out, its answer comes in (RFC 9112).

httptools parses, as it does for uvicorn on the way in. Whoever uses it gets httpx's errors.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import httptools
import httpx

MOST_HEAD = 65_536
"""Bytes of an answer's status line and header fields."""
MOST_UNREAD = 262_144
"""Bytes of an answer that nobody has taken yet; beyond it the server has to wait."""


class Exchange(asyncio.Protocol):
    """A connection on which one request at a time is answered."""

    def __init__(self) -> None:
        self.open = False
        """Whether another request may be sent: nothing is under way, and neither side has closed."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._chunks: list[bytes] = []
        self._unread = self._head_bytes = 0
        self._under_way = self._sent = self._head_over = self._over = self._framed = False
        self._failure: httpx.TransportError | None = None
        self._changed = asyncio.Event()
        self._writable = asyncio.Event()

    async def send(self, head: bytes, body: AsyncIterator[bytes], write_s: float | None) -> None:
        """Write a request; stops early when the server has answered already, or has gone. Raises httpx.WriteTimeout."""
        self.open, self._under_way = False, True
        self._sent = self._head_over = self._over = self._framed = False
        self.status, self.headers, self._head_bytes = 0, [], 0
        self._parser = httptools.HttpResponseParser(self)
        async for chunk in body:
            self._transport.write(head + chunk)
            head = b""
            if not self._writable.is_set():
                try:
                    async with asyncio.timeout(write_s):
                        await self._writable.wait()
                except TimeoutError:
                    raise httpx.WriteTimeout(f"the server took nothing for {write_s:g} s") from None
            if self._over or self._failure is not None:
                return
        if head:
            self._transport.write(head)
        self._sent = True

    async def head(self, read_s: float | None) -> None:
        """Return when `status` and `headers` are those of the answer. Raises httpx.TransportError."""
        while not self._head_over:
            await self._more(read_s)

    async def body(self, read_s: float | None) -> AsyncIterator[bytes]:
        """The answer's content as it comes. Raises httpx.TransportError."""
        while True:
            if self._chunks:
                chunk, self._unread = b"".join(self._chunks), 0
                self._chunks.clear()
                self._transport.resume_reading()
                yield chunk
            elif self._over:
                return
            else:
                await self._more(read_s)

    def close(self) -> None:
        """End the connection, whatever is under way."""
        self.open = False
        self._transport.abort()

    async def _more(self, read_s: float | None) -> None:
        """Return when something has changed. Raises httpx.TransportError."""
        if self._failure is not None:
            raise self._failure
        self._changed.clear()
        try:
            async with asyncio.timeout(read_s):
                await self._changed.wait()
        except TimeoutError:
            raise httpx.ReadTimeout(f"the server said nothing for {read_s:g} s") from None

    # --- what asyncio calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self.open = True
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if not self._under_way or self._over:  # an answer to nothing: whose would the next one be?
            self.close()
            return
        try:
            if not self._head_over:
                self._head_bytes += len(data)
            self._parser.feed_data(data)
            if not self._head_over and self._head_bytes > MOST_HEAD:
                raise httptools.HttpParserError(f"header fields of more than {MOST_HEAD} bytes")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(f"the server does not speak HTTP/1.1: {error}"))
            self.close()
            return
        if self._unread > MOST_UNREAD:
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self.open = False

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self._writable.set()
        if self._head_over and not self._framed and error is None:  # RFC 9112 6.3: until the connection is closed
            self._over = True
            self._changed.set()
        elif error is not None:
            self._fail(httpx.ReadError(f"the connection broke: {error}"))
        else:
            self._fail(httpx.RemoteProtocolError("the server closed the connection before its answer was whole"))

    def _fail(self, failure: httpx.TransportError) -> None:
        if not self._over:
            self._failure = failure
        self._changed.set()

    # --- what httptools calls ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._over:
            raise ValueError("the server answered twice")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))
        self._framed = self._framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:  # RFC 9110 15.2: interim, the answer follows
            self.headers, self._framed = [], False
            return
        self._framed = self._framed or self.status in (204, 304)
        self._head_over = True
        self._changed.set()

    def on_body(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._unread += len(chunk)
        self._changed.set()

    def on_message_complete(self) -> None:
        if not self._head_over:
            return
        self._over, self._under_way = True, False
        self.open = self._sent and self._parser.should_keep_alive() and not self._transport.is_closing()
        self._changed.set()
