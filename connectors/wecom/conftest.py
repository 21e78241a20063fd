"""A stand-in whose clock the test moves, and the connector started on it with what the hub would lend it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from connectors.wecom.connector import WeCom, WeComSettings
from connectors.wecom.sandbox import WeComSandbox
from hub.contract import Surroundings, Token


class SharedTokens:
    """What the hub lends: one fetch at a time, and a token that was not spent is kept."""

    def __init__(self) -> None:
        self._live: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, spent: str = "") -> str:
        async with self._lock:
            if self._live.get(name, spent) == spent:
                self._live[name] = (await fetch()).value
            return self._live[name]


class Clock:
    """Hours that pass at once."""

    def __init__(self) -> None:
        self.now = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now


async def started(settings: dict[str, Any]) -> AsyncIterator[WeCom]:
    """`async for wecom in started(…)`: a running connector, stopped at the end."""
    connector = WeCom(WeComSettings(**settings))
    await connector.start(Surroundings(SharedTokens(), "http://127.0.0.1"))
    yield connector
    await connector.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[WeComSandbox]:
    async with WeComSandbox({"WangFang": "王芳", "lisi": "李四"}, now=clock, retry_after_s=0.01) as running:
        yield running


@pytest.fixture
async def wecom(sandbox: WeComSandbox) -> AsyncIterator[WeCom]:
    async for connector in started(sandbox.settings()):
        yield connector
