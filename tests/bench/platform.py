"""What a message of a platform costs: by signed webhook in, and by an answer of a rule out again (connector webhook).

The shop that calls, and takes the answers, is a process of its own; its core time does not count.
"""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import uvloop

from tests.bench import hub
from tests.bench.figures import Figures, Plan, note

WORDS = {
    "webhooks_per_s": "webhooks/s accepted, each with one message",
    "webhooks_per_s_core": "  a core of worker + nats-server",
    "core_us_in": "  core-µs a message in, worker + nats-server, with its commit",
    "core_us_in_worker": "    worker",
    "core_us_in_nats": "    nats-server",
    "core_us_out": "core-µs an answer out (event, attempt, call, verdict, with their commits)",
    "core_us_out_worker": "    worker",
    "answers_per_s": "  answers/s meanwhile",
}
IN_SECRET, OUT_SECRET = "secret-of-the-way-in", "secret-of-the-way-out"
PEOPLE = 200
ASKS, SAYS = "请自动回答", "请问什么时候发货"
ROUTING = f"""\
default: left
rules:
  - {{id: echo, words: [{ASKS}], reply: 您好，这是自动回答。}}
"""


def run(plan: Plan) -> Figures:
    """Messages without an answer, then messages that a rule answers: the difference is the way out."""
    figures: Figures = {}
    with hub.folder() as place, _shop() as shop:
        environment = {"HUB_CONFIG": str(_config(place, shop.port))}
        with hub.running(1, 1, place=place, environment=environment) as node:
            (place / "rules" / "routing.yaml").write_text(ROUTING, encoding="utf-8")
            shop.pipe.send((node.address, SAYS, plan.in_flight, plan.warm_up_s))
            shop.pipe.recv()
            for _ in range(plan.repeats):
                came = _measure(node, shop, SAYS, plan)
                both = _measure(node, shop, ASKS, plan)
                note(figures, {
                    "webhooks_per_s": came.messages / came.took_s,
                    "webhooks_per_s_core": came.messages / (came.worker_s + came.nats_s),
                    "core_us_in": came.per_message(came.worker_s + came.nats_s),
                    "core_us_in_worker": came.per_message(came.worker_s),
                    "core_us_in_nats": came.per_message(came.nats_s),
                    "core_us_out": both.out(came, both.worker_s + both.nats_s, came.worker_s + came.nats_s),
                    "core_us_out_worker": both.out(came, both.worker_s, came.worker_s),
                    "answers_per_s": both.answers / both.answered_s,
                })  # fmt: skip
    return figures


class _Used(NamedTuple):
    """One stretch: messages that came within `took_s`, answers that went out until `answered_s`, and core seconds."""

    messages: int
    answers: int
    took_s: float
    answered_s: float
    worker_s: float
    nats_s: float

    def per_message(self, core_s: float) -> float:
        return core_s / self.messages * 1e6

    def out(self, came: "_Used", mine_s: float, theirs_s: float) -> float:
        """What an answer costs: all that was used, less what the messages alone would have."""
        return (mine_s - theirs_s / came.messages * self.messages) / self.answers * 1e6


class _Shop(NamedTuple):
    pipe: Connection
    port: int


def _measure(node: hub.Hub, shop: _Shop, text: str, plan: Plan) -> _Used:
    before = node.cores()
    shop.pipe.send((node.address, text, plan.in_flight, plan.measure_s))
    messages, answers, took_s, answered_s = shop.pipe.recv()
    used = node.until_quiet("worker").since(before)
    return _Used(messages, answers, took_s, answered_s, used.worker, used.nats)


def _config(place: Path, port: int) -> Path:
    """The hub's settings: the channel webhook, and nothing else."""
    signed = {"header": "X-Signature"}
    settings = {
        "channels": {
            "webhook": {
                "in": {"secret": IN_SECRET, "signature": signed, "identity": "who", "outside_id": "id", "text": "text"},
                "out": {
                    "url": f"http://127.0.0.1:{port}/replies", "secret": OUT_SECRET, "signature": signed,
                    "body": {"to": "address", "text": "text"}, "recognises_s": 3600,
                },
            }
        }
    }  # fmt: skip
    file = place / "hub.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    return file


# --- the shop, in a process of its own -------------------------------------------------------------------------------


@contextlib.contextmanager
def _shop() -> Iterator[_Shop]:
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_keep_shop, args=(its,), daemon=True)
    process.start()
    try:
        yield _Shop(ours, ours.recv())
    finally:
        ours.send(None)
        process.join(10)
        process.kill()


def _keep_shop(pipe: Connection) -> None:
    uvloop.run(_Keeper(pipe).run())


class _Keeper:
    """Calls the hub as told, and takes its answers."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._ids = itertools.count(1)
        self._answers = 0
        self._answered = 0.0
        """When the last one came."""

    async def run(self) -> None:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self._pipe.send(server.sockets[0].getsockname()[1])
        while (told := await asyncio.to_thread(self._pipe.recv)) is not None:
            address, text, in_flight, seconds = told
            before, begun = self._answers, time.monotonic()
            calls = (self._call(address, text, begun + seconds) for _ in range(min(in_flight, 64)))
            counts = await asyncio.gather(*calls)
            took_s = time.monotonic() - begun
            await self._quiet()
            self._pipe.send((sum(counts), self._answers - before, took_s, max(0.0, self._answered - begun)))

    async def _quiet(self) -> None:
        """Wait until no more answers come."""
        while True:
            before = self._answers
            await asyncio.sleep(1)
            if self._answers == before:
                return

    async def _call(self, address: tuple[str, int], text: str, until: float) -> int:
        """One connection: a message, its 200, the next one. How many were taken."""
        reader, writer = await asyncio.open_connection(*address)
        count = 0
        while time.monotonic() < until:
            n = next(self._ids)
            body = json.dumps({"id": f"m{n}", "who": f"person{n % PEOPLE}", "text": text}).encode()
            signature = hmac.digest(IN_SECRET.encode(), body, hashlib.sha256).hex()
            writer.write(
                b"POST /callbacks/webhook HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
                b"X-Signature: %b\r\nContent-Length: %d\r\n\r\n%b" % (signature.encode(), len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the hub answered {head.splitlines()[0]!r}")
            count += 1
        writer.close()
        return count

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
                self._answers += 1
                self._answered = time.monotonic()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().splitlines())
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)
