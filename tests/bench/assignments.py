"""What an assignment costs end to end, while 10,000 wait for 1,000 agents in 50 teams who are all at capacity.

Visitors write by signed webhook, each a new one. Conversations are closed over the API, and for each somebody else
writes: so one assignment is a closing, a message with its Enqueued, and Chosen and Assigned for the first in a line,
all of it on disk. An observer on the same nats-server sees each batch of the log and the server's yes to it: what
counts is the time from the yes to an agent's closed conversation to the yes to their next one. What the observer
makes nats-server do is in its figure.
"""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import multiprocessing
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import uvloop
from nats.aio.msg import Msg

from hub.bus.connection import connect
from hub.bus.server import address as nats_address
from hub.domain.batch import decode_batch
from hub.domain.events import Assigned, Closed, Enqueued
from tests.bench import hub
from tests.bench.figures import Figures, Plan, note, quantiles_ms

WORDS = {
    "assignments_per_s": "assignments/s, each with a closing by API and a message by webhook",
    "core_us_per_assignment": "  core-µs an assignment, worker + nats-server",
    "core_us_per_assignment_worker": "    worker",
    "core_us_per_assignment_nats": "    nats-server",
    "freed_to_assigned_p50_ms": "ms from an agent's freeing to their next one, at 500/s, p50",
    "freed_to_assigned_p99_ms": "  p99",
    "paced_assignments_per_s": "  assignments/s reached meanwhile",
    "assignments_worker_mb": "resident MB of the worker with all who wait and are served",
    "assignments_idle_mb": "  before the first of them",
}
SECRET = "secret-of-the-way-in"
CAPACITY = 5
LINKS = 64
"""HTTP connections, one request at a time on each."""
QUIET_S = 20


def run(plan: Plan) -> Figures:
    """As fast as it goes, then at a steady rate."""
    figures: Figures = {}
    with hub.folder() as place, _hub(place, plan) as node, _floor(node) as floor:
        floor.send(("staff", plan.staff))
        _heard(floor)
        note(figures, {"assignments_idle_mb": node.worker_bytes() / 1e6})
        floor.send(("fill", plan.staff * CAPACITY, plan.waiting, plan.groups))
        _heard(floor)
        for _ in range(plan.repeats):
            node.until_quiet("worker", "follower")
            note(figures, {"assignments_worker_mb": node.worker_bytes() / 1e6})
            floor.send(("turn_over", 0.0, plan.warm_up_s))
            _heard(floor)
            before = node.cores()
            floor.send(("turn_over", 0.0, plan.measure_s))
            count, took = _heard(floor)
            used = node.cores().since(before)
            note(figures, {
                "assignments_per_s": count / plan.measure_s,
                "core_us_per_assignment": (used.worker + used.nats) / len(took) * 1e6,
                "core_us_per_assignment_worker": used.worker / len(took) * 1e6,
                "core_us_per_assignment_nats": used.nats / len(took) * 1e6,
            })  # fmt: skip
            node.until_quiet("worker", "follower")
            floor.send(("turn_over", float(plan.per_s), plan.measure_s))
            count, took = _heard(floor)
            p50, p99 = quantiles_ms(took)
            note(figures, {
                "freed_to_assigned_p50_ms": p50, "freed_to_assigned_p99_ms": p99,
                "paced_assignments_per_s": count / plan.measure_s,
            })  # fmt: skip
    return figures


@contextlib.contextmanager
def _hub(place: Path, plan: Plan) -> Iterator[hub.Hub]:
    with hub.running(1, 1, place=place, environment={"HUB_CONFIG": str(_config(place))}) as node:
        _write_rules(place / "rules", plan)
        yield node


def _heard(floor: Pipe) -> Any:
    """What was asked for; raises RuntimeError when it failed."""
    said = floor.recv()
    if isinstance(said, str):
        raise RuntimeError(said)  # noqa: TRY004
    return said


def _config(place: Path) -> Path:
    """The hub's settings: the channel webhook, and nothing else."""
    signed = {"header": "X-Signature"}
    out = {"url": "http://127.0.0.1:9/", "secret": SECRET, "signature": signed, "body": {"to": "address"}}
    way_in = {"secret": SECRET, "signature": signed, "identity": "who", "outside_id": "id", "text": "text"}
    file = place / "hub.yaml"
    file.write_text(json.dumps({"channels": {"webhook": {"in": way_in, "out": out}}}), encoding="utf-8")
    return file


def _write_rules(rules: Path, plan: Plan) -> None:
    """The teams, each with a word that leads to it, and agents in two of them."""
    names = [f"team{n}" for n in range(plan.groups)]
    teams = "".join(f"  {name}: {{display: {name}}}\n" for name in names)
    agents = "".join(
        f"  agent{n}: {{display: agent{n}, capacity: {CAPACITY}, "
        f"teams: [{', '.join(sorted({names[n % len(names)], names[(n * 7 + 1) % len(names)]}))}]}}\n"
        for n in range(plan.staff)
    )
    routes = "".join(f"  - {{id: {name}, team: {name}, words: [{_word(n)}]}}\n" for n, name in enumerate(names))
    (rules / "routing.yaml").write_text(f"default: team0\nrules:\n{routes}", encoding="utf-8")
    (rules / "teams.yaml").write_text(f"teams:\n{teams}agents:\n{agents}", encoding="utf-8")


def _word(team: int) -> str:
    return f"第{team:03}组"


# --- the visitors, the agents and the observer, in a process of their own --------------------------------------------


@contextlib.contextmanager
def _floor(node: hub.Hub) -> Iterator[Pipe]:
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    whereabouts = (node.address, node.admin_token, nats_address(node.data / "nats"))
    process = context.Process(target=_serve, args=(its, *whereabouts), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        ours.close()
        process.join(5)
        process.kill()


def _serve(pipe: Pipe, address: tuple[str, int], token: str, nats: str) -> None:
    async def serve() -> None:
        floor = _Floor(address, token)
        await floor.observe(nats)
        with contextlib.suppress(EOFError):
            while True:
                name, *arguments = await asyncio.to_thread(pipe.recv)
                try:
                    pipe.send(await getattr(floor, name)(*arguments))
                except Exception as error:  # told to the bench, which ends
                    pipe.send(f"{type(error).__name__}: {error}")

    uvloop.run(serve())


class _Floor:
    """All who write and serve, and what the log says of them."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self._address, self._token = address, token
        self._people = itertools.count(1)
        self._groups = 1
        self._under_way: dict[str, bytes] = {}
        """Batches by the subject of the server's answer,"""
        self._answered: dict[str, float] = {}
        """and answers to what has not been seen, with their time."""
        self._served: deque[str] = deque()
        """Conversations that somebody has, the oldest first,"""
        self._agents: dict[str, str] = {}
        """and who."""
        self._freed: defaultdict[str, deque[float]] = defaultdict(deque)
        """When each agent got room that they have still."""
        self._took_s: list[float] = []
        self._enqueued = 0

    async def observe(self, nats: str) -> None:
        """Follow all logs from now on."""
        connection = await connect(nats, "bench")
        await connection.subscribe("log.*", cb=self._see)
        await connection.subscribe("_INBOX.>", cb=self._hear)
        await connection.flush()

    async def _see(self, message: Msg) -> None:
        answered_s = self._answered.pop(message.reply, None)
        if answered_s is None:
            self._under_way[message.reply] = message.data
        else:
            self._take(message.data, answered_s)

    async def _hear(self, message: Msg) -> None:
        data, now_s = self._under_way.pop(message.subject, None), time.perf_counter()
        if data is None:  # of something else, or the two subscriptions take turns
            self._answered[message.subject] = now_s
        else:
            self._take(data, now_s)

    def _take(self, data: bytes, now_s: float) -> None:
        """A batch that is on disk."""
        for entry in decode_batch(data).entries:
            event, entity = entry.record.event, entry.record.entity
            if isinstance(event, Assigned):
                self._served.append(entity)
                self._agents[entity] = event.agent
                if freed := self._freed[event.agent]:
                    self._took_s.append(now_s - freed.popleft())
            elif isinstance(event, Closed):
                self._freed[self._agents.pop(entity)].append(now_s)
            elif isinstance(event, Enqueued):
                self._enqueued += 1

    # --- what it is told to do ---------------------------------------------------------------------------------------

    async def staff(self, count: int) -> None:
        """Put so many agents on duty."""
        numbers = iter(range(count))

        async def come(link: _Link) -> None:
            for n in numbers:
                token = json.loads(await link.post(f"/api/v1/agents/agent{n}/token", b"", self._token))["token"]
                await link.post(f"/api/v1/agents/agent{n}/duty", b'{"on":true}', token)

        await self._with_links(come)

    async def fill(self, served: int, waiting: int, groups: int) -> None:
        """Until so many are served and so many wait."""
        self._groups = groups
        people = iter(range(served + waiting))

        async def write(link: _Link) -> None:
            for _ in people:
                await self._write(link)

        await self._with_links(write)
        await self._until(lambda: len(self._agents) >= served and self._enqueued >= served + waiting)

    async def turn_over(self, per_s: float, seconds: float) -> tuple[int, list[float]]:
        """Close conversations, and write anew for each; `per_s` 0: as fast as it goes.

        How many were assigned in that time, and the seconds that each took, the stragglers too.
        """
        self._took_s = []
        begun = time.perf_counter()
        count = itertools.count()

        async def close(link: _Link) -> None:
            while (now_s := time.perf_counter()) < begun + seconds:
                due_s = begun + next(count) / per_s if per_s else now_s
                if due_s >= begun + seconds:
                    return
                await asyncio.sleep(max(0.0, due_s - now_s))
                while not self._served:
                    await asyncio.sleep(0.001)
                await link.post(f"/api/v1/conversations/{self._served.popleft()}/close", b"{}", self._token)
                await self._write(link)

        await self._with_links(close)
        count_in_time = len(self._took_s)
        await self._until(lambda: not any(self._freed.values()))
        return count_in_time, self._took_s

    async def _write(self, link: "_Link") -> None:
        """Somebody new."""
        n = next(self._people)
        text = f"{_word(n % self._groups)}，请问什么时候发货"
        body = json.dumps({"id": f"m{n}", "who": f"person{n}", "text": text}).encode()
        signature = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
        await link.post("/callbacks/webhook", body, header=f"X-Signature: {signature}\r\n")

    async def _with_links(self, work: Any) -> None:
        links = [await _Link.open(self._address) for _ in range(LINKS)]
        await asyncio.gather(*map(work, links))
        for link in links:
            link.close()

    async def _until(self, true: Any) -> None:
        """Wait for it; raises RuntimeError when it does not come."""
        until_s = time.monotonic() + QUIET_S
        while not true():
            if time.monotonic() > until_s:
                rest = sum(map(len, self._freed.values()))
                raise RuntimeError(f"{self._enqueued} enqueued, {len(self._agents)} served, {rest} agents wait")
            await asyncio.sleep(0.02)


class _Link:
    """One HTTP connection, kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, address: tuple[str, int]) -> "_Link":
        """Connected."""
        return cls(*await asyncio.open_connection(*address))

    async def post(self, path: str, body: bytes, token: str = "", header: str = "") -> bytes:
        """What is answered; raises RuntimeError for a status that is no 2xx."""
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        head = f"POST {path} HTTP/1.1\r\nHost: hub\r\n{authorization}{header}Content-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = (line.partition(b":") for line in answer.lower().splitlines())
        length = next((int(value) for name, _, value in lines if name == b"content-length"), 0)
        said = await self._reader.readexactly(length)
        if answer[9:10] != b"2":
            raise RuntimeError(f"{path}: {answer.splitlines()[0]!r} {said[:200]!r}")
        return said

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
