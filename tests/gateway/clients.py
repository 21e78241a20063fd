"""A client of protocol v1 without a network: websockets' own Sans-I/O client on a transport made of lists."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from hub.gateway.addresses import Addresses
from hub.gateway.door import Door
from hub.gateway.heartbeat import TICK_S
from hub.gateway.sessions import Sessions
from hub.gateway.socket import Socket, socket_class
from hub.gateway.tokens import VISITOR_TOKEN_S, Tokens
from tests.gateway.fakes import ZHANG, FakeCalls

NOW_S = 1_764_000_000
C = "c7-abc"
AGENT = "a3-wangfang"


class MemoryTransport(asyncio.Transport):
    """What the socket writes, and what it did to the connection. `unread` is what the client has not read."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.unread = 0
        self.ended = ""

    def write(self, data: Any) -> None:
        assert not self.ended, f"written after {self.ended}"
        self.written.append(bytes(data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = "eof"

    def close(self) -> None:
        self.ended = "close"

    def abort(self) -> None:
        self.ended = "abort"

    def get_write_buffer_size(self) -> int:
        return self.unread

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.7", 5000) if name == "peername" else default


class World:
    """One worker's gateway over a FakeCalls; `tokens` has made all tokens."""

    def __init__(self, origins: tuple[str, ...] = (), addresses: Addresses | None = None) -> None:
        self.tokens = Tokens(b"s" * 32)
        self.now_s = NOW_S
        self.calls = FakeCalls()
        self.sessions = Sessions(self.tokens, now_s=lambda: self.now_s, jitter=lambda: 0.5)
        self.sessions.door = Door(lambda: 0.0)  # nobody has to wait for another turn of the loop
        self.sessions.start(self.calls)
        self.sessions.stop()  # tests turn the wheel themselves
        self.calls.pushes = self.sessions
        self.socket_class: Any = socket_class(
            self.sessions,
            lambda origin, own: origin == own or origin in origins or "*" in origins,
            addresses or Addresses(1e6, 1e6),
        )
        self.server = SimpleNamespace(connections=set())
        self.clients: list[Client] = []

    def pass_s(self, seconds: float) -> None:
        """Let the sweep come round for so long; clients that are not deaf answer its pings."""
        for _ in range(round(seconds / TICK_S)):
            self.sessions.sweep()
            for client in self.clients:
                client.exchange()

    def visitor_token(self, conversation: str = C, expires_in_s: int = 3600) -> str:
        return self.tokens.mint_visitor(conversation, ZHANG, NOW_S - VISITOR_TOKEN_S + expires_in_s).token

    def agent_token(self, agent: str = AGENT) -> str:
        return self.tokens.mint_agent(agent, NOW_S).token

    def client(self, origin: str | None = None, path: str = "/ws", forwarded: str = "") -> "Client":
        return Client(self, origin, path, forwarded)

    def visitor(self, conversation: str = C, **hello: Any) -> "Client":
        client = self.client()
        client.say({"t": "hello", "v": 1, "token": self.visitor_token(conversation), **hello})
        return client

    def agent(self, agent: str = AGENT, **hello: Any) -> "Client":
        client = self.client()
        client.say({"t": "hello", "v": 1, "token": self.agent_token(agent), **hello})
        return client


class Client:
    """Says frames and hears them. `deaf`: it does not answer pings."""

    def __init__(self, world: World, origin: str | None, path: str, forwarded: str) -> None:
        self.transport = MemoryTransport()
        self.deaf = False
        self.status = 0
        self.pings = 0
        self._heard: list[dict[str, Any]] = []
        self.socket: Socket = world.socket_class(None, world.server, {})
        self.socket.connection_made(self.transport)
        self.ws = ClientProtocol(parse_uri(f"ws://hub.example{path}"), max_size=None, origin=origin)  # type: ignore[arg-type]
        request = self.ws.connect()
        request.headers["X-Forwarded-For"] = forwarded
        self.ws.send_request(request)
        world.clients.append(self)
        self.exchange()

    def say(self, frame: object) -> None:
        self.raw(json.dumps(frame).encode())

    def raw(self, data: bytes, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> None:
        self.bytes(Frame(opcode, data, fin).serialize(mask=True))

    def bytes(self, data: bytes) -> None:
        self.socket.data_received(data)
        self.exchange()

    def heard(self) -> list[dict[str, Any]]:
        """The frames that came since the last look."""
        self.exchange()
        heard, self._heard = self._heard, []
        return heard

    @property
    def closed(self) -> int | None:
        """The close code that came, if one did."""
        self.exchange()
        return self.ws.close_rcvd.code if self.ws.close_rcvd else None

    def leave(self) -> None:
        self.deaf = True
        self.socket.connection_lost(None)

    def exchange(self) -> None:
        """Carry bytes both ways until both are silent."""
        self.socket.flush()  # as at the end of a turn of the loop
        while True:
            written, self.transport.written = self.transport.written, []
            for data in written:
                self.ws.receive_data(data)
            for event in self.ws.events_received():
                self._note(event)
            said = [data for data in self.ws.data_to_send() if data]
            if self.deaf or not said or self.transport.ended:
                return
            for data in said:
                self.socket.data_received(data)

    def _note(self, event: object) -> None:
        if isinstance(event, Response):
            self.status = event.status_code
        elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
            self._heard.append(json.loads(bytes(event.data)))
        elif isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings += 1
