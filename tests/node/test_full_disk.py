"""The disk under nats-server fills up: nothing is stored untruly, and all goes on by itself when there is room."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.bus.connection import Connection, connect
from hub.bus.log import PartitionLog
from hub.bus.room import Rooms
from hub.bus.server import EmbeddedServer
from hub.bus.watermark import Watermark
from hub.kept_nats import KeptNats
from tests.small_disk import Filler, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 64) as folder:
        yield folder


@pytest.fixture
async def kept(disk: Path) -> AsyncIterator[KeptNats]:
    """A kept server whose files are on the small disk; its watermark is not."""
    kept = KeptNats(EmbeddedServer(disk / "nats"), Watermark(disk.parent / "watermark.json"))
    await kept.start()
    keeping = asyncio.create_task(kept.keep())
    yield kept
    keeping.cancel()
    await asyncio.wait({keeping})
    await kept.stop()


@pytest.fixture
async def connection(kept: KeptNats) -> AsyncIterator[Connection]:
    made = await connect(kept.url, "test")
    yield made
    await made.close()


async def append_all(log: PartitionLog, stored: list[bytes], enough: asyncio.Event) -> None:
    """Append until it is enough; `stored` gets what is known to be on disk."""
    while not enough.is_set():
        data = b"%d " % len(stored) + bytes(20_000)
        await log.append(data, f"w:{len(stored)}", len(stored))
        stored.append(data)
        await asyncio.sleep(0.01)


async def grown(stored: list[bytes], by: int = 5, within_s: float = 40) -> None:
    """Return when so many more are stored."""
    wanted = len(stored) + by
    async with asyncio.timeout(within_s):
        while len(stored) < wanted:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("dies", [False, True])
async def test_a_full_disk_stops_the_log_until_there_is_room_and_nothing_stored_is_lost(
    kept: KeptNats, connection: Connection, disk: Path, dies: bool
) -> None:
    log, filler, stored, enough = PartitionLog(connection, 0), Filler(disk), list[bytes](), asyncio.Event()
    await log.open()
    writing = asyncio.create_task(append_all(log, stored, enough))
    await grown(stored)
    first = kept.server.pid
    filler.leave(100_000)
    await asyncio.sleep(6)  # longer than it takes to find a server unwell
    if dies:
        os.kill(first, signal.SIGKILL)
    before = len(stored)
    await asyncio.sleep(4)
    assert (len(stored), kept.server.pid) == (before, 0 if dies else first)  # it would freeze again at once
    filler.go()
    await grown(stored)
    enough.set()
    await writing
    assert kept.server.pid != first
    assert [batch.data async for batch in log.read(0)] == stored


async def test_workers_hear_that_the_disk_is_low_and_that_there_is_room_again(
    kept: KeptNats, connection: Connection, disk: Path
) -> None:
    rooms, filler = Rooms(), Filler(disk)
    await rooms.listen(connection)
    filler.leave(3 << 20)
    async with asyncio.timeout(20):
        while not rooms.low:
            await asyncio.sleep(0.05)
    assert "10 % are needed" in rooms.low
    filler.leave(30 << 20)
    async with asyncio.timeout(20):
        while rooms.low:
            await asyncio.sleep(0.05)
