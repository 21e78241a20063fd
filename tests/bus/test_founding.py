"""What the first start fixes, and what may change of it afterwards."""

import asyncio

import pytest

from hub.bus import founding
from hub.bus.connection import Connection
from hub.bus.founding import STREAM, found
from hub.bus.server import EmbeddedServer
from hub.errors import LogWentBack
from tests.bus.faults import kill


async def test_first_start_decides_for_ever(connection: Connection, nats: EmbeddedServer) -> None:
    first, *others = await asyncio.gather(*(found(connection, partitions) for partitions in (8, 16, 32)))
    assert others == [first, first]
    await kill(nats)
    await nats.start()
    assert await found(connection, 64) == first == await founding.read(connection)
    assert (await connection.jetstream().stream_info(STREAM)).state.last_seq == 1


async def test_each_record_put_aside_raises_the_epoch_once(connection: Connection) -> None:
    first = await found(connection, 8)
    for seq in (9, 4, 9):
        await founding.note_skipped(connection, 3, seq)
    await founding.note_skipped(connection, 5, 1)
    after = await founding.read(connection)
    assert after.skipped == {3: (4, 9), 5: (1,)}
    assert (after.partitions, after.epoch) == (8, first.epoch + 3)


async def test_two_who_put_records_aside_at_once_are_both_heard(connection: Connection) -> None:
    first = await found(connection, 8)
    await asyncio.gather(*(founding.note_skipped(connection, 3, seq) for seq in range(1, 6)))
    after = await founding.read(connection)
    assert (after.skipped, after.epoch) == ({3: (1, 2, 3, 4, 5)}, first.epoch + 5)


async def test_a_founding_that_was_lost_is_not_made_up(connection: Connection) -> None:
    await found(connection, 8)
    await connection.jetstream().purge_stream(STREAM)
    with pytest.raises(LogWentBack, match="KV_HUB has lost what the first start had fixed"):
        await founding.read(connection)
