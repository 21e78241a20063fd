"""A stand-in whose clock the test moves, and a bot's bare HTTP client on it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from connectors.telegram.sandbox import TelegramSandbox

ZHANG, ANNA = 700000001, 700000002


class Clock:
    """Hours that pass at once."""

    def __init__(self) -> None:
        self.now = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now


class Bot:
    """Calls methods of the Bot API as any client does."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http, self.path = http, f"/bot{token}"

    async def call(self, method: str, **args: Any) -> Any:
        """The result of a method, by JSON. Raises AssertionError with the description where it is refused."""
        answer = (await self.http.post(f"{self.path}/{method}", json=args)).json()
        assert answer["ok"], answer["description"]
        return answer["result"]

    async def refused(self, method: str, **args: Any) -> tuple[int, str]:
        """Code and description of a refusal."""
        answer = await self.http.post(f"{self.path}/{method}", json=args)
        body = answer.json()
        assert (body["ok"], body["error_code"]) == (False, answer.status_code), body
        return answer.status_code, body["description"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def telegram(clock: Clock) -> AsyncIterator[TelegramSandbox]:
    async with TelegramSandbox({ZHANG: "张三", ANNA: "Anna"}, now=clock, first_pause_s=0.01) as running:
        yield running


@pytest.fixture
async def http(telegram: TelegramSandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=telegram.url, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def bot(telegram: TelegramSandbox, http: httpx.AsyncClient) -> Bot:
    return Bot(http, telegram.account.token)
