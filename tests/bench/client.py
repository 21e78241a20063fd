"""The load: visitors and agents on raw sockets, one process's share of them, so that its core time is not the hub's.

What it knows it knows from the wire. A visitor's token and socket go over one connection: the partition in the minted
conversation's id, its worker's home, tells which worker the connection has reached.

A visitor writes one message at a time and each message is a write of its own, as pages do it: several in one write
would cost the hub less than real visitors do.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar, NamedTuple, TypeVar, cast

from tests.bench import frames
from tests.bench.hub import KEYWORDS, TEAMS

VISITORS_AN_ADDRESS = 50
"""So many come from one loopback address: the hub limits tokens by address, and the kernel ports."""
ADDRESSES_A_PROCESS = 2_000
AT_ONCE = 32
"""So many connections are being opened at a time."""
SLICE = 400
"""So many come before they are made sockets: the hub hangs up on an HTTP client that is silent for 5 s."""
ANSWER_S = 30
UNDER_WAY = 1_000
"""So many messages at most while everybody writes in turn: the hub refuses more than it can hold."""
TRIES = 500
"""So many connections are made in search of a certain worker: the kernel deals them out at random."""
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
ACK, EVENT, WELCOME, ERROR = (b'{"t":"%b"' % kind for kind in (b"ack", b"event", b"welcome", b"error"))

T = TypeVar("T")


class Counts(NamedTuple):
    """Messages: sent, acknowledged to the visitor, received by a desk."""

    sent: int = 0
    acked: int = 0
    received: int = 0


class Link(asyncio.Protocol):
    """One connection: HTTP first, then frames. What is not a lone ack goes to `hear`."""

    def __init__(self, hear: Callable[["Link", int, bytes], None], acked: Callable[["Visitor"], None]) -> None:
        self._hear, self._acked = hear, acked
        self._reader: frames.Reader | None = None
        self._http = b""
        self._answer: asyncio.Future[bytes] | None = None
        self.visitor: Visitor | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the hub closed the connection"))

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self._read_http(data)
        elif self.visitor is not None and data.startswith(ACK, 2) and frames.is_one(data):
            self._acked(self.visitor)
        else:
            for opcode, payload in self._reader.feed(data):
                if opcode == frames.PING:
                    self.transport.write(frames.PONG)
                elif payload.startswith(ACK) and self.visitor is not None:
                    self._acked(self.visitor)
                else:
                    self._hear(self, opcode, payload)

    def _read_http(self, data: bytes) -> None:
        self._http += data
        head, end, body = self._http.partition(b"\r\n\r\n")
        if not end or self._answer is None:
            return
        if head.startswith(b"HTTP/1.1 101"):
            self._reader, self._http = frames.Reader(), b""
            self._answer.set_result(b"")
            if body:
                self.data_received(body)
            return
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < size:
            return
        self._http = b""
        if head[9:10] != b"2":
            self._answer.set_exception(ConnectionError(f"{head!r} {body!r}"))
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


def message(n: int, words: str) -> bytes:
    """The frame with which a visitor sends their message number n."""
    return frames.text(b'{"t":"send","id":"bench.%d","text":"%b"}' % (n, words.encode()))


class Visitor:
    """Somebody who writes. `worker` is where their socket is, `sent_at` the time of what is not acknowledged yet."""

    __slots__ = ("conversation", "link", "n", "sent_at", "team", "token", "worker")
    _messages: ClassVar[list[bytes]] = []
    """The frame of message n, from the second on: the same for all, so that the client's own work is not measured."""

    def __init__(self, link: Link, token: str, conversation: str, worker: int) -> None:
        self.link, self.token, self.conversation, self.worker = link, token, conversation, worker
        self.n = 0
        self.sent_at = 0.0
        self.team = TEAMS[worker]
        link.visitor = self

    def send(self) -> None:
        """The next message; the first one says which team should get it."""
        n = self.n = self.n + 1
        if n == 1:
            self.link.transport.write(message(1, KEYWORDS[self.team]))
            return
        while n - 2 >= len(self._messages):
            self._messages.append(message(len(self._messages) + 2, TEXTS[len(self._messages) % len(TEXTS)]))
        self.link.transport.write(self._messages[n - 2])


class Share:
    """One process's visitors and agents, and what they have heard. `number`: which process of the crowd it is."""

    def __init__(self, addresses: Sequence[tuple[str, int]], number: int) -> None:
        self.visitors: list[Visitor] = []
        self.sent = self.acked = self.received = self.welcomed = 0
        self._agents: list[Link] = []
        self._took_s: list[float] = []
        self._pacing = False
        self._trouble = ""
        self._seen: dict[bytes, int] = {}
        """By conversation, the last seq that a desk has received."""
        self._addresses = addresses
        self._homes: list[int] = []
        """The partition in which each worker opens conversations."""
        self._idle: deque[Visitor] = deque()
        self._flowing = False
        self._loop = asyncio.get_running_loop()
        self._first = number * ADDRESSES_A_PROCESS
        self._connections = 0

    # --- coming ------------------------------------------------------------------------------------------------------

    async def find_homes(self, workers: int) -> list[int]:
        """Connect until every worker has been met: the partition in which each of them opens conversations."""
        found: set[int] = set()
        for _ in range(TRIES):
            link, _, conversation = await self._mint()
            link.close()
            found.add(partition_of(conversation))
            if len(found) == workers:
                return sorted(found)
        raise RuntimeError(f"{TRIES} connections have met {len(found)} of {workers} workers")

    def know_homes(self, homes: list[int]) -> None:
        """What `find_homes` has found."""
        self._homes = homes

    async def connect(self) -> Link:
        """A connection, from the next loopback address when this one has had its share."""
        host, port = self._addresses[self._connections % len(self._addresses)]
        place, self._connections = self._first + self._connections // VISITORS_AN_ADDRESS, self._connections + 1
        source = (f"127.{1 + place // 62_500}.{place // 250 % 250}.{1 + place % 250}", 0)
        _, link = await self._loop.create_connection(
            lambda: Link(self._hear, self._hear_ack), host, port, local_addr=source
        )
        return link

    async def _mint(self) -> tuple[Link, str, str]:
        link = await self.connect()
        minted = json.loads(await link.ask(post("/api/v1/visitors", b'{"language":"zh-CN"}')))
        return link, minted["token"], minted["conversation"]

    async def _arrive(self) -> Visitor:
        link, token, conversation = await self._mint()
        try:
            return Visitor(link, token, conversation, self._homes.index(partition_of(conversation)))
        except ValueError:
            raise RuntimeError(f"a worker has moved: {conversation} is in none of the homes {self._homes}") from None

    async def arrive(self, count: int, crossing: bool = False) -> None:
        """Open the sockets of `count` visitors; `crossing`: each conversation is owned by another worker."""
        upto = len(self.visitors) + count
        while len(self.visitors) < upto:
            came = await at_once(self._arrive for _ in range(SLICE))
            if crossing:
                came = exchange(came, len(self._homes))
            for visitor in came[upto - len(self.visitors) :]:
                visitor.link.close()
            staying = came[: upto - len(self.visitors)]
            await self._welcome([(visitor.link, visitor.token) for visitor in staying])
            self.visitors += staying

    async def employ(self, admin_token: str, numbers: Sequence[int]) -> None:
        """Put agents on duty and open their desks: those of a team on the worker of its visitors."""
        for worker, team in enumerate(TEAMS[: len(self._homes)]):
            for n in numbers:
                link = await self._connect_to(worker)
                token = json.loads(await link.ask(post(f"/api/v1/agents/{team}{n}/token", b"", admin_token)))["token"]
                await link.ask(post(f"/api/v1/agents/{team}{n}/duty", b'{"on":true}', token))
                await self._welcome([(link, token)])
                self._agents.append(link)

    def dismiss(self) -> None:
        """Close all desks; the agents stay on duty."""
        for link in self._agents:
            link.close()
        self._agents = []

    async def _connect_to(self, worker: int) -> Link:
        for _ in range(TRIES):
            visitor = await self._arrive()
            if visitor.worker == worker:
                visitor.link.visitor = None
                return visitor.link
            visitor.link.close()
        raise RuntimeError(f"{TRIES} connections have not met worker {worker}")

    async def _welcome(self, sockets: Sequence[tuple[Link, str]]) -> None:
        expected = self.welcomed + len(sockets)
        await at_once(partial(link.upgrade, hello(token)) for link, token in sockets)
        await self._until(lambda: self.welcomed >= expected, "all are welcomed")

    async def shake(self, count: int) -> None:
        """Let visitors come back: `count` times TCP, upgrade, hello, welcome."""
        tokens = [visitor.token for visitor in self.visitors]

        async def come(token: str) -> Link:
            link = await self.connect()
            await link.upgrade(hello(token))
            return link

        expected = self.welcomed + count
        links = await at_once(partial(come, tokens[n % len(tokens)]) for n in range(count))
        await self._until(lambda: self.welcomed >= expected, "all are welcomed")
        for link in links:
            link.close()

    # --- writing -----------------------------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """What has been sent, acknowledged and received. Raises RuntimeError when the hub has refused something."""
        self._check()
        return Counts(self.sent, self.acked, self.received)

    async def each_sends(self, times: int) -> None:
        """Everybody writes so many messages, one after the other; returns when all are acknowledged."""
        for _ in range(times):
            expected = self.acked + len(self.visitors)
            for n, visitor in enumerate(self.visitors):
                self._send(visitor)
                if n % 100 == 0:
                    await self._until(lambda: self.sent - self.acked < UNDER_WAY, "enough is acknowledged")
            await self._until(lambda: self.acked >= expected, "all are acknowledged")  # noqa: B023

    def forget_counts(self) -> None:
        """Count from 0 again."""
        self.sent = self.acked = self.received = 0

    def flow(self, in_flight: int) -> None:
        """Keep so many messages under way, each visitor at most one, until `stop`."""
        self._idle = deque(self.visitors)
        self._flowing = True
        for _ in range(in_flight):
            self._send(self._idle.popleft())

    def stop(self) -> None:
        """Send no more."""
        self._flowing = False

    async def pace(self, per_s: float, seconds: float) -> list[float]:
        """Send at a steady rate, everybody in turn; the seconds from each send to its ack."""
        self._took_s, self._pacing, begun = [], True, self._loop.time()
        for n in range(int(per_s * seconds)):
            wait_s = begun + n / per_s - self._loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            visitor = self.visitors[n % len(self.visitors)]
            visitor.sent_at = time.perf_counter()  # the loop's own clock knows only milliseconds
            self._send(visitor)
        await self._until(lambda: self.acked >= self.sent, "all is acknowledged")
        self._pacing = False
        return self._took_s

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for it; raises RuntimeError when nothing has moved for a while."""
        seen, quiet_s = (-1, -1), 0.0
        while not true():
            self._check()
            now = (self.acked, self.welcomed)
            quiet_s, seen = (0.0 if now != seen else quiet_s + 0.005), now
            if quiet_s > ANSWER_S:
                raise RuntimeError(f"waited {ANSWER_S} s for: {what}; {self.counts()}, welcomed {self.welcomed}")
            await asyncio.sleep(0.005)

    def _check(self) -> None:
        if self._trouble:
            raise RuntimeError(f"the hub said: {self._trouble}")

    def _send(self, visitor: Visitor) -> None:
        self.sent += 1
        visitor.send()

    def _hear_ack(self, visitor: Visitor) -> None:
        self.acked += 1
        if self._flowing:
            idle = self._idle
            idle.append(visitor)
            self.sent += 1
            idle.popleft().send()
        elif self._pacing:
            self._took_s.append(time.perf_counter() - visitor.sent_at)

    def _hear(self, link: Link, opcode: int, payload: bytes) -> None:
        if payload.startswith(EVENT):
            if link.visitor is None:
                self._hear_event(payload)
        elif payload.startswith(WELCOME):
            self.welcomed += 1
        elif opcode == frames.CLOSE or payload.startswith(ERROR):
            self._trouble = payload.decode(errors="replace")

    def _hear_event(self, payload: bytes) -> None:
        """A desk has received it; one that it knows already (docs/protocol.md, Events) counts once."""
        words = payload.split(b'"', 11)
        conversation, seq = words[7], int(words[10][1:-1])
        if seq > self._seen.get(conversation, 0):
            self._seen[conversation] = seq
            self.received += b'"kind":"message"' in words[11]


def exchange(visitors: Sequence[Visitor], workers: int) -> list[Visitor]:
    """As many of them from each worker, with the conversations of the next one's; the others hang up."""
    by_worker = [[visitor for visitor in visitors if visitor.worker == worker] for worker in range(workers)]
    rounds = list(zip(*by_worker, strict=False))
    for one_each in rounds:
        theirs = [(visitor.token, visitor.conversation) for visitor in one_each]
        for visitor, others in zip(one_each, theirs[1:] + theirs[:1], strict=True):
            visitor.token, visitor.conversation = others
    staying = [visitor for one_each in rounds for visitor in one_each]
    for visitor in set(visitors).difference(staying):
        visitor.link.close()
    return staying


def partition_of(conversation: str) -> int:
    """The number in an id such as c7-…"""
    return int(conversation.partition("-")[0][1:])


async def at_once(calls: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """What they answer, in order; AT_ONCE of them at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(call: Callable[[], Awaitable[T]]) -> T:
        async with places:
            return await call()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(call)) for call in calls]
    return [task.result() for task in tasks]
