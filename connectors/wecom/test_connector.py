"""The connector against the stand-in, over real HTTP: tokens, verdicts under faults, callbacks, and what it tells."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pydantic
import pytest

from connectors.tencent import client
from connectors.wecom.callbacks import CheckFailed
from connectors.wecom.conftest import Clock, SharedTokens, started
from connectors.wecom.connector import CONNECTOR, WeCom, WeComSettings
from connectors.wecom.far_side import DUPLICATE_LONGEST_S, PER_MINUTE
from connectors.wecom.sandbox import WeComSandbox
from hub.contract import Delivery, Inbound, Refused, Retry, Sent, Surroundings, Unknown, Verdict
from hub.kit.called import CalledHub
from hub.kit.serving import serving


async def deliver(wecom: WeCom, text: str = "【#12·57 张三】\n在吗", to: str = "WangFang") -> Verdict:
    return await wecom.deliver(Delivery(to, text, "key"))


async def shown(sandbox: WeComSandbox, user: str = "WangFang") -> list[str]:
    return [bubble.text for bubble in await sandbox.texts(user)]


# --- out -----------------------------------------------------------------------------------------------------------


async def test_a_text_arrives_on_the_phone_and_the_receipt_is_the_platforms(
    wecom: WeCom, sandbox: WeComSandbox
) -> None:
    verdict = await deliver(wecom)
    assert await shown(sandbox) == ["【#12·57 张三】\n在吗"]
    assert verdict == Sent(sandbox.ledger().sends[0].msgid)


@pytest.mark.parametrize("spoil", ["expire_tokens", "invalidate_tokens"])
async def test_a_spent_token_is_fetched_anew_once(wecom: WeCom, sandbox: WeComSandbox, spoil: str) -> None:
    await deliver(wecom, "one")
    getattr(sandbox.far_side, spoil)()
    assert isinstance(await deliver(wecom, "two"), Sent)
    assert await shown(sandbox) == ["one", "two"]
    assert sandbox.ledger().calls == {"gettoken": 2, "message/send": 3}


async def test_a_token_that_is_always_refused_is_not_fetched_in_a_loop(wecom: WeCom, sandbox: WeComSandbox) -> None:
    with sandbox.faulty(errcode=42001):
        verdict = await deliver(wecom)
    assert verdict == Retry("WeCom refuses a new access token (42001)", 5)
    assert sandbox.ledger().calls["gettoken"] == 2


async def test_texts_at_the_same_time_fetch_one_token(wecom: WeCom, sandbox: WeComSandbox) -> None:
    verdicts = await asyncio.gather(*(deliver(wecom, f"text {n}") for n in range(10)))
    assert all(isinstance(verdict, Sent) for verdict in verdicts)
    assert sandbox.ledger().calls["gettoken"] == 1


async def test_a_wrong_secret_asks_once_and_waits(sandbox: WeComSandbox) -> None:
    async for wecom in started({**sandbox.settings(), "secret": "wrong"}):
        verdict = await deliver(wecom)
        assert isinstance(verdict, Retry)
        assert verdict.because.startswith("WeCom refuses the secret (40001)")
        assert verdict.after_s == 600
        assert sandbox.ledger().calls == {"gettoken": 1}


async def test_a_secret_of_another_app_waits_for_a_person(sandbox: WeComSandbox) -> None:
    async for wecom in started({**sandbox.settings(), "agent_id": 7}):
        verdict = await deliver(wecom)
        assert isinstance(verdict, Retry)
        assert "(301002)" in verdict.because


async def test_an_unknown_member_is_unreachable(wecom: WeCom) -> None:
    verdict = await deliver(wecom, to="nobody")
    assert isinstance(verdict, Refused)
    assert verdict.unreachable


@pytest.mark.parametrize("address", ["@all", "WangFang|lisi", ""])
async def test_an_address_of_several_members_is_never_asked_for(
    wecom: WeCom, sandbox: WeComSandbox, address: str
) -> None:
    verdict = await deliver(wecom, to=address)
    assert isinstance(verdict, Refused)
    assert sandbox.ledger().sends == []


async def test_a_busy_platform_is_tried_again(wecom: WeCom, sandbox: WeComSandbox) -> None:
    with sandbox.faulty(errcode=45009):
        assert await deliver(wecom) == Retry("WeCom's limit for this app is reached (45009)", 60)


async def test_without_a_token_for_502_the_text_waits(wecom: WeCom, sandbox: WeComSandbox) -> None:
    with sandbox.faulty(http_502=True):
        assert await deliver(wecom) == Retry("no access token: HTTP 502 instead of WeCom's answer", 5)


async def test_a_refused_connection_is_tried_again() -> None:
    async with WeComSandbox({"WangFang": "王芳"}) as gone:
        settings = gone.settings()
    async for wecom in started(settings):
        verdict = await deliver(wecom)
        assert isinstance(verdict, Retry)
        assert "ConnectError" in verdict.because


async def test_a_platform_that_dies_between_token_and_text_is_tried_again() -> None:
    async with WeComSandbox({"WangFang": "王芳"}) as sandbox:
        connectors = started(sandbox.settings())
        wecom = await anext(connectors)
        await deliver(wecom, "fetches the token")
    assert await deliver(wecom) == Retry("WeCom cannot be reached (ConnectError)", 1)
    assert [wecom async for wecom in connectors] == []


async def test_what_was_accepted_without_an_answer_is_unknown_and_a_repeat_shows_nothing_twice(
    sandbox: WeComSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.2)
    async for wecom in started(sandbox.settings()):
        with sandbox.faulty(no_answer_after_accepting=True):
            assert await deliver(wecom) == Unknown("no answer from WeCom (ReadTimeout)")
        with sandbox.faulty(http_502_after_accepting=True):
            assert await deliver(wecom) == Unknown("WeCom answered HTTP 502")
        assert isinstance(await deliver(wecom), Sent)
    assert len(await shown(sandbox)) == 1
    assert [send.fate for send in sandbox.ledger().sends] == ["shown", "repeated", "repeated"]


async def test_a_repeat_after_the_duplicate_check_would_show_twice(
    wecom: WeCom, sandbox: WeComSandbox, clock: Clock
) -> None:
    """Why `recognises_s` bounds how long an unknown attempt may be repeated."""
    await deliver(wecom)
    clock.now += DUPLICATE_LONGEST_S - 1
    await deliver(wecom)
    assert len(await shown(sandbox)) == 1
    clock.now += 7200
    await deliver(wecom)
    assert len(await shown(sandbox)) == 2


async def test_the_capabilities_keep_below_what_is_dropped_in_silence(wecom: WeCom, sandbox: WeComSandbox) -> None:
    for n in range(PER_MINUTE + 2):
        assert isinstance(await deliver(wecom, f"text {n}"), Sent)
    assert sandbox.ledger().dropped["WangFang"] == 2
    assert wecom.can.per_minute < PER_MINUTE


async def test_the_longest_text_is_shown_whole(wecom: WeCom, sandbox: WeComSandbox) -> None:
    text = "“好”" * 227 + "hello"
    assert len(text.encode()) == wecom.can.max_text
    await deliver(wecom, text)
    assert await shown(sandbox) == [text]


# --- in ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def hub(wecom: WeCom, sandbox: WeComSandbox) -> AsyncIterator[CalledHub]:
    hub = CalledHub(wecom)
    async with serving(hub.app()) as url:
        await sandbox.save(f"{url}/callbacks/wecom/callback")
        yield hub


async def test_what_is_typed_on_the_phone_comes_in(sandbox: WeComSandbox, hub: CalledHub) -> None:
    text = "#12 您好 ]]> <b>&amp;</b>\n第二行"
    typed, told = sandbox.say("wangfang", "text", text)
    assert await told
    assert hub.inbounds == [Inbound("WangFang", typed.msgid, text, 1_764_000_000_000)]


async def test_a_tap_and_a_place_come_in(sandbox: WeComSandbox, hub: CalledHub) -> None:
    sandbox.tap("WangFang", "LIST")
    _, told = sandbox.say("WangFang", "location")
    assert await told
    assert [(inbound.text, inbound.unsupported) for inbound in hub.inbounds] == [("列表", ""), ("", "location")]


async def test_a_refused_callback_comes_again_with_the_same_id(sandbox: WeComSandbox, hub: CalledHub) -> None:
    hub.statuses = [503, 500]
    typed, told = sandbox.say("lisi", "text", "上班")
    assert await told
    assert [inbound.outside_id for inbound in hub.inbounds] == [typed.msgid]
    assert sandbox.ledger().callbacks[-1].statuses == [503, 500, 200]


async def test_the_platform_gives_up_after_three_attempts_and_says_so(sandbox: WeComSandbox, hub: CalledHub) -> None:
    hub.statuses = [503, 503, 503]
    assert await sandbox.say("lisi", "text", "上班")[1] is False
    assert hub.inbounds == []
    assert (await sandbox.chat("lisi", 0, 0, only_app=False)).untold == 1


async def test_duplicate_callbacks_differ_in_all_but_the_message(sandbox: WeComSandbox, hub: CalledHub) -> None:
    with sandbox.faulty(duplicate_callbacks=True):
        await sandbox.say("lisi", "text", "上班")[1]
    assert len(hub.inbounds) == 2
    assert hub.inbounds[0] == hub.inbounds[1]


async def test_callbacks_keep_their_order_unless_told_otherwise(sandbox: WeComSandbox, hub: CalledHub) -> None:
    await asyncio.gather(*(sandbox.say("lisi", "text", str(n))[1] for n in range(20)))
    assert hub.texts == [str(n) for n in range(20)]
    hub.inbounds.clear()
    with sandbox.faulty(reordered_callbacks=True):
        await asyncio.gather(*(sandbox.say("lisi", "text", str(n))[1] for n in range(4)))
    assert sorted(hub.texts) == ["0", "1", "2", "3"]
    assert hub.texts != ["0", "1", "2", "3"]


async def test_the_console_refuses_a_url_whose_hub_has_another_token(sandbox: WeComSandbox) -> None:
    async for other in started({**sandbox.settings(), "token": "another"}):
        async with serving(CalledHub(other).app()) as url:
            with pytest.raises(CheckFailed, match="HTTP 403"):
                await sandbox.save(f"{url}/callbacks/wecom/callback")


# --- set-up --------------------------------------------------------------------------------------------------------

SETTINGS = {"corp_id": "ww_corp", "agent_id": 1, "secret": "hush-secret", "token": "hush-token", "aes_key": "h" * 43}


def test_the_real_address_is_the_default() -> None:
    assert WeComSettings(**SETTINGS).base_url == "https://qyapi.weixin.qq.com"
    assert CONNECTOR.Settings is WeComSettings


@pytest.mark.parametrize(
    "wrong",
    [{"aes_key": "x" * 42}, {"aes_key": "x" * 42 + "="}, {"base_url": "qyapi.weixin.qq.com"}, {"corpid": "x"}],
)
def test_a_wrong_setting_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError) as raised:
        WeComSettings(**{**SETTINGS, **wrong})
    assert [error["loc"] for error in raised.value.errors()] == [tuple(wrong)]


async def test_no_secret_is_shown_anywhere(sandbox: WeComSandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")  # whatever level the hub has given it
    settings = WeComSettings(**{**SETTINGS, "base_url": sandbox.url})
    wecom = WeCom(settings)
    await wecom.start(Surroundings(SharedTokens(), ""))
    verdict = await deliver(wecom)
    await wecom.stop()
    said = json.dumps([repr(settings), repr(wecom), repr(wecom.settings), repr(verdict), caplog.text])
    assert "gettoken" in said
    for hidden in ("hush", "h" * 43):
        assert hidden not in said
