"""A mass reconnect: all workers are killed under thousands of visitors, who come back within ten seconds.

Each visitor has one message acknowledged and one on its way when the workers die; it comes back as docs/protocol.md
says (hello with `epoch` and `seq`, then again what is not acknowledged), and at the end compares its history.
"""

import asyncio
import json
import multiprocessing
import os
import random
import resource
import signal
import socket
import threading
import time
from collections.abc import Coroutine, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from tests.bench import frames, hub
from tests.bench.figures import Figures, Plan, note
from tests.bench.hub import Hub

OVER_S = 10.0
AN_ADDRESS = 50
AT_ONCE = 64
ANSWER_S = 60.0
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MINT = (
    b"POST /api/v1/visitors HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)


WORDS = {
    "reconnect_s": "s from SIGKILL of the only worker until all its 10,000 visitors are welcome again",
    "reconnect_tries": f"  tries a visitor; the first ones come within {OVER_S:.0f} s",
    "reconnect_stall_ms": "  longest wait for a pong of those who are in, ms",
    "reconnect_bytes": "  most memory of the worker",
    "reconnect_lost": "  visitors with a message lost, doubled or out of order",
}


def run(plan: Plan) -> Figures:
    """A hub for each repeat."""
    figures: Figures = {}
    for _ in range(plan.repeats):
        note(figures, measure(plan.sockets[-1], OVER_S))
    return figures


def measure(visitors: int, over_s: float) -> dict[str, float]:
    """The figures of one reconnect."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    with hub.running(1, 1) as node:
        process = context.Process(target=_main, args=(theirs, node.address[1], visitors, over_s), daemon=True)
        process.start()
        theirs.close()
        try:
            _hear(ours)  # all are there, and their second message is on its way
            watcher = Watcher(node)
            killed = time.monotonic()
            for pid in node.processes()["worker"]:
                os.kill(pid, signal.SIGKILL)
            watcher.start()
            ours.send("come back")
            figures = _hear(ours)
            figures["reconnect_s"] = time.monotonic() - killed
            return figures | watcher.stop() | _hear(ours)
        finally:
            process.kill()
            process.join()


def _hear(pipe: Connection) -> dict[str, float]:
    figures, failure = pipe.recv()
    if failure:
        raise RuntimeError(failure)
    return dict(figures)


class Watcher(threading.Thread):
    """Asks the new worker "are you there" all the time, and notes its memory: what a visitor notices of a stall."""

    def __init__(self, node: Hub) -> None:
        super().__init__(daemon=True)
        self._node, self._token = node, _mint(node.address[1])
        self._stopping = threading.Event()
        self._longest_s = 0.0
        self._most_bytes = 0

    def run(self) -> None:
        """Until `stop`; while there is no worker it tries to get in."""
        while not self._stopping.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._node.address[1]), 10) as link:
                    self._watch(link)
            except OSError:
                time.sleep(0.02)

    def stop(self) -> dict[str, float]:
        """The figures."""
        self._stopping.set()
        self.join()
        return {"reconnect_stall_ms": self._longest_s * 1e3, "reconnect_bytes": self._most_bytes}

    def _watch(self, link: socket.socket) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(UPGRADE)
        if not link.recv(4096).startswith(b"HTTP/1.1 101"):
            raise OSError("turned away")
        link.sendall(frames.text(json.dumps({"t": "hello", "v": 1, "token": self._token}).encode()))
        link.recv(4096)  # the welcome
        while not self._stopping.wait(0.025):
            begun = time.perf_counter()
            link.sendall(frames.text(b'{"t":"ping"}'))
            if not link.recv(4096):
                raise OSError("closed")
            self._longest_s = max(self._longest_s, time.perf_counter() - begun)
            self._most_bytes = max(self._most_bytes, *map(_resident_bytes, self._node.processes()["worker"]), 0)


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _mint(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(MINT)
        answer = b""
        while b'"expires_at"' not in answer:
            answer += link.recv(4096)
    return str(json.loads(answer[answer.index(b"{") :])["token"])


# --- the crowd, in a process of its own ------------------------------------------------------------------------------


def _main(pipe: Connection, port: int, visitors: int, over_s: float) -> None:
    try:
        uvloop.run(_play(pipe, port, visitors, over_s))
    except Exception as error:
        pipe.send(({}, f"{type(error).__name__}: {error}"))


async def _play(pipe: Connection, port: int, visitors: int, over_s: float) -> None:
    crowd = [Visitor(port, n) for n in range(visitors)]
    await _at_once(visitor.arrive() for visitor in crowd)
    for visitor in crowd:
        visitor.send()
    pipe.send(({}, ""))
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    rng = random.Random(1)
    async with asyncio.timeout(6 * ANSWER_S):
        await asyncio.gather(*(visitor.come_back(rng.uniform(0, over_s), rng) for visitor in crowd))
        pipe.send(({"reconnect_tries": sum(visitor.tries for visitor in crowd) / visitors}, ""))
        await asyncio.gather(*(visitor.acked.wait() for visitor in crowd))
        histories = await _at_once(visitor.history() for visitor in crowd)
    wrong = sum(history != ["bench.1", "bench.2"] for history in histories)
    pipe.send(({"reconnect_lost": float(wrong)}, ""))


async def _at_once(calls: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What they answer, in order; AT_ONCE of them at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(call: Coroutine[Any, Any, Any]) -> Any:
        async with places:
            return await call

    return await asyncio.gather(*map(one, calls))


class Visitor(asyncio.Protocol):
    """Somebody with a page. `seq` is the last event they have, `tries` how often they knocked to get in again."""

    __slots__ = ("_answer", "_bytes", "_from", "_port", "_reader", "_token", "_transport", "acked", "epoch", "n", "seq",
                 "tries")  # fmt: skip

    def __init__(self, port: int, number: int) -> None:
        number = number // AN_ADDRESS + 2
        self._port, self._from = port, f"127.0.{number // 250}.{number % 250 + 1}"
        self._answer: asyncio.Future[bytes] | None = None
        self._bytes = b""
        self._reader: frames.Reader | None = None
        self._token = ""
        self.epoch = self.seq = self.n = self.tries = 0
        self.acked = asyncio.Event()

    async def arrive(self) -> None:
        """The first visit, with one message that is acknowledged."""
        await self._connect()
        self._token = json.loads((await self._ask(MINT)).partition(b"\r\n\r\n")[2])["token"]
        await self._greet()
        self.send()
        await asyncio.wait_for(self.acked.wait(), ANSWER_S)
        self.acked.clear()

    async def come_back(self, after_s: float, rng: random.Random) -> None:
        """Notice late that the hub was away, and try with full jitter until it says welcome."""
        await asyncio.sleep(after_s)
        while True:
            self.tries += 1
            try:
                await self._connect()
                await self._greet()
            except (OSError, TimeoutError):
                self._transport.abort()
                await asyncio.sleep(max(0.5, rng.uniform(0, min(30, 0.5 * 2 ** min(self.tries, 10)))))
            else:
                break
        if not self.acked.is_set():
            self._say({"t": "send", "id": f"bench.{self.n}", "text": "在吗"})

    def send(self) -> None:
        """The next message."""
        self.n += 1
        self._say({"t": "send", "id": f"bench.{self.n}", "text": "在吗"})

    async def history(self) -> list[str]:
        """The ids of their messages, as the hub has them."""
        page = json.loads(await self._ask(frames.text(b'{"t":"range","after":0,"before":999999}')))
        return [event["id"] for event in page["events"] if event["kind"] == "message"]

    async def _connect(self) -> None:
        self._reader, self._bytes = None, b""
        self._transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: self, "127.0.0.1", self._port, local_addr=(self._from, 0)
        )

    async def _greet(self) -> None:
        if not (await self._ask(UPGRADE)).startswith(b"HTTP/1.1 101"):
            raise OSError("turned away")
        self._reader = frames.Reader()
        hello = {"t": "hello", "v": 1, "token": self._token, "epoch": self.epoch, "seq": self.seq}
        welcome = json.loads(await self._ask(frames.text(json.dumps(hello).encode())))
        if welcome["t"] != "welcome":
            raise OSError(str(welcome))
        self.epoch, self.seq = welcome["epoch"], welcome["seq"]
        if welcome["tabs"].get("bench", 0) >= self.n > 0:
            self.acked.set()

    async def _ask(self, data: bytes) -> bytes:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await asyncio.wait_for(self._answer, ANSWER_S)

    def _say(self, frame: dict[str, Any]) -> None:
        self._transport.write(frames.text(json.dumps(frame).encode()))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(OSError("the hub closed the connection"))

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self._bytes += data
            head, end, body = self._bytes.partition(b"\r\n\r\n")
            if end and (b"101" in head[:14] or body):
                self._tell(self._bytes)
                self._bytes = b""
            return
        for opcode, payload in self._reader.feed(data):
            if opcode == frames.PING:
                self._transport.write(frames.PONG)
            elif payload.startswith(b'{"t":"ack"'):
                self.seq = max(self.seq, json.loads(payload)["seq"])
                self.acked.set()
            elif payload.startswith((b'{"t":"welcome"', b'{"t":"page"')):
                self._tell(payload)
            elif payload.startswith(b'{"t":"error"'):
                again = {"t": "send", "id": f"bench.{self.n}", "text": "在吗"}
                asyncio.get_running_loop().call_later(1, self._say, again)

    def _tell(self, answer: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
