"""A world whose passwords and keys are kept by a real server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.bus.connection import connect
from hub.bus.server import EmbeddedServer
from tests.api.world import World


@pytest.fixture
async def world(nats: EmbeddedServer, tmp_path: Path) -> AsyncIterator[World]:
    connection = await connect(nats.url, "test")
    world = World(disk=tmp_path, connection=connection)
    await world.access.start()
    yield world
    world.access.stop()
    await world.history.close()
    await connection.close()
