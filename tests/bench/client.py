"""The load: visitors and agents on raw sockets, in a process of its own, so that its core time is not the hub's.

What it knows it knows from the wire. A visitor's token and socket go over one connection: the partition in the minted
conversation's id tells which worker the connection has reached.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar, cast

from tests.bench import frames
from tests.bench.hub import KEYWORDS, TEAMS

VISITORS_AN_ADDRESS = 50
"""So many come from one loopback address: the hub limits tokens by address, and the kernel ports."""
AT_ONCE = 32
"""So many connections are being opened at a time."""
ANSWER_S = 30
TEXTS = (
    "你好，在吗",
    "我想问一下这件外套还有没有大号的？",
    "您好，我上周在你们店里买的那件外套到现在还没有穿过，能帮我查一下吗？谢谢",
    "好的，谢谢",
    "订单显示已经发出三天了，物流一直没有更新，麻烦看一下",
)
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

T = TypeVar("T")


class Link(asyncio.Protocol):
    """One connection: HTTP first, then frames, which go to `hear`."""

    def __init__(self, hear: Callable[["Link", int, bytes], None]) -> None:
        self._hear = hear
        self._reader: frames.Reader | None = None
        self._http = b""
        self._answer: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the hub closed the connection"))

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self._read_http(data)
            return
        for opcode, payload in self._reader.feed(data):
            if opcode == frames.PING:
                self.transport.write(frames.PONG)
            else:
                self._hear(self, opcode, payload)

    def _read_http(self, data: bytes) -> None:
        self._http += data
        head, end, body = self._http.partition(b"\r\n\r\n")
        if not end or self._answer is None:
            return
        if head.startswith(b"HTTP/1.1 101"):
            self._reader = frames.Reader()
            self._answer.set_result(b"")
            if body:
                self.data_received(body)
            return
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < size:
            return
        self._http = b""
        if head[9:10] != b"2":
            self._answer.set_exception(ConnectionError(self._http.decode() or f"{head!r} {body!r}"))
        else:
            self._answer.set_result(body)

    async def ask(self, request: bytes) -> bytes:
        """The body that the hub answers; raises ConnectionError for a status that is no 2xx."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await asyncio.wait_for(self._answer, ANSWER_S)

    async def upgrade(self, hello: bytes) -> None:
        """Become a socket and say hello."""
        await self.ask(UPGRADE)
        self.transport.write(hello)

    def close(self) -> None:
        """Hang up."""
        self.transport.abort()


def post(path: str, body: bytes = b"", token: str = "") -> bytes:
    """The bytes of a request."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}Content-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def hello(token: str) -> bytes:
    """The first frame of a socket."""
    return frames.text(json.dumps({"t": "hello", "v": 1, "token": token}).encode())


class Visitor:
    """Somebody who writes. `worker` is where their socket is, `sent_at` the time of what is not acknowledged yet."""

    def __init__(self, link: Link, token: str, conversation: str, worker: int) -> None:
        self.link, self.token, self.conversation, self.worker = link, token, conversation, worker
        self.n = 0
        self.sent_at = 0.0
        self.team = TEAMS[worker]

    def send(self) -> None:
        """The next message; the first one says which team should get it."""
        self.n += 1
        text = TEXTS[self.n % len(TEXTS)] if self.n > 1 else KEYWORDS[self.team]
        self.link.transport.write(frames.text(b'{"t":"send","id":"bench.%d","text":"%b"}' % (self.n, text.encode())))


class Crowd:
    """All visitors and agents of a run, and what they have heard."""

    def __init__(self, port: int, workers: int) -> None:
        self.visitors: list[Visitor] = []
        self.agents: list[Link] = []
        self.sent = self.acked = self.received = self.welcomed = 0
        self.latencies_s: list[float] = []
        self._trouble = ""
        self._seen: dict[bytes, int] = {}
        """By conversation, the last seq that a desk has received."""
        self._port, self._workers = port, workers
        self._by_link: dict[Link, Visitor] = {}
        self._idle: deque[Visitor] = deque()
        self._flowing = False
        self._loop = asyncio.get_running_loop()
        self._connections = 0

    # --- coming ------------------------------------------------------------------------------------------------------

    async def connect(self) -> Link:
        """A connection, from the next loopback address when this one has had its share."""
        place, self._connections = self._connections // VISITORS_AN_ADDRESS, self._connections + 1
        source = (f"127.{1 + place // 62_500}.{place // 250 % 250}.{1 + place % 250}", 0)
        _, link = await self._loop.create_connection(
            lambda: Link(self._hear), "127.0.0.1", self._port, local_addr=source
        )
        return link

    async def _arrive(self) -> Visitor:
        link = await self.connect()
        minted = json.loads(await link.ask(post("/api/v1/visitors", b'{"language":"zh-CN"}')))
        partition = int(minted["conversation"].partition("-")[0][1:])
        return Visitor(link, minted["token"], minted["conversation"], partition % self._workers)

    async def arrive(self, count: int, crossing: bool = False) -> None:
        """Open the sockets of `count` visitors; `crossing`: each conversation is owned by another worker."""
        came = await at_once(self._arrive for _ in range(count + 2 * AT_ONCE * crossing))
        if crossing:
            left, right = ([v for v in came if v.worker == worker] for worker in (0, 1))
            pairs = list(zip(left, right, strict=False))[: count // 2]
            for one, other in pairs:
                one.token, other.token = other.token, one.token
                one.conversation, other.conversation = other.conversation, one.conversation
            staying = [visitor for pair in pairs for visitor in pair]
            for visitor in set(came).difference(staying):
                visitor.link.close()
            came = staying
        self.visitors += came
        self._by_link.update((visitor.link, visitor) for visitor in came)
        await self._welcome([(visitor.link, visitor.token) for visitor in came])

    async def employ(self, admin_token: str, agents_a_team: int) -> None:
        """Put every agent on duty and open their desks: those of a team on the worker of its visitors."""
        desks = []
        for worker, team in enumerate(TEAMS[: self._workers]):
            for n in range(agents_a_team):
                link = await self._connect_to(worker)
                token = json.loads(await link.ask(post(f"/api/v1/agents/{team}{n}/token", b"", admin_token)))["token"]
                await link.ask(post(f"/api/v1/agents/{team}{n}/duty", b'{"on":true}', token))
                desks.append((link, token))
        self.agents = [link for link, _ in desks]
        await self._welcome(desks)

    def dismiss(self) -> None:
        """Close all desks; the agents stay on duty."""
        for link in self.agents:
            link.close()
        self.agents = []

    async def _connect_to(self, worker: int) -> Link:
        while True:
            visitor = await self._arrive()
            if visitor.worker == worker:
                return visitor.link
            visitor.link.close()

    async def _welcome(self, sockets: Sequence[tuple[Link, str]]) -> None:
        expected = self.welcomed + len(sockets)
        await at_once((lambda link=link, token=token: link.upgrade(hello(token))) for link, token in sockets)
        await self.until(lambda: self.welcomed >= expected, "all are welcomed")

    async def shake(self, count: int) -> float:
        """Let visitors come back: `count` times TCP, upgrade, hello, welcome; the seconds it took."""
        tokens = [visitor.token for visitor in self.visitors]

        async def come(token: str) -> Link:
            link = await self.connect()
            await link.upgrade(hello(token))
            return link

        expected, begun = self.welcomed + count, self._loop.time()
        links = await at_once((lambda n=n: come(tokens[n % len(tokens)])) for n in range(count))
        await self.until(lambda: self.welcomed >= expected, "all are welcomed")
        took = self._loop.time() - begun
        for link in links:
            link.close()
        return took

    # --- writing -----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Everybody's first message, until an agent has it: from then on each message is received by one desk."""
        for visitor in self.visitors:
            self._send(visitor)
        await self.until(lambda: self.acked >= len(self.visitors), "all first messages are acknowledged")
        await asyncio.sleep(3)
        self.sent = self.acked = self.received = 0

    def counts(self) -> tuple[int, int]:
        """Acknowledged messages, and messages that a desk has received."""
        return self.acked, self.received

    def flow(self, in_flight: int) -> None:
        """Keep so many messages under way, each visitor at most one, until `drain`."""
        self._idle = deque(self.visitors)
        self._flowing = True
        for _ in range(in_flight):
            self._send(self._idle.popleft())

    async def pace(self, per_s: int, seconds: float) -> list[float]:
        """Send at a steady rate; the seconds from each send to its ack."""
        self.latencies_s, begun = [], self._loop.time()
        for n in range(int(per_s * seconds)):
            wait_s = begun + n / per_s - self._loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._send(self.visitors[n % len(self.visitors)])
        await self.drain()
        return self.latencies_s

    async def each_sends(self, times: int) -> None:
        """Everybody writes so many messages, one after the other."""
        for _ in range(times):
            expected = self.acked + len(self.visitors)
            for n, visitor in enumerate(self.visitors):
                self._send(visitor)
                if n % 100 == 0:
                    await asyncio.sleep(0)
            await self.until(lambda: self.acked >= expected, "all are acknowledged")  # noqa: B023

    async def drain(self) -> None:
        """Send no more, and wait until everything is acknowledged and has reached a desk, if there is one."""
        self._flowing = False
        await self.until(lambda: self.acked == self.sent, "all is acknowledged")
        if self.agents:
            await self.until(lambda: self.received == self.sent, "the desks have received all")

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for it; raises RuntimeError when nothing has moved for a while."""
        seen, quiet_s = (-1, -1, -1), 0.0
        while not true():
            if self._trouble:
                raise RuntimeError(f"the hub said: {self._trouble}")
            now = (self.acked, self.received, self.welcomed)
            quiet_s, seen = (0.0 if now != seen else quiet_s + 0.005), now
            if quiet_s > ANSWER_S:
                counts = f"sent {self.sent}, acknowledged {self.acked}, received {self.received}"
                raise RuntimeError(f"waited {ANSWER_S} s for: {what}; {counts}, welcomed {self.welcomed}")
            await asyncio.sleep(0.005)

    def _send(self, visitor: Visitor) -> None:
        self.sent += 1
        visitor.sent_at = time.perf_counter()  # the loop's own clock knows only milliseconds
        visitor.send()

    def _hear(self, link: Link, opcode: int, payload: bytes) -> None:
        if payload.startswith(b'{"t":"ack"'):
            visitor = self._by_link[link]
            self.acked += 1
            self.latencies_s.append(time.perf_counter() - visitor.sent_at)
            self._idle.append(visitor)
            if self._flowing:
                self._send(self._idle.popleft())
        elif payload.startswith(b'{"t":"event"'):
            if link not in self._by_link:
                self._hear_event(payload)
        elif payload.startswith(b'{"t":"welcome"'):
            self.welcomed += 1
        elif opcode == frames.CLOSE or payload.startswith(b'{"t":"error"'):
            self._trouble = payload.decode(errors="replace")

    def _hear_event(self, payload: bytes) -> None:
        """A desk has received it; one that it knows already (docs/protocol.md, Events) counts once."""
        words = payload.split(b'"', 11)
        conversation, seq = words[7], int(words[10][1:-1])
        if seq > self._seen.get(conversation, 0):
            self._seen[conversation] = seq
            self.received += b'"kind":"message"' in payload


async def at_once(calls: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """What they answer, in order; AT_ONCE of them at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(call: Callable[[], Awaitable[T]]) -> T:
        async with places:
            return await call()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(call)) for call in calls]
    return [task.result() for task in tasks]
