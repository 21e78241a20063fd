"""An empty history in either kind of database, and batches as owners write them."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.bus.connection import Connection, connect
from hub.bus.server import EmbeddedServer
from hub.demo.stage import free_port
from hub.history import database, schema
from hub.history.queries import History
from hub.settings import Settings
from tests.cluster.postgres import Postgres, programs

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    if programs() is None:
        assert "CI" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql-15")
    server = Postgres("127.0.0.1", free_port(), "geheim", ("postgres", "-c", "fsync=off"))
    server.start()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings with a history of the one kind or the other, without any tables."""
    if request.param == "sqlite":
        return Settings(data=tmp_path, partitions=3)
    url = request.getfixturevalue("postgres").create(f"hub{next(_numbers)}")
    return Settings(data=tmp_path, partitions=3, history={"url": url})


@pytest.fixture
def where(settings: Settings) -> URL:
    """The place of that history."""
    return database.url(settings)


@pytest.fixture
async def engine(where: URL) -> AsyncIterator[AsyncEngine]:
    """The writer's engine on a history with all its tables."""
    await asyncio.to_thread(schema.migrate, where)
    made = database.writer(where)
    yield made
    await made.dispose()


@pytest.fixture
async def history(where: URL) -> AsyncIterator[History]:
    """What a worker reads with."""
    made = History(where)
    yield made
    await made.close()


@pytest.fixture
async def connection(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    made = await connect(nats.url, "test")
    yield made
    await made.close()
