"""A TCP proxy that can cut and slow what goes through it: between clients and the hub, between the hub and NATS."""

import asyncio
import random
from collections import deque
from typing import cast

LONGEST_QUEUE = 256 * 1024
"""A side whose bytes wait in such a number is read no further."""


class Proxy:
    """`async with Proxy(...)` listens on 127.0.0.1 and passes on to the targets in turn.

    `rng` chooses which connections are cut, and where. A client's own loopback address is what the target sees.
    """

    def __init__(self, targets: list[tuple[str, int]], rng: random.Random, port: int = 0) -> None:
        self.port = port
        self.cuts = self.cuts_inside = self.slowed = 0
        """Connections that were cut, those of them cut inside a piece of data, and pieces that were slowed."""
        self.delay_s = 0.0
        """Each piece of data waits so long."""
        self.cutting = 0.0
        """That part of all pieces is the last one of its connection."""
        self.targets = targets
        self._rng = rng
        self._taken = 0
        self._nears: dict[_Side, None] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Proxy":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Side(self), "127.0.0.1", self.port, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for near in list(self._nears):
            near.cut()

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._nears)

    def cut(self, share: float) -> None:
        """Cut that part of all connections: half of them now, half inside the next piece of data."""
        for near in list(self._nears):
            if self._rng.random() >= share:
                continue
            if self._rng.random() < 0.5:
                near.doomed = True
            else:
                self.cuts += 1
                near.cut()

    def next_target(self) -> tuple[str, int]:
        """Where the next connection goes."""
        self._taken += 1
        return self.targets[self._taken % len(self.targets)]

    def allowed(self, near: "_Side", size: int) -> int:
        """How many bytes of a piece may pass; when it is not all of them the connection ends there."""
        if not near.doomed and self._rng.random() >= self.cutting:
            return size
        self.cuts += 1
        self.cuts_inside += 1
        return self._rng.randrange(size)

    def came(self, near: "_Side") -> None:
        self._nears[near] = None

    def went(self, near: "_Side") -> None:
        self._nears.pop(near, None)


class _Side(asyncio.Protocol):
    """One side of a connection: what it reads waits in its queue until it is due, then goes to the other side."""

    def __init__(self, proxy: Proxy, near: "_Side | None" = None) -> None:
        self.doomed = False
        self.transport: asyncio.Transport | None = None
        self.other = near
        """The opposite side, once there is one."""
        self._proxy = proxy
        self._is_near = near is None
        self._queue: deque[tuple[float, bytes]] = deque()
        self._queued = 0
        self._ended = False
        self._draining = False
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._is_near:
            self._proxy.came(self)
            self._opening = self._loop.create_task(self._open())
        elif self.other is not None:
            self.other.other = self
            self.other.drain()

    async def _open(self) -> None:
        host, port = self._proxy.next_target()
        assert self.transport is not None
        source = self.transport.get_extra_info("peername")[0]
        try:
            await self._loop.create_connection(lambda: _Side(self._proxy, self), host, port, local_addr=(source, 0))
        except OSError:
            self.cut()

    def data_received(self, data: bytes) -> None:
        near = self if self._is_near or self.other is None else self.other
        size = self._proxy.allowed(near, len(data))
        self._queue.append((self._loop.time() + self._proxy.delay_s, data[:size]))
        self._proxy.slowed += self._proxy.delay_s > 0
        self._queued += size
        if size < len(data):
            self._ended = True
            if self.transport is not None:
                self.transport.abort()
        elif self._queued > LONGEST_QUEUE and self.transport is not None:
            self.transport.pause_reading()
        self.drain()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_near:
            self._proxy.went(self)
        self._ended = True
        self.drain()

    def drain(self) -> None:
        """Hand over what is due; in order, whatever the delay was when it came."""
        if self._draining or self.other is None or self.other.transport is None:
            return
        to = self.other.transport
        while self._queue and not to.is_closing():
            wait_s = self._queue[0][0] - self._loop.time()
            if wait_s > 0.001 or to.get_write_buffer_size() > LONGEST_QUEUE:
                self._draining = True
                self._loop.call_later(max(wait_s, 0.02), self._drain_later)
                return
            data = self._queue.popleft()[1]
            self._queued -= len(data)
            to.write(data)
        if self._ended:
            to.close()
        elif self._queued < LONGEST_QUEUE // 2 and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def _drain_later(self) -> None:
        self._draining = False
        self.drain()

    def cut(self) -> None:
        """End both sides at once."""
        self._proxy.went(self)
        for side in (self, self.other):
            if side is not None and side.transport is not None:
                side.transport.abort()
