"""A wire between two parties on loopback, and what may happen on it. What they speak: http_wire.py, line_wire.py."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import dataclasses
import functools
import socket
import struct
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import ClassVar, Literal, Self, SupportsBytes
from urllib.parse import urlsplit

HOST = "127.0.0.1"
MOST_HEAD = 65_536
CHUNK = 1 << 20
DROPS, DROP_S = 20, 0.02
"""At most so many, and so far apart that who reads on a busy machine still gets some of them one by one."""
TURN_S = 0.01
"""Time enough to hear what the other party has just done."""
_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing a reset."""

Mishap = Literal["reset", "cut", "refuse", "answer", "hold", "lose", "break", "drip", "spoil", "swallow"]
"""Before the other party hears of the request: the connection is `reset`, or `cut` as if it had been closed; somebody
in between is in trouble (`refuse`), or gives another `answer`; it is on `hold`. After the other party has done its
work: its answer is lost with the connection (`lose`), is cut off by a reset in the middle (`break`), comes drop by drop
(`drip`), is somebody's trouble instead (`spoil`), or never comes (`swallow`)."""


@dataclasses.dataclass
class Fault:
    """A mishap of the next `times` requests that hold all words of `match`. `reply`: the other `answer`."""

    mishap: Mishap
    match: str = ""
    times: int = 1_000_000
    reply: SupportsBytes = b""
    hits: int = 0
    over: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    def takes(self, request: Request) -> bool:
        """Whether this request has it."""
        if self.hits >= self.times or not request.contains(self.match):
            return False
        self.hits += 1
        return True


@dataclasses.dataclass
class Request:
    """What one party said to the other, as it was on the wire."""

    head: bytes = b""
    body: bytes = b""

    def contains(self, words: str) -> bool:
        """Whether all of `words` stand in its first line and body."""
        text = self.head.partition(b"\r\n")[0] + b"\n" + self.body
        return all(word.encode() in text for word in words.split())


class Wire(abc.ABC):
    """Listens on ports of its own, one for each server that it leads to.

    `requests` are those that set out, whatever became of them. `before` and `after` are the mishaps of before and after
    the work that are over at once.
    """

    before: ClassVar[tuple[Mishap, ...]] = ("reset", "cut", "refuse")
    after: ClassVar[tuple[Mishap, ...]] = ("lose", "break", "drip")
    _scheme: ClassVar[str]

    def __init__(self, servers: int) -> None:
        self.requests: list[Request] = []
        self.answered = 0
        """So many got an answer."""
        self.ports = [0] * servers
        """0, until it listens: any free one."""
        self._faults: list[Fault] = []
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()

    @property
    def urls(self) -> list[str]:
        """Where it is to be called for each server."""
        return [f"{self._scheme}://{HOST}:{port}" for port in self.ports]

    @contextlib.contextmanager
    def fault(
        self, mishap: Mishap, match: str = "", times: int = 1_000_000, reply: SupportsBytes = b""
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
        """Nobody is there: who was connected is cut off, whoever calls is refused at once."""
        await self._hang_up()
        try:
            yield
        finally:
            await self._listen()

    async def _listen(self) -> None:
        self._servers = [
            await asyncio.start_server(functools.partial(self._accept, place), HOST, port, limit=MOST_HEAD)
            for place, port in enumerate(self.ports)
        ]
        self.ports = [server.sockets[0].getsockname()[1] for server in self._servers]

    async def _hang_up(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def _accept(self, place: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(place, Caller(reader, writer)))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _serve(self, place: int, caller: Caller) -> None:
        try:
            await self._carry(place, caller)
        except (OSError, asyncio.IncompleteReadError):
            caller.writer.transport.abort()
        finally:
            caller.writer.close()

    @abc.abstractmethod
    async def _carry(self, place: int, caller: Caller) -> None:
        """Carry what is said on a connection until it ends."""

    def _met(self, request: Request) -> Fault | None:
        """The fault that this request meets with."""
        return next((fault for fault in self._faults if fault.takes(request)), None)


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who has called the wire, and what becomes of what they say and hear."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def stopped_by(self, fault: Fault | None, trouble: bytes) -> bool:
        """Let happen what happens before the work: whether the request gets no further, and the connection ends.

        `trouble` is what somebody in between says who is in some.
        """
        match fault.mishap if fault else None:
            case "reset":
                self._reset()
            case "cut":
                pass
            case "refuse":
                await self._dismiss(trouble)
            case "answer":
                assert fault is not None
                await self._dismiss(bytes(fault.reply))
            case "hold":
                assert fault is not None
                await fault.over.wait()
                await asyncio.sleep(TURN_S)
                return self.reader.at_eof() or self.reader.exception() is not None  # who asked has died meanwhile
            case _:
                return False
        return True

    async def hears(self, answer: bytes, fault: Fault | None, trouble: bytes = b"") -> bool:
        """Let happen what happens after the work: whether they hear the answer, and the connection is still good."""
        match fault.mishap if fault else None:
            case "lose":
                return False
            case "break":
                await self._say(answer[: len(answer) // 2])
                self._reset()
                return False
            case "spoil":
                await self._say(trouble)
                return False
            case "swallow":
                assert fault is not None
                await fault.over.wait()
            case "drip":
                await self._drip(answer)
                return True
        await self._say(answer)
        return True

    async def _say(self, words: bytes) -> None:
        self.writer.write(words)
        await self.writer.drain()

    async def _drip(self, words: bytes) -> None:
        size = len(words) // DROPS + 1
        for start in range(0, len(words), size):
            await self._say(words[start : start + size])
            await asyncio.sleep(DROP_S)

    async def _dismiss(self, words: bytes) -> None:
        """Say it and hear them out: closing a connection on unread bytes would reset it, and lose the words."""
        await self._say(words)
        self.writer.write_eof()
        while await self.reader.read(CHUNK):
            pass

    def _reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.writer.transport.abort()


def port_of(url: str) -> int:
    """The port in a base URL."""
    port = urlsplit(url).port
    assert port is not None, f"{url} names no port"
    return port
