"""A wire between two HTTP parties on loopback, and what may happen on it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from hub.kit.far_side import Reply

HOST = "127.0.0.1"
MOST_HEAD = 65_536
BAD_GATEWAY = Reply(502)
TURN_S = 0.01
"""Time enough to hear what the other party has just done."""

Mishap = Literal["reset", "refuse", "answer", "hold", "lose", "break", "spoil", "swallow"]
"""Before the other party hears of the request: the connection is `reset`, a 502 (`refuse`) or another `answer` comes
from somewhere in between, it is on `hold`. After it has done its work: its answer is lost with the connection (`lose`),
`break`s off in the middle, is a 502 instead (`spoil`), or never comes (`swallow`)."""
BEFORE: tuple[Mishap, ...] = ("reset", "refuse")
AFTER: tuple[Mishap, ...] = ("lose", "break", "spoil")
"""Those of before and after the work that are over at once."""


@dataclasses.dataclass
class Fault:
    """A mishap of the next `times` requests whose first line or body contains `match`."""

    mishap: Mishap
    match: str = ""
    times: int = 1_000_000
    reply: Reply = BAD_GATEWAY
    hits: int = 0
    over: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    def takes(self, request: Request) -> bool:
        """Whether this request has it."""
        if self.hits >= self.times or not request.contains(self.match):
            return False
        self.hits += 1
        return True


@dataclasses.dataclass(frozen=True)
class Request:
    """An HTTP request as it was on the wire."""

    head: bytes
    body: bytes

    def contains(self, words: str) -> bool:
        """Whether all of `words` stand in its first line and body."""
        text = self.head.partition(b"\r\n")[0] + b"\n" + self.body
        return all(word.encode() in text for word in words.split())


class Wire:
    """Carries requests to `target`, a port on loopback (0: nobody is there), one connection each.

    `requests` are those that set out, whatever became of them.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.requests: list[Request] = []
        self.answered = 0
        """So many got an answer."""
        self._faults: list[Fault] = []
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0, limit=MOST_HEAD)
        self.url = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    @contextlib.contextmanager
    def fault(
        self, mishap: Mishap, match: str = "", times: int = 1_000_000, reply: Reply = BAD_GATEWAY
    ) -> Generator[Fault, None, None]:
        """`with wire.fault("lose", "/send", 1): …`; whoever is on hold then goes on."""
        fault = Fault(mishap, match, times, reply)
        self._faults.append(fault)
        try:
            yield fault
        finally:
            self._faults.remove(fault)
            fault.over.set()

    @contextlib.asynccontextmanager
    async def gone(self) -> AsyncGenerator[None, None]:
        """Nobody listens: whoever calls is refused at once."""
        port = port_of(self.url)
        self._server.close()
        try:
            yield
        finally:
            self._server = await asyncio.start_server(self._accept, HOST, port, limit=MOST_HEAD)

    async def again(self, request: Request) -> int:
        """Send the same bytes once more; the status of the answer, 0 without one. No fault happens to it."""
        answer = await self._ask(request)
        return int(answer.split(b" ", 2)[1]) if answer else 0

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            self.requests.append(request)
            fault = next((fault for fault in self._faults if fault.takes(request)), None)
            answer = await self._answer(request, fault, reader)
            if answer:
                writer.write(answer)
                await writer.drain()
                self.answered += 1
            if not answer or (fault is not None and fault.mishap == "break"):
                writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _answer(self, request: Request, fault: Fault | None, reader: asyncio.StreamReader) -> bytes:
        """What goes back; nothing: the connection is reset."""
        match fault.mishap if fault else None:
            case "reset":
                return b""
            case "refuse" | "answer":
                assert fault is not None
                return _encode(fault.reply)
            case "hold":
                assert fault is not None
                await fault.over.wait()
                await asyncio.sleep(TURN_S)
                if reader.at_eof():  # who asked has died meanwhile
                    return b""
        answer = await self._ask(request)
        match fault.mishap if fault else None:
            case "lose":
                return b""
            case "break":
                return answer[: len(answer) // 2]
            case "spoil":
                return _encode(BAD_GATEWAY)
            case "swallow":
                assert fault is not None
                await fault.over.wait()
        return answer

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


def port_of(url: str) -> int:
    """The port in a base URL."""
    port = urlsplit(url).port
    assert port is not None, f"{url} names no port"
    return port


async def _read(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"connection:", b"expect:"))]
    length = next((int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    return Request(b"\r\n".join(lines), await reader.readexactly(length))


def _encode(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} From the wire", f"content-length: {len(reply.body)}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    return "\r\n".join([*lines, "", ""]).encode() + reply.body
