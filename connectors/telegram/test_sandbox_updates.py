"""How the bot is told: by getUpdates, until it confirms, or by webhook, until it takes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, Response, post

from connectors.telegram.conftest import ANNA, ZHANG, Bot, Clock
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.sandbox_phones import OTHERS
from connectors.telegram.sandbox_webhook import HEADER
from hub.kit.serving import serving

POLLING = 20
"""Seconds that a poll waits in these tests, unless it is ended."""


def said(updates: list[dict[str, Any]]) -> list[str]:
    """The texts of messages."""
    return [update["message"]["text"] for update in updates]


async def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


# --- getUpdates ------------------------------------------------------------------------------------------------------


async def test_updates_come_again_until_an_offset_confirms_them(telegram: TelegramSandbox, bot: Bot) -> None:
    for text in ("一", "二", "三"):
        telegram.say(ZHANG, text)
    updates = await bot.call("getUpdates")
    assert said(updates) == ["一", "二", "三"]
    ids = [update["update_id"] for update in updates]
    assert ids == list(range(ids[0], ids[0] + 3))
    assert await bot.call("getUpdates") == updates
    assert said(await bot.call("getUpdates", limit=2)) == ["一", "二"]
    assert said(await bot.call("getUpdates", offset=ids[1])) == ["二", "三"]
    assert said(await bot.call("getUpdates", offset=1)) == ["二", "三"]  # what is confirmed is gone
    assert said(await bot.call("getUpdates", offset=ids[2] + 1000)) == ["二", "三"]  # that far ahead is no offset
    assert said(await bot.call("getUpdates", offset=-1)) == ["三"]
    assert await bot.call("getUpdates", offset=ids[2] + 1) == []
    assert await bot.call("getUpdates") == []


async def test_a_message_is_as_the_documentation_has_it(telegram: TelegramSandbox, bot: Bot, clock: Clock) -> None:
    first = telegram.say(ZHANG, "在吗")
    telegram.say(ZHANG, "喂", reply_to=first)
    clock.now += 9
    telegram.edit(ZHANG, first, "在不在")
    one, two, three = await bot.call("getUpdates")
    zhang = {"id": ZHANG, "is_bot": False, "first_name": "张三", "language_code": "zh-hans"}
    expected = {
        "message_id": first, "from": zhang, "chat": {"id": ZHANG, "first_name": "张三", "type": "private"},
        "date": int(clock.now) - 9, "text": "在吗",
    }  # fmt: skip
    assert one["message"] == expected
    assert two["message"]["reply_to_message"] == expected
    assert three["edited_message"] == expected | {"text": "在不在", "edit_date": int(clock.now)}


@pytest.mark.parametrize("kind", OTHERS)
async def test_people_send_all_kinds_of_things(telegram: TelegramSandbox, bot: Bot, kind: str) -> None:
    telegram.send_other(ANNA, kind)
    (update,) = await bot.call("getUpdates")
    assert update["message"][kind]
    assert telegram.shown(ANNA)[0].kind == kind


async def test_a_bot_gets_only_what_it_wants(telegram: TelegramSandbox, bot: Bot) -> None:
    first = telegram.say(ZHANG, "在吗")
    await bot.call("getUpdates", allowed_updates=["edited_message"])
    telegram.say(ZHANG, "喂")
    telegram.edit(ZHANG, first, "在不在")
    kinds = [set(update) - {"update_id"} for update in await bot.call("getUpdates", allowed_updates="nonsense")]
    assert kinds == [{"message"}, {"edited_message"}]
    assert (await bot.call("getWebhookInfo"))["allowed_updates"] == ["edited_message"]
    await bot.call("getUpdates", allowed_updates=[])
    assert "allowed_updates" not in await bot.call("getWebhookInfo")


async def test_what_nobody_fetches_for_a_day_is_lost(telegram: TelegramSandbox, bot: Bot, clock: Clock) -> None:
    telegram.say(ZHANG, "一")
    clock.now += 24 * 3600 - 1
    telegram.say(ZHANG, "二")
    assert (await bot.call("getWebhookInfo"))["pending_update_count"] == 2
    clock.now += 1
    assert said(await bot.call("getUpdates")) == ["二"]


async def test_a_poll_waits_for_news(telegram: TelegramSandbox, bot: Bot) -> None:
    waiting = asyncio.create_task(bot.call("getUpdates", timeout=POLLING))
    await until(lambda: telegram.polls == 1)
    telegram.say(ZHANG, "在吗")
    assert said(await waiting) == ["在吗"]
    assert await bot.call("getUpdates", offset=2**31 - 1, timeout=1)  # it begins at the head again, and finds it there


async def test_a_second_poller_ends_the_first(telegram: TelegramSandbox, bot: Bot) -> None:
    first = asyncio.create_task(bot.refused("getUpdates", timeout=POLLING))
    await until(lambda: telegram.polls == 1)
    second = asyncio.create_task(bot.call("getUpdates", timeout=POLLING))
    assert await first == (
        409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    )  # fmt: skip
    telegram.say(ZHANG, "在吗")
    assert said(await second) == ["在吗"]


async def test_nobody_polls_where_a_webhook_is_set(telegram: TelegramSandbox, bot: Bot) -> None:
    polling = asyncio.create_task(bot.refused("getUpdates", timeout=POLLING))
    await until(lambda: telegram.polls == 1)
    await bot.call("setWebhook", url="http://127.0.0.1:9/")
    assert await polling == (409, "Conflict: terminated by setWebhook request")
    code, why = await bot.refused("getUpdates")
    assert (code, why[:56]) == (409, "Conflict: can't use getUpdates method while webhook is a")
    await bot.call("deleteWebhook")
    assert await bot.call("getUpdates") == []


# --- webhook ---------------------------------------------------------------------------------------------------------


class Hook:
    """A webhook of the bot's: what came, and how it answers."""

    def __init__(self) -> None:
        self.url = ""
        self.came: list[tuple[str, str]] = []
        """Texts, with the secrets."""
        self.statuses: list[int] = []
        """Of the next answers; then 200."""
        self.headers: dict[str, str] = {}
        self.inside = self.most_inside = 0
        self.hold_s = 0.0
        """So long an answer is held back, unless two calls are here at once."""

    def app(self) -> Litestar:
        @post("/hook")
        async def hook(request: Request[Any, Any, Any]) -> Response[None]:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            update = await request.json()
            self.came.append((update["message"]["text"], request.headers.get(HEADER.lower(), "")))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.hold_s):
                    while self.most_inside < 2:
                        await asyncio.sleep(0.01)
            self.inside -= 1
            return Response(None, status_code=self.statuses.pop(0) if self.statuses else 200, headers=self.headers)

        return Litestar([hook], openapi_config=None, logging_config=None)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    async with serving(made.app()) as url:
        made.url = f"{url}/hook"
        yield made


async def test_a_webhook_is_told_with_its_secret(telegram: TelegramSandbox, bot: Bot, hook: Hook) -> None:
    telegram.say(ZHANG, "早")
    await bot.call("setWebhook", url=hook.url, secret_token="S-e_1", max_connections=7)
    telegram.say(ZHANG, "在吗")
    await telegram.settled()
    assert hook.came == [("早", "S-e_1"), ("在吗", "S-e_1")]
    info = await bot.call("getWebhookInfo")
    assert info == {
        "url": hook.url, "has_custom_certificate": False, "pending_update_count": 0, "max_connections": 7,
        "ip_address": "127.0.0.1",
    }  # fmt: skip
    assert [(told.chat, told.statuses, told.taken) for told in telegram.ledger().told] == [(ZHANG, [200], True)] * 2


async def test_what_a_webhook_does_not_take_comes_again_in_its_order(
    telegram: TelegramSandbox, bot: Bot, hook: Hook
) -> None:
    hook.statuses = [500, 404, 503]
    await bot.call("setWebhook", url=hook.url)
    telegram.say(ZHANG, "一")
    telegram.say(ZHANG, "二")
    await telegram.settled()
    assert [text for text, _ in hook.came] == ["一", "一", "一", "一", "二"]
    assert telegram.ledger().told[0].statuses == [500, 404, 503, 200]
    assert (await bot.call("getWebhookInfo"))["last_error_message"] == "Wrong response from the webhook: 503"


async def test_the_pause_before_an_attempt_doubles(
    telegram: TelegramSandbox, bot: Bot, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(telegram, "pause", pause)
    hook.statuses = [500] * 9
    await bot.call("setWebhook", url=hook.url)
    telegram.say(ZHANG, "一")
    await telegram.settled()
    in_first_ones = [round(seconds / 0.01) for seconds in pauses if seconds]
    assert in_first_ones == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_a_webhook_that_asks_for_time_gets_it_and_a_day_later_it_is_lost(
    telegram: TelegramSandbox, bot: Bot, hook: Hook, clock: Clock
) -> None:
    hook.statuses, hook.headers = [429], {"retry-after": "1"}
    await bot.call("setWebhook", url=hook.url)
    telegram.say(ZHANG, "一")
    await until(lambda: len(hook.came) == 1)
    clock.now += 24 * 3600
    await telegram.settled()
    assert [text for text, _ in hook.came] == ["一"]
    assert telegram.ledger().told[0].taken is False


async def test_chats_are_told_of_side_by_side(telegram: TelegramSandbox, bot: Bot, hook: Hook, clock: Clock) -> None:
    for connections, hook.hold_s in ((1, 0.2), (2, 20)):
        hook.most_inside = 0
        await bot.call("setWebhook", url=hook.url, max_connections=connections)
        for person in (ZHANG, ANNA):
            for _ in range(2):
                telegram.say(person, "喂")
        await telegram.settled()
        assert hook.most_inside == connections
        clock.now += 1


async def test_nobody_there_is_a_failure_like_any(telegram: TelegramSandbox, bot: Bot) -> None:
    await bot.call("setWebhook", url="http://127.0.0.1:9/")
    telegram.say(ZHANG, "一")
    await until(lambda: any(len(told.statuses) > 2 for told in telegram.ledger().told))
    info = await bot.call("getWebhookInfo")
    assert (info["last_error_message"], info["pending_update_count"]) == ("Connection failed", 1)
    await bot.call("deleteWebhook")
    await telegram.settled()
    assert said(await bot.call("getUpdates")) == ["一"]


async def test_pending_updates_are_dropped_on_demand(telegram: TelegramSandbox, bot: Bot) -> None:
    telegram.say(ZHANG, "一")
    assert await bot.call("deleteWebhook", drop_pending_updates=True) is True
    assert await bot.call("getUpdates") == []


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"url": "nonsense"}, "invalid webhook URL specified"),
        ({"url": "http://[::1/"}, "invalid webhook URL specified"),
        ({"url": "http://example.com/"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        ({"url": "https://example.com/"}, "bad webhook: the stand-in calls loopback addresses only, not example.com"),
        ({"url": "http://localhost/", "secret_token": "x" * 257}, "secret token is too long"),
        ({"url": "http://localhost/", "secret_token": "ä"}, "secret token contains unallowed characters"),
    ],
)
async def test_a_wrong_webhook_is_refused(bot: Bot, args: dict[str, str], why: str) -> None:
    assert await bot.refused("setWebhook", **args) == (400, f"Bad Request: {why}")
    assert (await bot.call("getWebhookInfo"))["url"] == ""


async def test_a_webhook_is_not_set_twice_within_a_second(
    telegram: TelegramSandbox, http: httpx.AsyncClient, bot: Bot, clock: Clock
) -> None:
    words = []
    for method in ("setWebhook", "setWebhook", "setWebhook", "deleteWebhook", "deleteWebhook"):
        answer = await http.post(f"{bot.path}/{method}", json={"url": "http://127.0.0.1:9/"})
        words.append(answer.json()["description"])
        clock.now += 0.5 if len(words) == 1 else 1
    assert words == [
        "Webhook was set", "Too Many Requests: retry after 1", "Webhook is already set", "Webhook was deleted",
        "Webhook is already deleted",
    ]  # fmt: skip
