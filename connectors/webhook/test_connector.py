"""The connector against the stand-in, over real HTTP: verdicts under faults, callbacks, files, and what it tells."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from litestar import Litestar, get, post
from litestar.response import Redirect, Stream

from connectors.webhook import connector as module
from connectors.webhook.connector import Webhook
from connectors.webhook.sandbox import ShopSandbox
from connectors.webhook.settings import WebhookSettings
from connectors.webhook.shop import MOST_TEXT, PER_SECOND
from hub.contract import (
    Delivery,
    Forbidden,
    Inbound,
    NotThere,
    Raw,
    Refused,
    Retry,
    Sent,
    Surroundings,
    Token,
    Unknown,
    Verdict,
)
from hub.kit.called import CalledHub
from hub.kit.serving import serving


class NoTokens:
    """The platform has none."""

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, spent: str = "") -> str:
        raise AssertionError(name)


def now_s() -> float:
    """The shop's clock and the hub's: both stand."""
    return 1_777_900_260.0


@pytest.fixture
async def shop() -> AsyncIterator[ShopSandbox]:
    async with ShopSandbox(retry_after_s=0.01) as running:
        running.shop.customers |= {"c-1", "c-2"}
        yield running


@pytest.fixture
async def webhook(shop: ShopSandbox) -> AsyncIterator[Webhook]:
    async for connector in started(shop.settings()):
        yield connector


async def started(settings: dict[str, Any], **out: Any) -> AsyncIterator[Webhook]:
    settings["out"] |= out
    connector = Webhook(WebhookSettings.model_validate(settings))
    await connector.start(Surroundings(NoTokens(), "http://127.0.0.1"))
    yield connector
    await connector.stop()


async def deliver(webhook: Webhook, text: str = "您好", key: str = "c:1", to: str = "c-1") -> Verdict:
    return await webhook.deliver(Delivery(to, text, key, by="王芳", choices=("yes", "no"), in_reply_to="m-1"))


def fates(shop: ShopSandbox) -> list[tuple[str, str]]:
    return [(reply.text, reply.fate) for reply in shop.ledger().replies]


# --- out -----------------------------------------------------------------------------------------------------------


async def test_an_answer_arrives_signed_and_the_receipt_is_the_platforms(webhook: Webhook, shop: ShopSandbox) -> None:
    assert await deliver(webhook) == Sent("r-1")
    (reply,) = shop.ledger().replies
    assert (reply.customer, reply.text, reply.key, reply.fate) == ("c-1", "您好", "c:1", "shown")
    assert reply.request == {
        "customer": "c-1", "text": "您好", "from": "王芳", "buttons": ["yes", "no"], "answers_to": "m-1", "files": [],
    }  # fmt: skip


async def test_a_repeat_is_shown_once_and_has_the_first_receipt(webhook: Webhook, shop: ShopSandbox) -> None:
    assert [await deliver(webhook), await deliver(webhook)] == [Sent("r-1"), Sent("r-1")]
    assert fates(shop) == [("您好", "shown"), ("您好", "repeated")]


async def test_two_equal_texts_are_two(webhook: Webhook, shop: ShopSandbox) -> None:
    assert [await deliver(webhook, key="c:1"), await deliver(webhook, key="c:2")] == [Sent("r-1"), Sent("r-2")]
    assert fates(shop) == [("您好", "shown")] * 2


async def test_what_was_accepted_without_an_answer_is_unknown_and_a_repeat_shows_nothing_twice(
    shop: ShopSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.2)
    async for webhook in started(shop.settings()):
        with shop.faulty(no_answer_after_accepting=True):
            assert await deliver(webhook) == Unknown("no answer from the platform (ReadTimeout)")
        with shop.faulty(status_after_accepting=502):
            assert await deliver(webhook) == Unknown('HTTP 502: {"id":"r-1"}')
        assert await deliver(webhook) == Sent("r-1")
    assert fates(shop) == [("您好", "shown"), ("您好", "repeated"), ("您好", "repeated")]


async def test_a_wrong_secret_is_told_and_the_answers_wait(shop: ShopSandbox) -> None:
    async for webhook in started(shop.settings(), secret="another secret"):
        verdict = await deliver(webhook)
        assert isinstance(verdict, Retry)
        assert verdict.everyone
        assert "channels.webhook.out: secret" in verdict.because


async def test_an_unknown_customer_is_unreachable(webhook: Webhook) -> None:
    assert await deliver(webhook, to="c-9") == Refused('HTTP 404: {"error":"no such customer"}', unreachable=True)


async def test_a_refusal_with_200_is_a_refusal(webhook: Webhook, shop: ShopSandbox) -> None:
    shop.shop.blocked_by.add("c-1")
    assert await deliver(webhook) == Refused("the customer wants no replies")
    assert fates(shop) == [("您好", "refused")]


async def test_the_longest_text_is_shown_and_a_longer_one_refused(webhook: Webhook, shop: ShopSandbox) -> None:
    assert webhook.can.max_text == MOST_TEXT
    assert isinstance(await deliver(webhook, "字" * MOST_TEXT), Sent)
    assert await deliver(webhook, "字" * (MOST_TEXT + 1), "c:2") == Refused(
        'HTTP 413: {"error":"a text has at most 500 characters"}'
    )


async def test_a_platforms_limit_is_kept_for_everyone(webhook: Webhook, shop: ShopSandbox) -> None:
    verdicts = await asyncio.gather(*(deliver(webhook, key=f"c:{n}") for n in range(PER_SECOND + 1)))
    assert [each for each in verdicts if not isinstance(each, Sent)] == [
        Retry('HTTP 429: {"error":"too many replies"}', 1, everyone=True)
    ]
    assert webhook.can.per_second < PER_SECOND


async def test_a_redirect_is_not_followed(webhook: Webhook, shop: ShopSandbox) -> None:
    with shop.faulty(status=307):
        verdict = await deliver(webhook)
    assert isinstance(verdict, Refused)
    assert verdict.because.startswith("HTTP 307: redirects are not followed")


async def test_the_platforms_own_words_are_one_line(webhook: Webhook, shop: ShopSandbox) -> None:
    with shop.faulty(status=400):
        assert await deliver(webhook) == Refused(r'HTTP 400: {"error":"refused by a switch\nof the stand-in"}')


async def test_a_refused_connection_is_tried_again() -> None:
    async with ShopSandbox() as gone:
        settings = gone.settings()
    async for webhook in started(settings):
        assert await deliver(webhook) == Retry("the platform cannot be reached (ConnectError)", 1, everyone=True)


async def test_a_body_that_cannot_be_made_is_refused_and_nothing_leaves(shop: ShopSandbox) -> None:
    async for webhook in started(shop.settings(), body={"x": "length(number)"}):
        verdict = await deliver(webhook)
        assert isinstance(verdict, Refused)
        assert verdict.because.startswith("channels.webhook.out.body.x: In function length()")
    assert fates(shop) == []


async def test_more_calls_are_under_way_than_httpx_allows_by_itself(shop: ShopSandbox) -> None:
    """100, and one that queues for its turn would look like a platform that cannot be reached."""
    everyone = asyncio.Barrier(101)

    @post("/")
    async def together() -> None:
        await everyone.wait()

    async with serving(Litestar([together], openapi_config=None, logging_config=None)) as url:
        async for webhook in started(shop.settings(), url=url):
            verdicts = await asyncio.gather(*(deliver(webhook, key=f"c:{n}") for n in range(101)))
    assert set(verdicts) == {Sent()}


async def test_an_endless_answer_is_not_read_to_its_end(shop: ShopSandbox) -> None:
    ended = asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        yield b"x" * (module.ANSWER_BYTES + 1)
        await ended.wait()

    @post("/")
    async def endless() -> Stream:
        return Stream(content(), status_code=400)

    async with serving(Litestar([endless], openapi_config=None, logging_config=None)) as url:
        async for webhook in started(shop.settings(), url=url):
            assert await deliver(webhook) == Refused("HTTP 400: " + "x" * 200)
        ended.set()


# --- in ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def told() -> AsyncIterator[tuple[ShopSandbox, CalledHub]]:
    """A shop whose clock is the hub's, and the hub that it tells."""
    async with ShopSandbox(retry_after_s=0.01, now=now_s) as shop:
        async for webhook in started(shop.settings()):
            hub = CalledHub(webhook, now_s)
            async with serving(hub.app()) as url:
                shop.callback_url = f"{url}/callbacks/webhook"
                yield shop, hub


async def test_what_a_customer_writes_comes_in(told: tuple[ShopSandbox, CalledHub]) -> None:
    shop, hub = told
    first = shop.say("c-1", "您好\n<b>&amp;")
    await shop.settled()
    second = shop.say("c-1", "您好！", replaces=first)
    third = shop.say("c-1", kind="location")
    fourth = shop.say("c-1", file="a.png")
    await shop.settled()
    assert hub.inbounds == [
        Inbound("c-1", first, "您好\n<b>&amp;", 1_777_900_260_000, name="Customer c-1"),
        Inbound("c-1", second, "您好！", 1_777_900_260_000, name="Customer c-1", edits=first),
        Inbound("c-1", third, "", 1_777_900_260_000, name="Customer c-1", unsupported="location"),
        Inbound("c-1", fourth, "", 1_777_900_260_000, name="Customer c-1", files=hub.inbounds[-1].files),
    ]
    assert [file.source for file in hub.inbounds[-1].files] == [f"{shop.url}/files/a.png"]


async def test_another_secret_is_forbidden(told: tuple[ShopSandbox, CalledHub]) -> None:
    shop, hub = told
    with shop.faulty(wrong_signature=True):
        shop.say("c-1", "hello")
        await shop.settled()
    assert (hub.inbounds, shop.ledger().told[0].statuses) == ([], [403, 403, 403])
    assert shop.ledger().told[0].taken is False


async def test_a_refused_callback_comes_again_with_the_same_id(told: tuple[ShopSandbox, CalledHub]) -> None:
    shop, hub = told
    hub.statuses = [503, 500]
    said = shop.say("c-1", "hello")
    await shop.settled()
    assert [inbound.outside_id for inbound in hub.inbounds] == [said]
    assert shop.ledger().told[0].statuses == [503, 500, 200]


async def test_a_repeated_callback_is_the_same_message(told: tuple[ShopSandbox, CalledHub]) -> None:
    shop, hub = told
    with shop.faulty(repeat_callbacks=True):
        shop.say("c-1", "hello")
        await shop.settled()
    assert len(hub.inbounds) == 2
    assert hub.inbounds[0] == hub.inbounds[1]


async def test_a_customers_messages_keep_their_order_unless_told_otherwise(told: tuple[ShopSandbox, CalledHub]) -> None:
    shop, hub = told
    said = [shop.say("c-1", str(n)) for n in range(20)]
    await shop.settled()
    assert [inbound.outside_id for inbound in hub.inbounds] == said
    hub.inbounds.clear()
    with shop.faulty(reorder_callbacks=True):
        said = [shop.say("c-1", str(n)) for n in range(4)]
        await shop.settled()
    assert [inbound.outside_id for inbound in hub.inbounds] != said
    assert sorted(inbound.outside_id for inbound in hub.inbounds) == said


# --- files ---------------------------------------------------------------------------------------------------------


async def fetched(webhook: Webhook, source: str) -> bytes:
    return b"".join([chunk async for chunk in webhook.fetch(source)])


async def test_a_file_is_fetched(webhook: Webhook, shop: ShopSandbox) -> None:
    shop.files["a.png"] = b"\x89PNG" * 50_000
    assert await fetched(webhook, f"{shop.url}/files/a.png") == shop.files["a.png"]


async def test_a_file_from_a_host_that_is_not_listed_is_not_asked_for(webhook: Webhook) -> None:
    for source in ("http://127.0.0.1:1/a", "http://localhost/a", "file:///etc/passwd", "https://h@127.0.0.1:1/"):
        with pytest.raises(NotThere, match=r"files_from|must begin with https|must hold no user"):
            await fetched(webhook, source)


async def test_a_file_that_is_not_there_is_an_error(webhook: Webhook, shop: ShopSandbox) -> None:
    with pytest.raises(NotThere, match="the file's host answered HTTP 404"):
        await fetched(webhook, f"{shop.url}/files/none")


async def test_a_listed_host_cannot_send_the_hub_to_another(shop: ShopSandbox) -> None:
    shop.files["a.png"] = b"not for strangers"

    @get("/a")
    async def away() -> Redirect:
        return Redirect(f"{shop.url}/files/a.png", status_code=302)

    async with serving(Litestar([away], openapi_config=None, logging_config=None)) as url:
        settings = shop.settings()
        settings["in"]["files_from"] = [url.removeprefix("http://")]
        async for webhook in started(settings):
            with pytest.raises(NotThere, match="the file's host answered HTTP 302"):
                await fetched(webhook, f"{url}/a")


async def test_a_file_over_the_limit_is_given_up(
    webhook: Webhook, shop: ShopSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 1000)
    shop.files.update(fits=b"x" * 1000, exceeds=b"x" * 1001)
    assert len(await fetched(webhook, f"{shop.url}/files/fits")) == 1000
    with pytest.raises(NotThere, match="the file exceeds the limit of 1000 bytes"):
        await fetched(webhook, f"{shop.url}/files/exceeds")


# --- set-up --------------------------------------------------------------------------------------------------------


async def test_no_secret_is_shown_anywhere(shop: ShopSandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")
    caplog.set_level(logging.DEBUG, "httpcore")
    settings = shop.settings()
    settings["in"]["secret"] = "hush-secret-in"
    async for webhook in started(settings, secret="hush-secret-out", headers={"Authorization": "Bearer hush"}):
        verdict = await deliver(webhook)
        with pytest.raises(Forbidden) as refused:
            webhook.verify(Raw("POST", {}, {"x-shop-time": "1", "x-shop-signature": "x"}, b"{}", 1000))
        said = json.dumps([repr(webhook), repr(webhook.settings), repr(verdict), str(refused.value), caplog.text])
    assert "/replies" in said
    assert "hush" not in said
