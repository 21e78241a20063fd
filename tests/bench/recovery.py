"""From SIGKILL of a worker until its conversations take messages again: one worker, two workers, a whole node.

Visitors write all the time, a message every 20 ms each, and come back at once when their line is cut. A kill is over
when each of them has an acknowledgement of something they sent after it; that is timed from the signal.

one worker    its supervisor saw it die: the standby takes its place
two workers   the same, with another one beside it; the visitors' sockets and conversations are spread over both
other node    two hubs work on one nats-server and one PostgreSQL; all processes of one are killed, so nobody sees it
              and tells: the other one has to wait until the lease has run out (5 s)
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hub.bus.server import EmbeddedServer
from tests.bench import frames, hub
from tests.bench.client import ACK, ERROR, UPGRADE, WELCOME, at_once, hello, message, partition_of, post
from tests.bench.figures import Figures, Plan
from tests.cluster.postgres import Postgres

VISITORS = 40
EVERY_S, AGAIN_S, ANSWER_S = 0.02, 0.02, 20.0
APART_S = 6.0
"""Between two kills: a process that dies younger than 5 s again and again is started more and more slowly."""

WORDS = {
    "recovery_one_worker_ms": "ms from SIGKILL of the only worker until all its conversations take messages",
    "recovery_two_workers_ms": "  of one of two workers",
    "recovery_other_node_ms": "  of a whole node, where another one waits for its lease (one nats-server)",
}


class Prober:
    """A visitor who never gives up."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self.well = 0.0
        """When the last message that was acknowledged was sent (monotonic)."""
        self._address, self._token = address, token
        self._n = 1

    async def write_on(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                async with asyncio.timeout(ANSWER_S):
                    streams = await asyncio.open_connection(*self._address)
                try:
                    await self._speak(*streams)
                finally:
                    streams[1].transport.abort()
            await asyncio.sleep(AGAIN_S)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(UPGRADE)
        async with asyncio.timeout(ANSWER_S):
            if not (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101"):
                return
        heard = _payloads(reader)
        writer.write(hello(self._token))
        while not (await anext(heard)).startswith(WELCOME):
            pass
        while True:
            sent_at = time.monotonic()
            writer.write(message(self._n, "在吗"))
            while not (answer := await anext(heard)).startswith((ACK, ERROR)):
                pass
            if answer.startswith(ACK):
                self.well = sent_at
                self._n += 1
            await asyncio.sleep(EVERY_S)


async def _payloads(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    cut = frames.Reader()
    while True:
        async with asyncio.timeout(ANSWER_S):
            data = await reader.read(1 << 16)
        if not data:
            raise EOFError
        for opcode, payload in cut.feed(data):
            if opcode == frames.CLOSE:
                raise EOFError
            yield payload


class Minted(NamedTuple):
    """What a new visitor is given."""

    token: str
    partition: int


async def mint(address: tuple[str, int], count: int) -> list[Minted]:
    """New visitors, whose conversations live on the workers that listen there."""

    async def one() -> Minted:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(post("/api/v1/visitors", b"{}"))
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        minted = json.loads(await reader.readexactly(size))
        writer.close()
        return Minted(minted["token"], partition_of(minted["conversation"]))

    return await at_once(one for _ in range(count))


async def visitors_of(address: tuple[str, int], *others: tuple[str, int]) -> list[Minted]:
    """New visitors whose conversations live there and on none of the others, once that node has got its share."""
    while True:
        visitors = await mint(address, VISITORS)
        elsewhere = {visitor.partition for other in others for visitor in await mint(other, 1)}
        if elsewhere.isdisjoint(visitor.partition for visitor in visitors):
            return visitors
        await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def probing(address: tuple[str, int], visitors: Sequence[Minted]) -> AsyncIterator[list[Prober]]:
    """These visitors write to that address all the time; all have been acknowledged once."""
    probers = [Prober(address, visitor.token) for visitor in visitors]
    async with asyncio.TaskGroup() as group:
        writing = [group.create_task(prober.write_on()) for prober in probers]
        await all_well(probers, time.monotonic())
        yield probers
        for task in writing:
            task.cancel()


async def all_well(probers: Sequence[Prober], since: float) -> None:
    """Return when each of them has an acknowledgement of something sent after `since`."""
    while any(prober.well <= since for prober in probers):
        await asyncio.sleep(0.001)


async def kill(pids: Sequence[int], probers: Sequence[Prober]) -> float:
    """SIGKILL these processes in this order; the milliseconds until all are well again."""
    begun = time.monotonic()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while any(_runs(pid) for pid in pids):
        await asyncio.sleep(0.001)
    await all_well(probers, time.monotonic())
    return (time.monotonic() - begun) * 1e3


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def _workers(plan: Plan, workers: int) -> list[float]:
    with hub.running(workers, 1) as node:
        async with probing(node.address, await mint(node.address, VISITORS)) as probers:
            took = []
            for n in range(plan.kills):
                await asyncio.sleep(APART_S)
                await asyncio.to_thread(node.until_warm)
                took.append(await kill([node.processes()["worker"][n % workers]], probers))
            return took


async def _other_node(plan: Plan) -> list[float]:
    took = []
    with hub.folder() as store, hub.folder() as place, contextlib.ExitStack() as stack:
        server = EmbeddedServer(store)
        await server.start()
        database = Postgres("127.0.0.1", hub.free_port(), secrets.token_hex(8))
        stack.callback(database.remove)
        database.start()
        try:
            joined = {"HUB_NATS__URL": server.url, "HUB_HISTORY__URL": database.url()}
            other = stack.enter_context(hub.running(1, 1, environment=joined))
            for _ in range(plan.kills):
                with hub.running(1, 1, place=place, environment=joined) as node:
                    visitors = await visitors_of(node.address, other.address)
                    async with probing(other.address, visitors) as probers:
                        took.append(await kill(node.all_pids(), probers))
        finally:
            stack.close()
            await server.stop()
    return took


def run(plan: Plan) -> Figures:
    """Every kill is a value."""
    return {
        "recovery_one_worker_ms": asyncio.run(_workers(plan, 1)),
        "recovery_two_workers_ms": asyncio.run(_workers(plan, 2)),
        "recovery_other_node_ms": asyncio.run(_other_node(plan)),
    }
