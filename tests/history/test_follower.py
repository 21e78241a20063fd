"""The follower on a real log: it writes everything once, whatever is killed, locked or broken."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.bus.connection import Connection
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.domain import events as e
from hub.domain.batch import decode_record
from hub.history import database
from hub.history import follower as module
from hub.history.follower import Follower
from hub.history.projector import position
from hub.history.queries import History
from hub.process import Config
from hub.settings import Settings
from hub.supervisor import Kept
from tests.bus.faults import kill
from tests.history.batches import batch, record

LOG_BYTES = 1 << 24


class Owner:
    """Writes one conversation's messages into a partition's log."""

    def __init__(self, connection: Connection, partition: int) -> None:
        self.log = PartitionLog(connection, partition, max_bytes=LOG_BYTES)
        self.entity = f"c{partition}-a"
        self.seq = self.events = 0

    async def append(self, data: bytes) -> None:
        if self.seq == 0:
            await self.log.open()
        self.seq = await self.log.append(data, f"{self.entity}.{self.seq}", self.seq)

    async def post(self, count: int, epoch: int = 1) -> None:
        seqs = range(self.events + 1, self.events + 1 + count)
        await self.append(batch(*(record(self.entity, n, e.MessagePosted(f"t.{n}", "hi")) for n in seqs), epoch=epoch))
        self.events += count

    async def is_written(self, history: History) -> bool:
        """Whether the history has all that was posted, in order and once."""
        if await history.position(self.log_number) < self.seq:
            return False
        bodies = await history.events(self.entity, 0, 1_000_000, 1_000_000)
        assert [decode_record(body).seq for body in bodies] == list(range(1, self.events + 1))
        return True

    @property
    def log_number(self) -> int:
        return int(self.log.stream.partition("-")[2])


async def until(true: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not await true():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def following(connection: Connection, engine: AsyncEngine, partitions: int = 3) -> AsyncIterator[None]:
    follower = Follower(connection, engine, partitions, LOG_BYTES)
    await follower.load()
    running = asyncio.create_task(follower.run())
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.fixture
def owners(connection: Connection) -> list[Owner]:
    return [Owner(connection, partition) for partition in range(3)]


async def test_follower_writes_what_was_and_what_comes(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    await owners[0].append(batch())
    await owners[0].post(70)
    async with following(connection, engine):
        await owners[1].post(1)
        for _ in range(5):
            await owners[0].post(3)
        for owner in owners[:2]:
            await until(lambda owner=owner: owner.is_written(history))
    assert await history.position(2) == 0


async def test_follower_goes_on_where_it_was(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    for _ in range(4):
        await owners[0].post(5)
        async with following(connection, engine):
            await until(lambda: owners[0].is_written(history))


async def test_follower_survives_kills_of_the_server(
    nats: EmbeddedServer, connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    for owner in owners:
        await owner.log.open()
    async with following(connection, engine):
        for _ in range(3):
            await owners[0].post(5)
            await kill(nats)
            await nats.start()
            await owners[0].post(5)
        await until(lambda: owners[0].is_written(history))


async def test_follower_waits_while_sqlite_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: Connection, history: History, owners: list[Owner],
    engine: AsyncEngine,
) -> None:  # fmt: skip
    refused = asyncio.Event()
    store = Follower._store

    async def noted(self: Follower, rows: module.Rows) -> bool:
        stored = await store(self, rows)
        if not stored:
            refused.set()
        return stored

    monkeypatch.setattr(Follower, "_store", noted)
    locking = sqlite3.connect(tmp_path / database.FILE, isolation_level=None)
    async with following(connection, engine):
        locking.execute("BEGIN IMMEDIATE")
        await owners[0].post(5)
        await asyncio.wait_for(refused.wait(), 30)
        assert await history.position(0) == 0
        locking.execute("ROLLBACK")
        await until(lambda: owners[0].is_written(history))
    locking.close()


async def alarm(history: History, partition: int) -> str:
    """The alarm of a partition, once there is one."""
    found = ""

    async def raised() -> bool:
        nonlocal found
        row = (await history.positions()).get(partition)
        found = row.alarm if row else ""
        return bool(found)

    await until(raised)
    return found


async def test_partition_that_cannot_be_read_stops_alone(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    await owners[0].post(2)
    await owners[0].append(b"nonsense")
    async with following(connection, engine):
        assert "LOG-0: the batch at sequence 2 cannot be read" in await alarm(history, 0)
        await owners[1].post(5)
        await until(lambda: owners[1].is_written(history))
    assert await history.position(0) == 1
    assert len(await history.events("c0-a", 0, 99, 50)) == 2


async def test_log_that_went_back_raises_an_alarm(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    await owners[0].post(2)
    async with engine.begin() as writing:
        await writing.execute(module.POSITIONS.insert(), [position(0, 99, 1), position(2, 5, 1)])
    async with following(connection, engine):
        assert "LOG-0 ends at sequence 1, it is known to have reached 99" in await alarm(history, 0)
        assert "LOG-2 ends at sequence 0, it is known to have reached 5" in await alarm(history, 2)


async def test_log_of_another_epoch_is_not_mixed_with_the_history(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    await owners[0].post(2)
    await owners[0].post(1, epoch=2)
    async with following(connection, engine):
        assert "is of epoch 2, the history of epoch 1" in await alarm(history, 0)
    assert await history.position(0) == 1


async def test_process_killed_at_any_moment_leaves_a_history_that_its_successor_completes(
    tmp_path: Path, nats: EmbeddedServer, history: History, owners: list[Owner]
) -> None:
    settings = Settings(data=tmp_path, partitions=3, log_max_bytes=LOG_BYTES)
    kept = Kept("follower", module.__name__, Config(0, 1, nats.url, settings).encode())
    kept.start()
    try:
        for _ in range(3):
            await asyncio.wait_for(kept.ready.wait(), 30)
            pid = kept.pid
            for owner in owners:
                for _ in range(20):
                    await owner.post(7)
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: _replaced(kept, pid))
        for owner in owners:
            await until(lambda owner=owner: owner.is_written(history))
    finally:
        await kept.stop(10)


async def _replaced(kept: Kept, pid: int) -> bool:
    return kept.pid not in (0, pid)
