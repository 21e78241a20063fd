"""Telegram calls the hub: where it is told to, with what proof, and what keeps it from doing so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar, Request, Response, post

from connectors.telegram import codec
from connectors.telegram.conftest import ZHANG, Clock, started, texts
from connectors.telegram.connector import Telegram
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.sandbox_webhook import SET_AGAIN_S
from hub.contract import Forbidden, Raw
from hub.kit.serving import serving


class Hub:
    """A hub that is called: what it hears goes through the connector."""

    def __init__(self) -> None:
        self.connector: Telegram | None = None
        self.heard: list[str] = []
        self.statuses: list[int] = []

    def app(self) -> Litestar:
        @post("/callbacks/telegram", status_code=200)
        async def call_back(request: Request[Any, Any, Any]) -> Response[None]:
            assert self.connector
            try:
                raw = Raw("POST", {}, dict(request.headers), await request.body(), 0)
                self.connector.verify(raw)
                self.heard += texts([self.connector.parse(raw)])
                status = 200
            except Forbidden:
                status = 403
            self.statuses.append(status)
            return Response(None, status_code=status)

        return Litestar([call_back], openapi_config=None, logging_config=None)


@pytest.fixture
async def hub() -> AsyncIterator[tuple[Hub, str]]:
    hub = Hub()
    async with serving(hub.app()) as url:
        yield hub, url


async def soon(hub: Hub, status: int) -> None:
    async with asyncio.timeout(10):
        while status not in hub.statuses:
            await asyncio.sleep(0.01)


async def test_telegram_is_told_where_to_call_and_does(telegram: TelegramSandbox, hub: tuple[Hub, str]) -> None:
    called, url = hub
    async with started(telegram, url, mode="webhook") as called.connector:
        await called.connector.upkeep()
        telegram.say(ZHANG, "在吗")
        await soon(called, 200)
        assert called.heard == ["在吗"]
        with telegram.faulty(wrong_secret=True):
            telegram.say(ZHANG, "我不是电报")
            await soon(called, 403)
            assert called.heard == ["在吗"]


async def test_a_webhook_is_set_once_and_again_when_somebody_has_changed_it(
    telegram: TelegramSandbox, hub: tuple[Hub, str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    called, url = hub
    async with started(telegram, url, mode="webhook") as called.connector:
        await called.connector.upkeep()
        assert telegram.webhook.info()["allowed_updates"] == sorted(codec.TOLD)
        with monkeypatch.context() as patch:
            patch.setattr(telegram.webhook, "set", lambda args: pytest.fail("once is enough"))
            await called.connector.upkeep()
        telegram.webhook.delete({})
        clock.now += SET_AGAIN_S
        await called.connector.upkeep()
        assert telegram.webhook.url == f"{url}/callbacks/telegram"


async def test_workers_that_set_it_in_the_same_second_are_at_ease(
    telegram: TelegramSandbox, hub: tuple[Hub, str]
) -> None:
    called, url = hub
    async with (
        started(telegram, url, mode="webhook") as called.connector,
        started(telegram, url, mode="webhook") as other,
    ):
        await asyncio.gather(called.connector.upkeep(), other.upkeep())
        assert (called.connector.health(), other.health()) == ("", "")


async def test_what_keeps_telegram_from_calling_is_told(telegram: TelegramSandbox) -> None:
    async with started(telegram, "http://127.0.0.1:9", mode="webhook") as connector:
        await connector.upkeep()
        telegram.say(ZHANG, "在吗")
        async with asyncio.timeout(10):
            while not connector.health():
                await connector.upkeep()
        assert "http://127.0.0.1:9/callbacks/telegram (Connection failed)" in connector.health()
        telegram.api.updates.keep_newest(0)
        await connector.upkeep()
        assert connector.health() == ""


async def test_an_address_that_telegram_does_not_take_is_told_in_its_words(telegram: TelegramSandbox) -> None:
    async with started(telegram, "http://hub.example", mode="webhook") as connector:
        with pytest.raises(codec.NotGiven):
            await connector.upkeep()
        assert "An HTTPS URL must be provided" in connector.health()
