"""The connector against the stand-in, over real HTTP: what it asks for, verdicts under faults, and what it tells."""

import asyncio
import logging

import httpx
import pydantic
import pytest

from connectors.telegram import codec
from connectors.telegram import connector as module
from connectors.telegram.conftest import ANNA, ZHANG, Clock, deliver, fetched, pulled, started, texts
from connectors.telegram.connector import Telegram
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.settings import TelegramSettings
from hub.contract import Inbound, Refused, Retry, Sent, Unknown

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


async def test_what_is_told_comes_until_it_is_confirmed(
    telegram: TelegramSandbox, connector: Telegram, clock: Clock
) -> None:
    first = telegram.say(ZHANG, "在吗")
    cursor, parsed = await pulled(connector)
    assert parsed[0].inbounds == [
        Inbound(
            str(ZHANG), f"{ZHANG}.{first}", "在吗", int(clock.now) * 1000, files=[], account="7000000000",
            name="张三", language="zh-hans",
        )
    ]  # fmt: skip
    assert texts((await pulled(connector))[1]) == ["在吗"]
    telegram.say(ZHANG, "几点？")
    cursor, parsed = await pulled(connector, cursor)
    assert texts(parsed) == ["几点？"]
    assert len(telegram.api.updates) == 1


async def test_where_nothing_comes_the_cursor_stays(
    telegram: TelegramSandbox, connector: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0)
    assert await pulled(connector) == ("", [])
    telegram.say(ZHANG, "在吗")
    cursor, _ = await pulled(connector)
    assert await pulled(connector, cursor) == (cursor, [])


async def polled(telegram: TelegramSandbox) -> None:
    """Return when a call has arrived and waits."""
    async with asyncio.timeout(10):
        while not telegram.polls:
            await asyncio.sleep(0.01)


async def test_a_message_ends_the_waiting(telegram: TelegramSandbox, connector: Telegram) -> None:
    waiting = asyncio.create_task(pulled(connector))
    await polled(telegram)
    telegram.say(ZHANG, "在吗")
    assert texts((await waiting)[1]) == ["在吗"]


async def test_two_who_ask_and_a_forgotten_webhook_are_a_trouble_with_a_cure(
    telegram: TelegramSandbox, connector: Telegram
) -> None:
    first = asyncio.create_task(pulled(connector))
    await polled(telegram)
    second = asyncio.create_task(pulled(connector))
    with pytest.raises(codec.NotGiven, match=r"terminated by other getUpdates.*stop what else uses this bot"):
        await first
    telegram.webhook.set({"url": "http://127.0.0.1:9/"})
    telegram.wake()
    with pytest.raises(codec.NotGiven, match=r"setWebhook.*deleteWebhook"):
        await second


@pytest.mark.parametrize("status", [401, 500, 502])
async def test_a_failing_telegram_is_asked_again(telegram: TelegramSandbox, connector: Telegram, status: int) -> None:
    with telegram.faulty(updates_status=status), pytest.raises(codec.NotGiven, match=str(status)):
        await connector.pull("")


async def test_an_edit_takes_the_place_of_what_it_changes(telegram: TelegramSandbox, connector: Telegram) -> None:
    telegram.edit(ZHANG, telegram.say(ZHANG, "在吗"), "在吗？")
    _, (said, edited) = await pulled(connector)
    assert edited.inbounds[0].edits == said.inbounds[0].outside_id
    assert edited.inbounds[0].text == "在吗？"


async def test_a_button_is_what_it_says(telegram: TelegramSandbox, connector: Telegram) -> None:
    telegram.say(ZHANG, "在吗")
    cursor, _ = await pulled(connector)
    markup = {"inline_keyboard": [[{"text": "好的", "callback_data": "yes"}]]}
    async with httpx.AsyncClient(base_url=telegram.url, trust_env=False) as another_program:
        path, body = (
            f"/bot{telegram.account.token}/sendMessage",
            {"chat_id": ZHANG, "text": "?", "reply_markup": markup},
        )
        sent = (await another_program.post(path, json=body)).json()["result"]["message_id"]
    id_ = telegram.press(ZHANG, sent, "yes")
    _, (pressed,) = await pulled(connector, cursor)
    assert [(one.text, one.outside_id) for one in pressed.inbounds] == [("好的", id_)]


async def test_what_is_said_in_groups_is_left_out(telegram: TelegramSandbox, connector: Telegram) -> None:
    group = telegram.group("花店", [ZHANG, ANNA])
    forum = telegram.group("客服", [ZHANG], forum=True)
    telegram.say(ZHANG, "大家好", chat=group)
    telegram.say(ANNA, "你好", chat=group)
    telegram.say(ZHANG, "在", chat=forum)
    telegram.say(ANNA, "在吗")
    _, parsed = await pulled(connector)
    assert texts(parsed) == ["在吗"]
    assert not any(one.unparsed for one in parsed)
    assert [one.left_out.partition(",")[0] for one in parsed if one.left_out] == [
        "said in a group", "said in a group", "said in a supergroup",
    ]  # fmt: skip


# --- out -------------------------------------------------------------------------------------------------------------


async def test_a_text_is_shown_as_it_is_and_the_receipt_is_its_id(
    telegram: TelegramSandbox, connector: Telegram
) -> None:
    asked = telegram.say(ZHANG, "在吗")
    assert await deliver(connector, "<b>您好</b> _在_ https://hub.example", in_reply_to=f"{ZHANG}.{asked}") == Sent(
        str(asked + 1)
    )
    shown = telegram.shown(ZHANG)[-1]
    assert (shown.text, shown.reply_to) == ("<b>您好</b> _在_ https://hub.example", 0)


async def test_answers_to_pick_are_keys_and_the_one_pressed_is_said(
    telegram: TelegramSandbox, connector: Telegram
) -> None:
    telegram.say(ZHANG, "退货")
    await deliver(connector, "哪一个？", choices=["退款", "换货"])
    (first, _) = telegram.shown(ZHANG)[-1].buttons
    telegram.say(ZHANG, first[0]["text"])
    assert texts((await pulled(connector))[1]) == ["退货", "退款"]


async def test_what_was_said_is_corrected_and_taken_back_as_often_as_it_takes(
    telegram: TelegramSandbox, connector: Telegram
) -> None:
    telegram.say(ZHANG, "几点？")
    first, second = [await deliver(connector, text) for text in ("九点", "十点")]
    assert isinstance(first, Sent)
    assert isinstance(second, Sent)
    for _ in range(2):
        assert await deliver(connector, "九点半", replaces=first.receipt) == first
        assert await deliver(connector, "", replaces=second.receipt) == second
    assert [shown.text for shown in telegram.shown(ZHANG)] == ["几点？", "九点半"]


async def test_who_cannot_be_reached_is_refused(telegram: TelegramSandbox, connector: Telegram) -> None:
    stranger = await deliver(connector, to=ANNA)
    telegram.say(ZHANG, "在吗")
    telegram.block(ZHANG)
    blocked = await deliver(connector)
    for verdict, words in ((stranger, "chat not found"), (blocked, "bot was blocked by the user")):
        assert isinstance(verdict, Refused)
        assert verdict.unreachable
        assert words in verdict.because


async def test_what_may_have_arrived_is_unknown_and_what_has_not_goes_again(
    telegram: TelegramSandbox, connector: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram.say(ZHANG, "在吗")
    for faults in ({"status": 502}, {"status_after_accepting": 502}):
        with telegram.faulty(**faults):
            assert isinstance(await deliver(connector), Unknown)
    with telegram.faulty(retry_after_s=7):
        assert await deliver(connector) == Retry("too many messages for Telegram (Too Many Requests: retry after 7)", 7)
    monkeypatch.setattr(module, "DEADLINE_S", 1.0)  # it has to arrive within that
    with telegram.faulty(no_answer_after_accepting=True):
        assert await deliver(connector) == Unknown("no answer from Telegram (TimeoutError)")
    assert [shown.side for shown in telegram.shown(ZHANG)] == ["person", "bot", "bot"]


async def test_where_nobody_listens_nothing_has_left(telegram: TelegramSandbox) -> None:
    async with started(telegram, base_url="http://127.0.0.1:9") as connector:
        assert await deliver(connector) == Retry("Telegram cannot be reached (ConnectError)", 1)


async def test_a_wrong_token_is_told_with_its_cure(telegram: TelegramSandbox) -> None:
    telegram.say(ZHANG, "在吗")
    async with started(telegram, token="7000000000:" + "A" * 35) as connector:
        verdict = await deliver(connector)
    assert isinstance(verdict, Retry)
    assert verdict.everyone
    assert "channels.telegram.token" in verdict.because


# --- the token -------------------------------------------------------------------------------------------------------


async def test_the_token_is_in_no_log_line_and_in_no_error(
    telegram: TelegramSandbox, connector: Telegram, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = telegram.account.token
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")  # whatever level the hub has given it
    telegram.send_file(ZHANG, "photo", b"\x89PNG", "a.png")
    (parsed,) = (await pulled(connector))[1]
    await fetched(connector, parsed.inbounds[0].files[0])
    await deliver(connector)
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    with telegram.faulty(slow_s=10), pytest.raises(httpx.HTTPError) as raised:
        await fetched(connector, parsed.inbounds[0].files[0])
    assert token not in str(raised.value) + repr(raised.value) + str(raised.value.request.url)
    assert "/bot/sendMessage" in caplog.text
    assert token not in caplog.text
