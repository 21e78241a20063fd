"""A data folder with an empty history, and batches as owners write them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.bus.connection import Connection, connect
from hub.bus.server import EmbeddedServer
from hub.history import database, schema
from hub.history.queries import History


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """The writer's engine on a history with all its tables."""
    await asyncio.to_thread(schema.migrate, tmp_path)
    made = database.writer(tmp_path)
    yield made
    await made.dispose()


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    """What a worker reads with."""
    made = History(tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def connection(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    made = await connect(nats.url, "test")
    yield made
    await made.close()
