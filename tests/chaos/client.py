"""One client's end of protocol v1 over sockets that may die at any moment: hello, heartbeat, coming back."""

import asyncio
import contextlib
import json
import random
from typing import Any, cast

from tests.chaos import wire
from tests.chaos.ledger import Ledger

PING_AFTER_S, PONG_WITHIN_S = 25.0, 5.0
"""As the protocol asks of a page."""
DOUBT_AFTER_S = 8.0
"""Whoever waits for an answer asks sooner whether anybody is there."""
WELCOME_WITHIN_S = 10.0
LONGEST_WAIT_S = 10.0
RETRY_S = 1.0
AGAIN_S = 10.0
"""What has no answer for so long is sent again: repeats are free."""
FLOODED, RENEW = 4008, 4401


class Hub:
    """Where clients find the hub, and what they share."""

    def __init__(self, host: str, port: int, ledger: Ledger, rng: random.Random) -> None:
        self.host, self.port, self.ledger, self.rng = host, port, ledger, rng
        self.url = f"http://{host}:{port}"


class Line(asyncio.Protocol):
    """One connection: the handshake, then frames; all of it goes to its client."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._frames: wire.Frames | None = None
        self._head = b""
        self._code = 1006
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.write(wire.upgrade(self._client.hub.host))

    def data_received(self, data: bytes) -> None:
        if self._frames is None:
            data = self._shake(data)
        try:
            frames = self._frames.feed(data) if self._frames else []
            for opcode, payload in frames:
                self._take(opcode, payload)
        except (wire.Garbled, ValueError) as error:
            self._client.hub.ledger.trouble(self._client.name, f"cannot read what the hub sent: {error}")
            self.abort()

    def _shake(self, data: bytes) -> bytes:
        """What follows the answer to the handshake."""
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            self.abort()
            return b""
        self._frames = wire.Frames()
        self._client.opened(self)
        return rest

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == wire.PING:
            self.write(wire.frame(wire.PONG, payload))
        elif opcode == wire.CLOSE:
            self._code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            self.abort()
        elif opcode == wire.TEXT:
            self._client.received(self, json.loads(payload))

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.lost(self, self._code)

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def listen(self) -> None:
        """Read again."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Client:
    """A page or a desk. Comes back by itself after every cut, until it is closed.

    Subclasses say `hello`, take frames in `heard`, and hand over what waits in `flush`.
    """

    def __init__(self, hub: Hub, name: str, source: str) -> None:
        self.hub = hub
        self.name = name
        self.token = ""
        self.live = False
        self.window = 64
        self.epoch = 0
        self.deaf_until = 0.0
        """A reader that does not read, until then."""
        self._source = source
        self._line: Line | None = None
        self._tries = 0
        self._timer: asyncio.TimerHandle | None = None
        self._retrying: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._heard_s = self._pinged_s = self._idle_s = 0.0
        self._closed = False
        self._loop = asyncio.get_running_loop()

    # --- to be said by subclasses ----------------------------------------------------------------------------------

    def hello(self) -> dict[str, Any]:
        """The first frame."""
        raise NotImplementedError

    def heard(self, frame: dict[str, Any]) -> None:
        """A frame that is neither pong nor about the line."""
        raise NotImplementedError

    def flush(self) -> None:
        """Hand over what waits."""
        raise NotImplementedError

    def again(self) -> None:
        """What was handed over has to be handed over once more."""
        raise NotImplementedError

    def waits(self) -> bool:
        """Whether an answer is owed: to a text, or to a range."""
        raise NotImplementedError

    async def renew(self) -> None:
        """Get a new token."""
        raise NotImplementedError

    # --- the line ----------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Open a line, now."""
        if not self._closed and self._opening is None:
            self._opening = self._loop.create_task(self._open())

    async def _open(self) -> None:
        line = Line(self)
        self._line, self._heard_s, self._pinged_s = line, self._loop.time(), 0.0
        try:
            async with asyncio.timeout(WELCOME_WITHIN_S):
                await self._loop.create_connection(
                    lambda: line, self.hub.host, self.hub.port, local_addr=(self._source, 0)
                )
        except (OSError, TimeoutError):
            self.lost(line, 1006)
        finally:
            self._opening = None

    def opened(self, line: Line) -> None:
        """The line has become a socket."""
        line.write(wire.text(self.hello()))

    def received(self, line: Line, frame: dict[str, Any]) -> None:
        """A frame came on a line."""
        if line is not self._line:
            return
        self._heard_s, self._pinged_s = self._loop.time(), 0.0
        if frame["t"] == "pong":
            return
        if frame["t"] == "welcome":
            self.live, self._tries = True, 0
            self.epoch, self.window = frame["epoch"], frame["window"]
            self.again()
        self.heard(frame)
        self.flush()

    def lost(self, line: Line, code: int) -> None:
        """A line has ended."""
        if line is not self._line:
            return
        self._line, self.live = None, False
        if 4500 <= code < 5000 or code in (1002, 1007, 1009):
            self.hub.ledger.trouble(self.name, f"the hub closed the socket with {code}: coming back will not help")
            return
        if self._closed:
            return
        self._tries += 1
        wait_s = max(0.5, self.hub.rng.uniform(0, min(LONGEST_WAIT_S, 0.5 * 2 ** min(self._tries, 10))))
        if code == RENEW:
            self._timer = self._loop.call_later(wait_s, lambda: self._loop.create_task(self._renew()))
            return
        self._timer = self._loop.call_later(max(5.0, wait_s) if code == FLOODED else wait_s, self.connect)

    async def _renew(self) -> None:
        with contextlib.suppress(OSError, TimeoutError, wire.Refused):  # then the old token is told so again
            await self.renew()
        self.connect()

    def cut(self) -> None:
        """The network goes away in the middle of whatever is under way."""
        if self._line is not None:
            line = self._line
            line.abort()
            self.lost(line, 1006)

    def close(self) -> None:
        """Leave for good."""
        self._closed = True
        for timer in (self._timer, self._retrying):
            if timer is not None:
                timer.cancel()
        if self._line is not None:
            self._line.abort()

    def write(self, fields: dict[str, Any]) -> None:
        """Send a frame, if there is a line."""
        if self._line is not None and self.live:
            self._line.write(wire.text(fields))

    def retry_soon(self) -> None:
        """Everything unanswered once more, after a moment."""
        if self._retrying is None:
            self._retrying = self._loop.call_later(RETRY_S, self._retry)

    def _retry(self) -> None:
        self._retrying = None
        self.again()
        self.flush()

    def go_deaf(self, seconds: float) -> None:
        """Read nothing for a while, as a page in a sleeping laptop."""
        line = self._line
        if line is not None and line.transport is not None:
            line.transport.pause_reading()
            self.deaf_until = self._loop.time() + seconds
            self._loop.call_later(seconds, line.listen)

    def tick(self, now_s: float) -> None:
        """Called each second: pings, and what has waited for too long."""
        if not self.waits():
            self._idle_s = now_s
        if self._line is None or now_s < self.deaf_until:
            return
        quiet_s = now_s - self._heard_s
        if not self.live:
            if quiet_s > WELCOME_WITHIN_S:
                self.cut()
        elif self._pinged_s:
            if now_s - self._pinged_s > PONG_WITHIN_S:
                self.cut()
        elif quiet_s > (DOUBT_AFTER_S if self.waits() else PING_AFTER_S):
            self._pinged_s = now_s
            self.write({"t": "ping"})
        elif self.waits() and now_s - self._idle_s > AGAIN_S:
            self._idle_s = now_s
            self._retry()
