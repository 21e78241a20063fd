"""What all tests may use: a real nats-server of their own; and which of them may run side by side."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.bus.server import EmbeddedServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give `make test`, which has two processes, groups that stay together.

    The kit's tests wait most of the time and measure nothing, so they may be beside others. All the rest is one group.
    """
    for item in items:
        of_the_kit = item.path.name == "test_kit.py" or item.path.parent == Path(__file__).parent / "kit"
        alone = item.nodeid.rpartition("::")[0] if isinstance(item.parent, pytest.Class) else item.nodeid
        item.add_marker(pytest.mark.xdist_group(alone if of_the_kit else "one after the other"))


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A running server with an empty store; gone after the test."""
    server = EmbeddedServer(tmp_path / "nats")
    await server.start()
    yield server
    await server.stop()
