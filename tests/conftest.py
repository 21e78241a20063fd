"""What all tests may use: a real nats-server of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.bus.server import EmbeddedServer


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A running server with an empty store; gone after the test."""
    server = EmbeddedServer(tmp_path / "nats")
    await server.start()
    yield server
    await server.stop()
