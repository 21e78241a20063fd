"""The follower on a real log: it writes everything once, whatever is killed, locked or broken."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from hub.bus.connection import Connection, connect
from hub.bus.founding import Founding, found, note_skipped, read
from hub.bus.log import PartitionLog
from hub.bus.positions import Positions
from hub.bus.server import EmbeddedServer
from hub.demo.stage import free_port
from hub.domain import events as e
from hub.domain.batch import decode_record
from hub.history import database
from hub.history import follower as module
from hub.history.follower import Follower
from hub.history.models import POSITIONS
from hub.history.queries import History
from hub.history.writer import Writer
from hub.process import Config
from hub.settings import Settings
from hub.supervisor import Kept
from tests.bus.faults import kill
from tests.cluster.postgres import Postgres, programs
from tests.history.batches import batch, record

FOUNDED = Founding(3, 1)
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
async def following(connection: Connection, engine: AsyncEngine, founded: Founding = FOUNDED) -> AsyncIterator[None]:
    follower = Follower(connection, Writer(engine, founded.partitions), founded, LOG_BYTES)
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
            await until(partial(owner.is_written, history))
    assert await history.position(2) == 0


async def test_follower_goes_on_where_it_was(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    for _ in range(4):
        await owners[0].post(5)
        async with following(connection, engine):
            await until(lambda: owners[0].is_written(history))


async def test_owners_hear_how_far_the_history_is_on_disk(
    connection: Connection,
    engine: AsyncEngine,
    history: History,
    owners: list[Owner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TELL_S", 0.05)
    told = Positions(connection)
    await owners[0].post(5)
    async with following(connection, engine):
        await until(lambda: owners[0].is_written(history))
        while await told.of(0) < owners[0].seq:
            await asyncio.sleep(0.02)
    await owners[0].post(5)
    assert await told.of(0) < owners[0].seq, "what is not written is not told"
    assert await told.of(2) == 0


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
    tmp_path: Path, connection: Connection, history: History, owners: list[Owner], engine: AsyncEngine,
) -> None:  # fmt: skip
    if engine.dialect.name != "sqlite":
        pytest.skip("a file's lock")
    locking = sqlite3.connect(tmp_path / database.FILE, isolation_level=None)
    async with following(connection, engine):
        await owners[0].post(1)
        await until(lambda: owners[0].is_written(history))
        locking.execute("BEGIN IMMEDIATE")
        with capture_logs() as said:
            await owners[0].post(5)
            await until(lambda: said_away(said))
        assert await history.position(0) == 1
        locking.execute("ROLLBACK")
        await until(lambda: owners[0].is_written(history))
    locking.close()


async def said_away(said: list[Any]) -> bool:
    return any(line["event"] == "the history cannot be written at this moment" for line in said)


async def test_follower_waits_while_postgresql_is_away(
    connection: Connection, owners: list[Owner], tmp_path: Path
) -> None:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    server = Postgres("127.0.0.1", free_port(), "geheim")
    where = database.url(Settings(data=tmp_path, history={"url": server.url()}))
    await found(connection, 3)
    history = History(where)
    with capture_logs() as said:
        writing = asyncio.create_task(module.take_turns(connection, where, LOG_BYTES, "one"))
        try:
            await owners[0].post(5)
            await until(lambda: said_away(said))
            assert await history.events("c0-a", 0, 99, 50) == []
            for number in (signal.SIGINT, signal.SIGKILL):
                server.start()
                await until(lambda: owners[0].is_written(history))
                server.stop(number)
                await owners[0].post(5)
            server.start()
            await until(lambda: owners[0].is_written(history))
        finally:
            writing.cancel()
            await asyncio.wait({writing})
            await history.close()
            server.remove()
    away = [line for line in said if line["event"] == "the history cannot be written at this moment"]
    assert len(away) <= 4, "once for each time that it was away"


async def test_of_two_nodes_followers_one_writes_and_the_other_takes_over(
    nats: EmbeddedServer, connection: Connection, where: URL, history: History, owners: list[Owner]
) -> None:
    await found(connection, 3)
    other = await connect(nats.url, "other")
    with capture_logs() as said:
        first = asyncio.create_task(module.take_turns(connection, where, LOG_BYTES, "one"))
        await owners[0].post(5)
        await until(lambda: owners[0].is_written(history))
        second = asyncio.create_task(module.take_turns(other, where, LOG_BYTES, "two"))
        await owners[0].post(5)
        await until(lambda: owners[0].is_written(history))
        assert [line["event"] for line in said].count("this process writes the history") == 1
        first.cancel()
        await asyncio.wait({first})
        await owners[0].post(5)
        await until(lambda: owners[0].is_written(history))
        assert [line["event"] for line in said].count("this process writes the history") == 2
    second.cancel()
    await asyncio.wait({second})
    await other.close()


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
        assert "LOG-0, sequence 2: it cannot be read" in await alarm(history, 0)
        await owners[1].post(5)
        await until(lambda: owners[1].is_written(history))
    assert await history.position(0) == 1
    assert len(await history.events("c0-a", 0, 99, 50)) == 2


async def test_log_that_went_back_raises_an_alarm(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    await owners[0].post(2)
    async with engine.begin() as writing:
        rows = [{"partition": number, "seq": seq, "epoch": 1, "alarm": ""} for number, seq in ((0, 99), (2, 5))]
        await writing.execute(POSITIONS.insert(), rows)
    async with following(connection, engine):
        assert "LOG-0 ends at sequence 1, it is known to have reached 99" in await alarm(history, 0)
        assert "LOG-2 ends at sequence 0, it is known to have reached 5" in await alarm(history, 2)


async def test_log_of_a_hub_founded_anew_is_not_mixed_with_the_history(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    epoch = (await found(connection, 3)).epoch
    await owners[0].post(2)
    await owners[0].post(1, epoch=epoch)
    async with following(connection, engine):
        assert f"is of epoch {epoch}, the history of epoch 1" in await alarm(history, 0)
    assert await history.position(0) == 1


async def test_log_whose_epoch_a_person_has_raised_goes_on_without_what_was_put_aside(
    connection: Connection, engine: AsyncEngine, history: History, owners: list[Owner]
) -> None:
    epoch = (await found(connection, 3)).epoch
    await owners[0].post(2, epoch=epoch)
    await owners[0].append(b"nonsense")
    await note_skipped(connection, 0, 2)
    await owners[0].post(3, epoch=epoch + 1)
    async with following(connection, engine, founded=await read(connection)):
        await until(lambda: owners[0].is_written(history))
    assert await history.position(0) == 3


async def test_process_killed_at_any_moment_leaves_a_history_that_its_successor_completes(
    settings: Settings, nats: EmbeddedServer, connection: Connection, history: History, owners: list[Owner]
) -> None:
    await found(connection, 3)
    settings = settings.model_copy(update={"log_max_bytes": LOG_BYTES})
    kept = Kept("follower", module.__name__, Config(0, 1, nats.url, settings, "n").encode())
    kept.start()
    try:
        for _ in range(3):
            await asyncio.wait_for(kept.ready.wait(), 30)
            pid = kept.pid
            for owner in owners:
                for _ in range(20):
                    await owner.post(7)
            os.kill(pid, signal.SIGKILL)
            await until(partial(_replaced, kept, pid))
        for owner in owners:
            await until(partial(owner.is_written, history))
    finally:
        await kept.stop(10)


async def _replaced(kept: Kept, pid: int) -> bool:
    return kept.pid not in (0, pid)
