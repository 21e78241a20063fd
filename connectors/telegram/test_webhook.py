"""Telegram calls the hub: where it is told to, with what proof, and what keeps it from doing so."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.telegram import codec
from connectors.telegram.conftest import ZHANG, Clock, started
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.sandbox_webhook import SET_AGAIN_S
from hub.kit.called import CalledHub
from hub.kit.serving import serving


@pytest.fixture
async def hub() -> AsyncIterator[tuple[CalledHub, str]]:
    hub = CalledHub()
    async with serving(hub.app()) as url:
        yield hub, url


async def soon(hub: CalledHub, status: int) -> None:
    async with asyncio.timeout(10):
        while status not in hub.answered:
            await asyncio.sleep(0.01)


async def test_telegram_is_told_where_to_call_and_does(telegram: TelegramSandbox, hub: tuple[CalledHub, str]) -> None:
    called, url = hub
    async with started(telegram, url, mode="webhook") as called.connector:
        await called.connector.upkeep()
        telegram.say(ZHANG, "在吗")
        await soon(called, 200)
        assert called.texts == ["在吗"]
        with telegram.faulty(wrong_secret=True):
            telegram.say(ZHANG, "我不是电报")
            await soon(called, 403)
            assert called.texts == ["在吗"]


async def test_a_webhook_is_set_once_and_again_when_somebody_has_changed_it(
    telegram: TelegramSandbox, hub: tuple[CalledHub, str], clock: Clock, monkeypatch: pytest.MonkeyPatch
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
    telegram: TelegramSandbox, hub: tuple[CalledHub, str]
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
