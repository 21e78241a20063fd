"""One WebSocket as uvicorn's `ws=` class: bytes in and out, limits, life and death. No ASGI lies between.

What the frames mean is told by protocol.py and done by sessions.py.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from hub.gateway import codes
from hub.gateway.addresses import Addresses
from hub.gateway.codes import Code
from hub.gateway.frames import MAX_FRAME_BYTES, is_pong, text_frame, whole_frames, whole_text
from hub.gateway.heartbeat import DOOR_S, HELLO_S, LINGER_S, PING_EVERY_S, PONG_S
from hub.gateway.protocol import Session
from hub.gateway.rate import Bucket

if TYPE_CHECKING:
    from hub.gateway.sessions import Desk, Sessions, Watch

PATH = "/ws"
MAX_EARLY = 64
"""So many frames may wait for the welcome."""
FRAMES_PER_S = 50
FRAMES_BURST = 200
UPGRADE_FRAMES = 5
"""An upgrade counts as so many frames of its address: it costs about as much."""

_PING = b"\x89\x00"
_QUIET = logging.getLogger("hub.gateway.websockets")
_QUIET.setLevel(logging.WARNING)  # websockets says "connection open" at INFO for each socket


Allows = Callable[[str, str], bool]
"""Whether a page of this Origin may talk to the hub, whose own origin is the second one."""


def socket_class(sessions: "Sessions", allows: Allows, addresses: Addresses) -> type[asyncio.Protocol]:
    """The class to hand to `uvicorn.Config(ws=…)`. What sends no Origin is no browser's page, and may connect.

    `addresses` counts the frames of each client address.
    """
    bound = {"__slots__": (), "sessions": sessions, "allows": staticmethod(allows), "addresses": addresses}
    return type("BoundSocket", (Socket,), bound)


def own_origin(origin: str, host: str) -> str:
    """The hub's own origin as a page would write it; a proxy may speak TLS for us, so the page's scheme counts."""
    return f"{origin.partition('://')[0]}://{host}"


class Socket(asyncio.Protocol):
    """One client's connection, from the upgrade request to its end."""

    __slots__ = (
        "__weakref__", "_address", "_aligned", "_at_door", "_bucket",
        "_connections", "_loop", "_partial", "_pinged", "_pushed", "_transport", "_unread",
        "_ws", "desk", "early", "paused", "session", "slot", "watches",
    )  # fmt: skip
    sessions: "ClassVar[Sessions]"
    allows: "ClassVar[staticmethod[[str, str], bool]]"
    addresses: ClassVar[Addresses]

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
        self._ws: ServerProtocol | None = ServerProtocol(max_size=MAX_FRAME_BYTES, logger=_QUIET)
        self._loop = asyncio.get_running_loop()
        self._bucket = Bucket(FRAMES_BURST, self._loop.time())
        self._address = self._bucket
        """The bucket of its address, from the upgrade on."""
        self._at_door = False
        self._partial: bytearray | None = None
        self._pushed: list[bytes] | None = None
        """What is to be sent together at the end of this turn of the loop."""
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
        if self.paused:
            self.paused = False
            self.sessions.slow -= 1
        self._forget()
        self.sessions.wheel.drop(self)

    def data_received(self, data: bytes) -> None:
        now_s = self._loop.time()
        if self._aligned and self.session.phase != "closed":
            # Nearly every read is one text frame: a third of the parser's time is saved by not asking it.
            text = whole_text(data)
            if text is not None or is_pong(data):
                if not self._may(now_s):
                    self.close(codes.TOO_FAST)
                elif text is None:
                    self._ponged()
                else:
                    self.sessions.received(self, text)
                return
            self._aligned = whole_frames(data)
        if self._at_door:  # whoever does not wait for the answer to the upgrade does not speak RFC 6455
            self._forget()
            self._transport.abort()
            return
        parser = self._parser()
        parser.receive_data(data)
        for event in parser.events_received():
            if self.session.phase == "closed":
                break
            if isinstance(event, Request):
                self._knock(event, now_s, data.find(b"\r\n\r\n") == len(data) - 4)
            elif not self._may(now_s):
                self.close(codes.TOO_FAST)
            elif isinstance(event, Frame):
                self._take(event)
        self._flush()

    def eof_received(self) -> None:
        self._parser().receive_eof()
        self._flush()

    def pause_writing(self) -> None:
        self.paused = True
        self.sessions.slow += 1

    def resume_writing(self) -> None:
        self.paused = False
        self.sessions.slow -= 1
        self.sessions.resumed(self)

    def shutdown(self) -> None:
        """The server stops (uvicorn calls it)."""
        if self.session.phase != "closed":
            self.close(codes.RESTART)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _may(self, now_s: float) -> bool:
        """Whether one more frame may come, of this socket and of its address."""
        limits = self.addresses
        return self._bucket.take(now_s, FRAMES_PER_S, FRAMES_BURST) and self._address.take(
            now_s, limits.per_s, limits.burst
        )

    def _knock(self, request: Request, now_s: float, aligned: bool) -> None:
        """Answer the upgrade request when it is its turn; at once where its address has asked too often."""
        limits, peer = self.addresses, self._transport.get_extra_info("peername") or ("",)
        forwarded = ",".join(request.headers.get_all("X-Forwarded-For"))
        self._address = limits.bucket(peer[0], forwarded, now_s)
        if not self._address.take(now_s, limits.per_s, limits.burst, UPGRADE_FRAMES):
            self._turn_away(429, "Too many connections from this address.\n")
        else:
            self._at_door = True
            self.sessions.wheel.put(self, DOOR_S)
            if not self.sessions.door.enter(partial(self._admit, request, aligned)):
                self._turn_away(503, "Too many are at the door.\n")

    def _turn_away(self, status: int, words: str) -> None:
        self._at_door = False
        parser = self._parser()
        answer = parser.reject(status, words)
        answer.headers["Retry-After"] = "5"
        parser.send_response(answer)

    def _admit(self, request: Request, aligned: bool) -> None:
        """Its turn at the door has come."""
        self._at_door = False
        if self.session.phase != "closed":
            self._aligned = aligned
            self._parser().send_response(self._judge(request))
            request.headers.clear()  # the parser keeps the request as long as the socket lives
            self.sessions.wheel.put(self, HELLO_S)
            self._flush()

    def _judge(self, request: Request) -> Response:
        """The answer to the upgrade request."""
        parser = self._parser()
        if request.path.partition("?")[0] != PATH:
            return parser.reject(404, f"Sockets are served at {PATH}.\n")
        host = ",".join(request.headers.get_all("Host"))
        for origin in request.headers.get_all("Origin"):
            if not self.allows(origin, own_origin(origin, host)):
                return parser.reject(403, f"Pages of {origin} may not connect here.\n")
        return parser.accept(request)

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
            case Opcode.PONG:
                self._ponged()
            case Opcode.CLOSE:
                self._forget()

    def _ponged(self) -> None:
        if self._pinged:
            self._pinged = False
            self.sessions.wheel.put(self, PING_EVERY_S)

    def _parser(self) -> ServerProtocol:
        """websockets' parser. Between whole frames an open socket keeps none, for each takes 2 KB."""
        if self._ws is None:
            self._ws = ServerProtocol(state=State.OPEN, max_size=MAX_FRAME_BYTES, logger=_QUIET)
        return self._ws

    # --- writing -----------------------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        """Send one JSON text as a frame of its own."""
        self.write(text_frame(payload))

    def push(self, data: bytes) -> None:
        """Send a frame that is complete, with the others that this turn of the loop pushes, by one call of the kernel.

        An agent's socket gets hundreds from one commit, and each call would cost more than all that led to it.
        """
        if self._pushed is not None:
            self._pushed.append(data)
        elif self.early is not None:
            self.write(data)
        else:
            self._pushed = [data]
            self.sessions.pushed(self)

    def flush(self) -> None:
        """Send what was pushed."""
        pushed, self._pushed = self._pushed, None
        if pushed is not None:
            self.write(pushed[0] if len(pushed) == 1 else b"".join(pushed))

    def write(self, data: bytes) -> None:
        """Send a frame that is complete (frames.text_frame); after hello it waits for the welcome."""
        if self._pushed is not None:
            self.flush()
        if self.early is not None:
            self.early.append(data)
            if len(self.early) > MAX_EARLY:
                self.close(codes.LET_GO, "too much has happened before the welcome")
        elif self.session.phase != "closed":
            self._transport.write(data)
            if self.paused and self._transport.get_write_buffer_size() > self.sessions.patience_bytes:
                self.close(codes.TOO_SLOW)

    def welcome(self, payload: bytes) -> None:
        """Send the welcome, and after it what had to wait."""
        early, self.early = self.early or [], None
        self.send(payload)
        for data in early:
            self.write(data)

    def close(self, code: Code, reason: str = "") -> None:
        """Close with `code`; nothing is sent or taken after it, and the client has LINGER_S to close its side."""
        self.flush()
        self.early = None
        ended = self.session.close(code, reason)
        parser = self._parser()
        if parser.state is State.OPEN:
            parser.send_close(code.number, ended.reason.encode()[:120].decode(errors="ignore"))
        elif parser.state is State.CONNECTING:
            self._transport.close()  # no handshake, no close frame
        self._flush()
        self._forget()
        self.sessions.wheel.put(self, LINGER_S)

    def _flush(self) -> None:
        """Send what the parser has to say, and let go of it where it is not needed for the next frame."""
        parser = self._parser()
        for data in parser.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                # Only half, and then wait: closing with unread bytes would reset the connection and lose the code.
                self._transport.write_eof()
                self._forget()
                self.sessions.wheel.put(self, LINGER_S)
            else:
                self._transport.close()
        if self._aligned and parser.state is State.OPEN:
            self._ws = None

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
