"""Faults with names, for a real nats-server."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from hub.bus.server import EmbeddedServer


async def kill(server: EmbeddedServer) -> None:
    """kill -9, and wait until it is dead."""
    os.kill(server.pid, signal.SIGKILL)
    while server.alive:
        await asyncio.sleep(0.001)


@contextlib.contextmanager
def frozen(server: EmbeddedServer) -> Iterator[None]:
    """The server lives and does nothing."""
    os.kill(server.pid, signal.SIGSTOP)
    yield
    os.kill(server.pid, signal.SIGCONT)


def blocks(server: EmbeddedServer, stream: str) -> list[Path]:
    """The stream's block files, oldest first."""
    return sorted(server.store.glob(f"**/{stream}/msgs/*.blk"), key=lambda path: int(path.stem))
