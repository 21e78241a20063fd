"""The connector against the stand-in, over real HTTP: both ways in, verdicts under faults, files, and what it tells."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import httpx
import pydantic
import pytest
from litestar import Litestar, Request, Response, post

from connectors.telegram import codec
from connectors.telegram import connector as module
from connectors.telegram.conftest import ANNA, ZHANG, Clock
from connectors.telegram.connector import Telegram
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.sandbox_webhook import SET_AGAIN_S
from connectors.telegram.settings import TelegramSettings
from hub.contract import (
    Delivery,
    Enclosed,
    File,
    Forbidden,
    Inbound,
    NotThere,
    Parsed,
    Raw,
    Refused,
    Retry,
    Sent,
    Surroundings,
    Tokens,
    Unknown,
    Verdict,
)
from hub.errors import AttachmentsAway, NoAttachment
from hub.kit.serving import serving

KEY = b"k" * 32


@contextlib.asynccontextmanager
async def started(
    telegram: TelegramSandbox, public_url: str = "http://127.0.0.1", **settings: Any
) -> AsyncGenerator[Telegram, None]:
    bot = Telegram(TelegramSettings.model_validate(telegram.settings() | settings))
    await bot.start(Surroundings(cast(Tokens, None), f"{public_url}/callbacks/telegram", KEY))  # the token is a setting
    yield bot
    await bot.stop()


@pytest.fixture
async def bot(telegram: TelegramSandbox) -> AsyncIterator[Telegram]:
    async with started(telegram) as running:
        yield running


async def pulled(bot: Telegram, cursor: str = "") -> tuple[str, list[Parsed]]:
    """The next cursor, and what came."""
    came = await bot.pull(cursor)
    return came.cursor, [bot.parse(Raw("PULL", {}, item.headers, item.body, 0)) for item in came.items]


def texts(parsed: list[Parsed]) -> list[str]:
    return [inbound.text for one in parsed for inbound in one.inbounds]


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "7000000000", "bot7000000000:" + "A" * 35, "7000000000:short", "7:" + "é" * 35])
def test_what_is_no_token_is_told_with_where_to_find_one_and_not_shown(token: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="copy it again from BotFather") as raised:
        TelegramSettings.model_validate({"token": token})
    assert not token or token not in raised.value.errors()[0]["msg"]


def test_the_mode_says_who_calls_whom(telegram: TelegramSandbox) -> None:
    poll, webhook = (
        Telegram(TelegramSettings.model_validate(telegram.settings() | mode)) for mode in ({}, {"mode": "webhook"})
    )
    assert (poll.pulls, poll.routes) == (True, ())
    assert (webhook.pulls, webhook.routes) == (False, (module.WEBHOOK,))


# --- asking ----------------------------------------------------------------------------------------------------------


async def test_what_is_told_comes_until_it_is_confirmed(telegram: TelegramSandbox, bot: Telegram, clock: Clock) -> None:
    first = telegram.say(ZHANG, "在吗")
    cursor, parsed = await pulled(bot)
    assert parsed[0].inbounds == [
        Inbound(
            str(ZHANG), f"{ZHANG}.{first}", "在吗", int(clock.now) * 1000, files=[], account="7000000000",
            name="张三", language="zh-hans",
        )
    ]  # fmt: skip
    assert texts((await pulled(bot))[1]) == ["在吗"]
    telegram.say(ZHANG, "几点？")
    cursor, parsed = await pulled(bot, cursor)
    assert texts(parsed) == ["几点？"]
    assert len(telegram.api.updates) == 1


async def test_where_nothing_comes_the_cursor_stays(
    telegram: TelegramSandbox, bot: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0)
    assert await pulled(bot) == ("", [])
    telegram.say(ZHANG, "在吗")
    cursor, _ = await pulled(bot)
    assert await pulled(bot, cursor) == (cursor, [])


async def polled(telegram: TelegramSandbox) -> None:
    """Return when a call has arrived and waits."""
    async with asyncio.timeout(10):
        while not telegram.polls:
            await asyncio.sleep(0.01)


async def test_a_message_ends_the_waiting(telegram: TelegramSandbox, bot: Telegram) -> None:
    waiting = asyncio.create_task(pulled(bot))
    await polled(telegram)
    telegram.say(ZHANG, "在吗")
    assert texts((await waiting)[1]) == ["在吗"]


async def test_two_who_ask_and_a_forgotten_webhook_are_a_trouble_with_a_cure(
    telegram: TelegramSandbox, bot: Telegram
) -> None:
    first = asyncio.create_task(pulled(bot))
    await polled(telegram)
    second = asyncio.create_task(pulled(bot))
    with pytest.raises(codec.NotGiven, match=r"terminated by other getUpdates.*stop what else uses this bot"):
        await first
    telegram.webhook.set({"url": "http://127.0.0.1:9/"})
    telegram.wake()
    with pytest.raises(codec.NotGiven, match=r"setWebhook.*deleteWebhook"):
        await second


@pytest.mark.parametrize("status", [401, 500, 502])
async def test_a_failing_telegram_is_asked_again(telegram: TelegramSandbox, bot: Telegram, status: int) -> None:
    with telegram.faulty(updates_status=status), pytest.raises(codec.NotGiven, match=str(status)):
        await bot.pull("")


async def test_an_edit_takes_the_place_of_what_it_changes(telegram: TelegramSandbox, bot: Telegram) -> None:
    telegram.edit(ZHANG, telegram.say(ZHANG, "在吗"), "在吗？")
    _, (said, edited) = await pulled(bot)
    assert edited.inbounds[0].edits == said.inbounds[0].outside_id
    assert edited.inbounds[0].text == "在吗？"


async def test_a_button_is_what_it_says(telegram: TelegramSandbox, bot: Telegram) -> None:
    telegram.say(ZHANG, "在吗")
    cursor, _ = await pulled(bot)
    markup = {"inline_keyboard": [[{"text": "好的", "callback_data": "yes"}]]}
    async with httpx.AsyncClient(base_url=telegram.url, trust_env=False) as another_program:
        path, body = (
            f"/bot{telegram.account.token}/sendMessage",
            {"chat_id": ZHANG, "text": "?", "reply_markup": markup},
        )
        sent = (await another_program.post(path, json=body)).json()["result"]["message_id"]
    id_ = telegram.press(ZHANG, sent, "yes")
    _, (pressed,) = await pulled(bot, cursor)
    assert [(one.text, one.outside_id) for one in pressed.inbounds] == [("好的", id_)]


async def test_what_is_said_in_groups_is_left_out(telegram: TelegramSandbox, bot: Telegram) -> None:
    group = telegram.group("花店", [ZHANG, ANNA])
    forum = telegram.group("客服", [ZHANG], forum=True)
    telegram.say(ZHANG, "大家好", chat=group)
    telegram.say(ANNA, "你好", chat=group)
    telegram.say(ZHANG, "在", chat=forum)
    telegram.say(ANNA, "在吗")
    _, parsed = await pulled(bot)
    assert texts(parsed) == ["在吗"]
    assert not any(one.unparsed for one in parsed)
    assert [one.left_out.partition(",")[0] for one in parsed if one.left_out] == [
        "said in a group", "said in a group", "said in a supergroup",
    ]  # fmt: skip


# --- being called ----------------------------------------------------------------------------------------------------


class Hub:
    """A hub that is called: what it hears goes through the connector."""

    def __init__(self) -> None:
        self.bot: Telegram | None = None
        self.heard: list[str] = []
        self.statuses: list[int] = []

    def app(self) -> Litestar:
        @post("/callbacks/telegram", status_code=200)
        async def call_back(request: Request[Any, Any, Any]) -> Response[None]:
            assert self.bot
            try:
                raw = Raw("POST", {}, dict(request.headers), await request.body(), 0)
                self.bot.verify(raw)
                self.heard += texts([self.bot.parse(raw)])
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
    async with started(telegram, url, mode="webhook") as called.bot:
        await called.bot.upkeep()
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
    async with started(telegram, url, mode="webhook") as called.bot:
        await called.bot.upkeep()
        assert telegram.webhook.info()["allowed_updates"] == sorted(codec.TOLD)
        with monkeypatch.context() as patch:
            patch.setattr(telegram.webhook, "set", lambda args: pytest.fail("once is enough"))
            await called.bot.upkeep()
        telegram.webhook.delete({})
        clock.now += SET_AGAIN_S
        await called.bot.upkeep()
        assert telegram.webhook.url == f"{url}/callbacks/telegram"


async def test_workers_that_set_it_in_the_same_second_are_at_ease(
    telegram: TelegramSandbox, hub: tuple[Hub, str]
) -> None:
    called, url = hub
    async with started(telegram, url, mode="webhook") as called.bot, started(telegram, url, mode="webhook") as other:
        await asyncio.gather(called.bot.upkeep(), other.upkeep())
        assert (called.bot.health(), other.health()) == ("", "")


async def test_what_keeps_telegram_from_calling_is_told(telegram: TelegramSandbox) -> None:
    async with started(telegram, "http://127.0.0.1:9", mode="webhook") as bot:
        await bot.upkeep()
        telegram.say(ZHANG, "在吗")
        async with asyncio.timeout(10):
            while not bot.health():
                await bot.upkeep()
        assert "http://127.0.0.1:9/callbacks/telegram (Connection failed)" in bot.health()
        telegram.api.updates.keep_newest(0)
        await bot.upkeep()
        assert bot.health() == ""


async def test_an_address_that_telegram_does_not_take_is_told_in_its_words(telegram: TelegramSandbox) -> None:
    async with started(telegram, "http://hub.example", mode="webhook") as bot:
        with pytest.raises(codec.NotGiven):
            await bot.upkeep()
        assert "An HTTPS URL must be provided" in bot.health()


# --- files that come in ----------------------------------------------------------------------------------------------


async def fetched(bot: Telegram, file: File) -> bytes:
    return b"".join([chunk async for chunk in bot.fetch(file.source)])


async def test_a_file_is_fetched_by_its_id(telegram: TelegramSandbox, bot: Telegram) -> None:
    telegram.send_file(ZHANG, "document", b"%PDF", "发票.pdf", type="application/pdf", caption="发票")
    (parsed,) = (await pulled(bot))[1]
    (file,) = parsed.inbounds[0].files
    assert (parsed.inbounds[0].text, file.name, file.type) == ("发票", "发票.pdf", "application/pdf")
    assert await fetched(bot, file) == b"%PDF"


async def test_a_file_that_will_never_be_had_is_told_apart_from_one_that_may(
    telegram: TelegramSandbox, bot: Telegram
) -> None:
    telegram.send_file(ZHANG, "video", bytes((20 << 20) + 1), "a.mp4")
    telegram.send_file(ZHANG, "photo", b"\x89PNG", "a.png")
    video, photo = (parsed.inbounds[0].files[0] for parsed in (await pulled(bot))[1])
    with pytest.raises(NotThere, match="file is too big"):
        await fetched(bot, video)
    with pytest.raises(NotThere, match="invalid file_id"):
        await fetched(bot, File("a", source="never"))
    with telegram.faulty(retry_after_s=3), pytest.raises(codec.NotGiven, match="Too Many Requests"):
        await fetched(bot, photo)
    with telegram.faulty(files_status=502), pytest.raises(codec.NotGiven, match="HTTP 502"):
        await fetched(bot, photo)
    assert await fetched(bot, photo) == b"\x89PNG"


# --- out -------------------------------------------------------------------------------------------------------------


async def deliver(bot: Telegram, text: str = "您好", to: int = ZHANG, **fields: Any) -> Verdict:
    return await bot.deliver(Delivery(str(to), text, "c:1", **fields))


async def test_a_text_is_shown_as_it_is_and_the_receipt_is_its_id(telegram: TelegramSandbox, bot: Telegram) -> None:
    asked = telegram.say(ZHANG, "在吗")
    assert await deliver(bot, "<b>您好</b> _在_ https://hub.example", in_reply_to=f"{ZHANG}.{asked}") == Sent(
        str(asked + 1)
    )
    shown = telegram.shown(ZHANG)[-1]
    assert (shown.text, shown.reply_to) == ("<b>您好</b> _在_ https://hub.example", 0)


async def test_answers_to_pick_are_keys_and_the_one_pressed_is_said(telegram: TelegramSandbox, bot: Telegram) -> None:
    telegram.say(ZHANG, "退货")
    await deliver(bot, "哪一个？", choices=["退款", "换货"])
    (first, _) = telegram.shown(ZHANG)[-1].buttons
    telegram.say(ZHANG, first[0]["text"])
    assert texts((await pulled(bot))[1]) == ["退货", "退款"]


async def test_what_was_said_is_corrected_and_taken_back_as_often_as_it_takes(
    telegram: TelegramSandbox, bot: Telegram
) -> None:
    telegram.say(ZHANG, "几点？")
    first, second = [await deliver(bot, text) for text in ("九点", "十点")]
    assert isinstance(first, Sent)
    assert isinstance(second, Sent)
    for _ in range(2):
        assert await deliver(bot, "九点半", replaces=first.receipt) == first
        assert await deliver(bot, "", replaces=second.receipt) == second
    assert [shown.text for shown in telegram.shown(ZHANG)] == ["几点？", "九点半"]


async def test_who_cannot_be_reached_is_refused(telegram: TelegramSandbox, bot: Telegram) -> None:
    stranger = await deliver(bot, to=ANNA)
    telegram.say(ZHANG, "在吗")
    telegram.block(ZHANG)
    blocked = await deliver(bot)
    for verdict, words in ((stranger, "chat not found"), (blocked, "bot was blocked by the user")):
        assert isinstance(verdict, Refused)
        assert verdict.unreachable
        assert words in verdict.because


async def test_what_may_have_arrived_is_unknown_and_what_has_not_goes_again(
    telegram: TelegramSandbox, bot: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram.say(ZHANG, "在吗")
    for faults in ({"status": 502}, {"status_after_accepting": 502}):
        with telegram.faulty(**faults):
            assert isinstance(await deliver(bot), Unknown)
    with telegram.faulty(retry_after_s=7):
        assert await deliver(bot) == Retry("too many messages for Telegram (Too Many Requests: retry after 7)", 7)
    monkeypatch.setattr(module, "DEADLINE_S", 1.0)  # it has to arrive within that
    with telegram.faulty(no_answer_after_accepting=True):
        assert await deliver(bot) == Unknown("no answer from Telegram (TimeoutError)")
    assert [shown.side for shown in telegram.shown(ZHANG)] == ["person", "bot", "bot"]


async def test_where_nobody_listens_nothing_has_left(telegram: TelegramSandbox) -> None:
    async with started(telegram, base_url="http://127.0.0.1:9") as bot:
        assert await deliver(bot) == Retry("Telegram cannot be reached (ConnectError)", 1)


async def test_a_wrong_token_is_told_with_its_cure(telegram: TelegramSandbox) -> None:
    telegram.say(ZHANG, "在吗")
    async with started(telegram, token="7000000000:" + "A" * 35) as bot:
        verdict = await deliver(bot)
    assert isinstance(verdict, Retry)
    assert verdict.everyone
    assert "channels.telegram.token" in verdict.because


# --- files that go out -----------------------------------------------------------------------------------------------


def enclosed(name: str, type_: str, content: bytes) -> Enclosed:
    async def read() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 65_536):
            yield content[at : at + 65_536]

    return Enclosed(name, type_, len(content), "http://127.0.0.1/unused", read)


@pytest.mark.parametrize(
    ("name", "type_", "content", "kind"),
    [
        ("照片.png", "image/png", b"\x89PNG" + bytes(200_000), "photo"),
        ('合同 "终".pdf', "application/pdf", b"%PDF", "document"),
        ("大.jpg", "image/jpeg", bytes(codec.PHOTO_BYTES + 1), "document"),
    ],
)
async def test_a_file_arrives_whole_and_by_its_name(
    telegram: TelegramSandbox, bot: Telegram, name: str, type_: str, content: bytes, kind: str
) -> None:
    telegram.say(ZHANG, "发我")
    assert isinstance(await deliver(bot, "", files=[enclosed(name, type_, content)]), Sent)
    shown = telegram.shown(ZHANG)[-1]
    assert (shown.kind, shown.file.replace("%22", '"')) == (kind, name)
    kept = telegram.api.chats.all[ZHANG].messages[shown.n].file
    assert kept
    assert kept.content == content


async def test_a_file_that_cannot_be_read_is_told(
    telegram: TelegramSandbox, bot: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> AsyncIterator[bytes]:
        raise AttachmentsAway("no quorum")
        yield b""

    async def gone() -> AsyncIterator[bytes]:
        raise NoAttachment("gone")
        yield b""

    async def stuck() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    monkeypatch.setattr(module, "DEADLINE_S", 1.0)
    telegram.say(ZHANG, "发我")
    files = [Enclosed("a", "text/plain", 1, "", read) for read in (away, gone, stuck)]
    assert [await deliver(bot, "", files=[file]) for file in files] == [
        Retry("the file cannot be read: no quorum", 5),
        Refused("the file cannot be read: gone"),
        Retry("the file cannot be read: it takes too long", 5),
    ]


# --- the token -------------------------------------------------------------------------------------------------------


async def test_the_token_is_in_no_log_line_and_in_no_error(
    telegram: TelegramSandbox, bot: Telegram, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = telegram.account.token
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")  # whatever level the hub has given it
    telegram.send_file(ZHANG, "photo", b"\x89PNG", "a.png")
    (parsed,) = (await pulled(bot))[1]
    await fetched(bot, parsed.inbounds[0].files[0])
    await deliver(bot)
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    with telegram.faulty(slow_s=10), pytest.raises(httpx.HTTPError) as raised:
        await fetched(bot, parsed.inbounds[0].files[0])
    assert token not in str(raised.value) + repr(raised.value) + str(raised.value.request.url)
    assert "/bot/sendMessage" in caplog.text
    assert token not in caplog.text
