"""A stand-in whose clock the test moves; on it the connector, or a bot's bare HTTP client."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import httpx
import pytest

from connectors.telegram.connector import Telegram
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.settings import TelegramSettings
from hub.contract import Delivery, File, Parsed, Raw, Surroundings, Tokens, Verdict

ZHANG, ANNA = 700000001, 700000002
KEY = b"k" * 32


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


@contextlib.asynccontextmanager
async def started(
    telegram: TelegramSandbox, public_url: str = "http://127.0.0.1", **settings: Any
) -> AsyncGenerator[Telegram, None]:
    connector = Telegram(TelegramSettings.model_validate(telegram.settings() | settings))
    no_tokens = cast(Tokens, None)  # the token is a setting
    await connector.start(Surroundings(no_tokens, f"{public_url}/callbacks/telegram", KEY))
    yield connector
    await connector.stop()


@pytest.fixture
async def connector(telegram: TelegramSandbox) -> AsyncIterator[Telegram]:
    async with started(telegram) as running:
        yield running


async def pulled(connector: Telegram, cursor: str = "") -> tuple[str, list[Parsed]]:
    """The next cursor, and what came."""
    came = await connector.pull(cursor)
    return came.cursor, [connector.parse(Raw("PULL", {}, item.headers, item.body, 0)) for item in came.items]


def texts(parsed: list[Parsed]) -> list[str]:
    return [inbound.text for one in parsed for inbound in one.inbounds]


async def fetched(connector: Telegram, file: File) -> bytes:
    return b"".join([chunk async for chunk in connector.fetch(file.source)])


async def deliver(connector: Telegram, text: str = "您好", to: int = ZHANG, **fields: Any) -> Verdict:
    return await connector.deliver(Delivery(str(to), text, "c:1", **fields))
