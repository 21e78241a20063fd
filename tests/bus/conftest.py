"""A connection, a log."""

from collections.abc import AsyncIterator

import pytest

from hub.bus.connection import Connection, connect
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer


@pytest.fixture
async def connection(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    made = await connect(nats.url, "test")
    yield made
    await made.close()


@pytest.fixture
async def log(connection: Connection) -> PartitionLog:
    """Partition 3's log, empty and open."""
    made = PartitionLog(connection, 3)
    assert await made.open() == 0
    return made
