"""One WebSocket as uvicorn's `ws=` class: bytes in and out, limits, life and death. No ASGI lies between.

What the frames mean is told by protocol.py and done by sessions.py.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from hub.gateway import codes
from hub.gateway.codes import Code
from hub.gateway.frames import MAX_FRAME_BYTES, text_frame, whole_frames, whole_text
from hub.gateway.heartbeat import HELLO_S, LINGER_S, PING_EVERY_S, PONG_S
from hub.gateway.protocol import Session
from hub.gateway.rate import Bucket

if TYPE_CHECKING:
    from hub.gateway.sessions import Desk, Sessions, Watch

PATH = "/ws"
MAX_WAITING_BYTES = 1_048_576
MAX_EARLY = 64
"""So many frames may wait for the welcome."""
FRAMES_PER_S = 50
FRAMES_BURST = 200

_PING = b"\x89\x00"
_QUIET = logging.getLogger("hub.gateway.websockets")
_QUIET.setLevel(logging.WARNING)  # websockets says "connection open" at INFO for each socket


Allows = Callable[[str, str], bool]
"""Whether a page of this Origin may talk to the hub, whose own origin is the second one."""


def socket_class(sessions: "Sessions", allows: Allows) -> type[asyncio.Protocol]:
    """The class to hand to `uvicorn.Config(ws=…)`. What sends no Origin is no browser's page, and may connect."""
    return type("BoundSocket", (Socket,), {"__slots__": (), "sessions": sessions, "allows": staticmethod(allows)})


def own_origin(origin: str, host: str) -> str:
    """The hub's own origin as a page would write it; a proxy may speak TLS for us, so the page's scheme counts."""
    return f"{origin.partition('://')[0]}://{host}"


class Socket(asyncio.Protocol):
    """One client's connection, from the upgrade request to its end."""

    __slots__ = (
        "__weakref__", "_aligned", "_bucket", "_connections", "_loop", "_partial", "_pinged", "_transport", "_unread",
        "_ws", "desk", "early", "paused", "session", "slot", "watches",
    )  # fmt: skip
    sessions: "ClassVar[Sessions]"
    allows: "ClassVar[staticmethod[[str, str], bool]]"

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self.session = Session()
        self.slot = -1
        """Its place on the wheel (heartbeat.py)."""
        self.watches: list[Watch] = []
        self.desk: Desk | None = None
        self.paused = False
        """The client reads more slowly than it is written to."""
        self.early: list[bytes] | None = None
        """What came between hello and welcome; it is sent after the welcome."""
        self._connections: set[Any] = server_state.connections  # uvicorn's drain waits until it is empty
        self._ws = ServerProtocol(max_size=MAX_FRAME_BYTES, logger=_QUIET)
        self._loop = asyncio.get_running_loop()
        self._bucket = Bucket(FRAMES_BURST, self._loop.time())
        self._partial: bytearray | None = None
        self._aligned = False
        """Each read so far ended with a frame, so that the next one may be taken without websockets' parser."""
        self._pinged = False
        self._unread = 0

    # --- what asyncio and uvicorn call -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        self.sessions.wheel.put(self, HELLO_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._forget()
        self.sessions.wheel.drop(self)

    def data_received(self, data: bytes) -> None:
        now_s = self._loop.time()
        if self._aligned and self.session.phase != "closed":
            # Nearly every read is one text frame: a third of the parser's time is saved by not asking it.
            text = whole_text(data)
            if text is not None:
                if self._bucket.take(now_s, FRAMES_PER_S, FRAMES_BURST):
                    self.sessions.received(self, text)
                else:
                    self.close(codes.TOO_FAST)
                return
            self._aligned = whole_frames(data)
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            if self.session.phase == "closed":
                break
            if isinstance(event, Request):
                self._aligned = data.find(b"\r\n\r\n") == len(data) - 4
                self._ws.send_response(self._judge(event))
                event.headers.clear()  # the parser keeps the request as long as the socket lives
            elif not self._bucket.take(now_s, FRAMES_PER_S, FRAMES_BURST):
                self.close(codes.TOO_FAST)
            elif isinstance(event, Frame):
                self._take(event)
        self._flush()

    def eof_received(self) -> None:
        self._ws.receive_eof()
        self._flush()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.sessions.resumed(self)

    def shutdown(self) -> None:
        """The server stops (uvicorn calls it)."""
        if self.session.phase != "closed":
            self.close(codes.RESTART)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _judge(self, request: Request) -> Response:
        """The answer to the upgrade request."""
        if request.path.partition("?")[0] != PATH:
            return self._ws.reject(404, f"Sockets are served at {PATH}.\n")
        host = ",".join(request.headers.get_all("Host"))
        for origin in request.headers.get_all("Origin"):
            if not self.allows(origin, own_origin(origin, host)):
                return self._ws.reject(403, f"Pages of {origin} may not connect here.\n")
        return self._ws.accept(request)

    def _take(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT if frame.fin:
                self.sessions.received(self, bytes(frame.data))
            case Opcode.TEXT:
                self._partial = bytearray(frame.data)
            case Opcode.CONT if self._partial is not None:
                self._partial += frame.data
                if frame.fin:
                    whole, self._partial = self._partial, None
                    self.sessions.received(self, bytes(whole))
            case Opcode.BINARY:
                self.close(codes.NOT_JSON, "a binary frame; all frames are text")
            case Opcode.PONG if self._pinged:
                self._pinged = False
                self.sessions.wheel.put(self, PING_EVERY_S)
            case Opcode.CLOSE:
                self._forget()

    # --- writing -----------------------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        """Send one JSON text as a frame of its own."""
        self.write(text_frame(payload))

    def write(self, data: bytes) -> None:
        """Send a frame that is complete (frames.text_frame); after hello it waits for the welcome."""
        if self.early is not None:
            self.early.append(data)
            if len(self.early) > MAX_EARLY:
                self.close(codes.LET_GO, "too much has happened before the welcome")
        elif self.session.phase != "closed":
            self._transport.write(data)
            if self.paused and self._transport.get_write_buffer_size() > MAX_WAITING_BYTES:
                self.close(codes.TOO_SLOW)

    def welcome(self, payload: bytes) -> None:
        """Send the welcome, and after it what had to wait."""
        early, self.early = self.early or [], None
        self.send(payload)
        for data in early:
            self.write(data)

    def close(self, code: Code, reason: str = "") -> None:
        """Close with `code`; nothing is sent or taken after it, and the client has LINGER_S to close its side."""
        self.early = None
        ended = self.session.close(code, reason)
        if self._ws.state is State.OPEN:
            self._ws.send_close(code.number, ended.reason.encode()[:120].decode(errors="ignore"))
        elif self._ws.state is State.CONNECTING:
            self._transport.close()  # no handshake, no close frame
        self._flush()
        self._forget()
        self.sessions.wheel.put(self, LINGER_S)

    def _flush(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                # Only half, and then wait: closing with unread bytes would reset the connection and lose the code.
                self._transport.write_eof()
                self._forget()
                self.sessions.wheel.put(self, LINGER_S)
            else:
                self._transport.close()

    def _forget(self) -> None:
        self.session.phase = "closed"
        self.sessions.left(self)

    # --- alive or not ------------------------------------------------------------------------------------------------

    def due(self, now_s: float) -> None:
        """The sweep has come to this socket; `now_s` is the time of day (Unix)."""
        session, waiting = self.session, self._transport.get_write_buffer_size()
        if session.phase == "closed":
            self._transport.abort()
        elif session.identity is None:
            self.close(codes.NO_HELLO)
        elif self._pinged and not 0 < waiting < self._unread:  # what shrinks is being read: the ping is on its way
            self.close(codes.NO_PONG)
        elif now_s >= session.identity.expires_at_s:
            self.close(codes.TOKEN_EXPIRED)
        else:
            if not self._pinged:
                self._pinged = True
                self._transport.write(_PING)
                waiting = self._transport.get_write_buffer_size()
            self._unread = waiting
            self.sessions.wheel.put(self, PONG_S)
