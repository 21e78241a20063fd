"""What the first start fixes."""

import asyncio

from hub.bus.connection import Connection
from hub.bus.founding import STREAM, found
from hub.bus.server import EmbeddedServer
from tests.bus.faults import kill


async def test_first_start_decides_for_ever(connection: Connection, nats: EmbeddedServer) -> None:
    first = await asyncio.gather(*(found(connection, partitions) for partitions in (8, 16, 32)))
    assert len(set(first)) == 1
    await kill(nats)
    await nats.start()
    assert await found(connection, 64) == first[0]
    assert (await connection.jetstream().stream_info(STREAM)).state.last_seq == 1
