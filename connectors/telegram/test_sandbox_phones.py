"""The phones as robots use them, the faults, and the stand-in as the conformance kit wants it."""

import asyncio
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, post

from connectors.telegram.conftest import ANNA, ZHANG, Bot, Clock
from connectors.telegram.kit import TelegramFarSide
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.sandbox_webhook import HEADER
from hub.kit.serving import serving

YES = {"inline_keyboard": [[{"text": "好", "callback_data": "yes"}]]}
PNG = b"\x89PNG\r\n\x1a\n"


# --- robots ----------------------------------------------------------------------------------------------------------


async def test_a_robot_writes_changes_presses_and_reads(http: httpx.AsyncClient, bot: Bot) -> None:
    me = f"/people/{ZHANG}"
    first = (await http.post(f"{me}/say", json={"text": "在吗"})).json()["message_id"]
    await http.post(f"{me}/edit", json={"message_id": first, "text": "在不在"})
    await http.post(f"{me}/say", json={"kind": "sticker"})
    await http.post(f"{me}/files", params={"name": "花.png"}, content=PNG)
    sent = (await bot.call("sendMessage", chat_id=ZHANG, text="几点？", reply_markup=YES))["message_id"]
    pressed = (await http.post(f"{me}/press", json={"message_id": sent, "data": "yes"})).json()["callback_query_id"]
    await bot.call("answerCallbackQuery", callback_query_id=pressed, text="好的")
    phone = (await http.get(f"{me}/chat")).json()
    assert [(shown["side"], shown["kind"], shown["text"], shown["edited"]) for shown in phone["messages"]] == [
        ("person", "text", "在不在", True), ("person", "sticker", "", False), ("person", "photo", "", False),
        ("bot", "text", "几点？", False),
    ]  # fmt: skip
    assert (phone["notice"], phone["blocked"], phone["name"]) == ("好的", False, "张三")
    picture = await http.get(f"{me}/files/{phone['messages'][2]['n']}")
    assert (picture.content, picture.headers["content-type"]) == (PNG, "image/png")
    ledger = (await http.get("/ledger")).json()
    assert ledger["chats"][str(ZHANG)] == phone["messages"]
    assert [send["text"] for send in ledger["sends"]] == ["几点？"]


async def test_a_robot_is_told_of_each_change_at_once(http: httpx.AsyncClient, bot: Bot) -> None:
    me = f"/people/{ZHANG}"
    sent_first = (await http.post(f"{me}/say", json={"text": "在吗"})).json()
    seen = (await http.get(f"{me}/chat")).json()["version"]
    assert (await http.get(f"{me}/chat", params={"seen": seen, "wait": 0.05})).json()["version"] == seen
    waiting = asyncio.create_task(http.get(f"{me}/chat", params={"seen": seen}))
    await asyncio.sleep(0.1)
    await bot.call("deleteMessage", chat_id=ZHANG, **sent_first)
    assert (await waiting).json()["messages"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"/people/{ZHANG}/say", {"text": " "}, 400),
        ("POST", f"/people/{ZHANG}/say", {"kind": "moon"}, 400),
        ("POST", "/people/5/say", {"text": "x"}, 404),
        ("GET", "/people/5/chat", None, 404),
        ("POST", f"/people/{ZHANG}/edit", {"message_id": 5, "text": "x"}, 404),
        ("POST", f"/people/{ZHANG}/press", {"message_id": 5, "data": "x"}, 404),
        ("GET", f"/people/{ZHANG}/files/5", None, 404),
        ("POST", f"/people/{ZHANG}/files", None, 400),
        ("PATCH", "/faults", {"slower": 1}, 400),
        ("PATCH", "/faults", {"refusal": "no"}, 400),
    ],
)
async def test_a_robots_mistake_is_named(
    http: httpx.AsyncClient, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    answer = await http.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]


async def test_nobody_changes_what_the_bot_said(telegram: TelegramSandbox, bot: Bot) -> None:
    telegram.say(ZHANG, "在吗")
    sent = (await bot.call("sendMessage", chat_id=ZHANG, text="在"))["message_id"]
    with pytest.raises(KeyError):
        telegram.edit(ZHANG, sent, "不在")


# --- faults ----------------------------------------------------------------------------------------------------------


async def test_faults_are_switched_and_put_back(telegram: TelegramSandbox, http: httpx.AsyncClient, bot: Bot) -> None:
    telegram.say(ZHANG, "在吗")
    send = f"{bot.path}/sendMessage"
    with telegram.faulty(status=502):
        assert (await http.get(send)).status_code == 502
    with telegram.faulty(refusal="403 Forbidden: user is deactivated"):
        assert await bot.refused("sendMessage") == (403, "Forbidden: user is deactivated")
    with telegram.faulty(retry_after_s=7):
        assert await bot.refused("sendMessage") == (429, "Too Many Requests: retry after 7")
    assert [shown.side for shown in telegram.shown(ZHANG)] == ["person"]
    with telegram.faulty(status_after_accepting=504):
        assert (await http.get(send, params={"chat_id": ZHANG, "text": "a"})).status_code == 504
    with telegram.faulty(no_answer_after_accepting=True), pytest.raises(httpx.ReadTimeout):
        await http.get(send, params={"chat_id": ZHANG, "text": "b"}, timeout=httpx.Timeout(20, read=1))
    assert [shown.text for shown in telegram.shown(ZHANG)] == ["在吗", "a", "b"]
    with telegram.faulty(updates_status=500, files_status=500):
        assert (await http.get(f"{bot.path}/getUpdates")).status_code == 500
        assert (await http.get(f"/file{bot.path}/photos/file_1.jpg")).status_code == 500
    assert (await http.patch("/faults", json={"slow_s": 20})).json()["slow_s"] == 20
    with pytest.raises(httpx.ReadTimeout):
        await http.get(send, timeout=httpx.Timeout(20, read=0.1))
    for wrong in ({"slow_s": "much"}, {"no": 1}):
        with pytest.raises(ValueError, match=r"slow_s|no fault"), telegram.faulty(**wrong):
            pytest.fail("it began with a wrong fault")
    assert telegram.faults.slow_s == 20


async def test_a_stand_in_stops_while_somebody_waits(clock: Clock) -> None:
    async with (
        TelegramSandbox(now=clock) as telegram,
        httpx.AsyncClient(base_url=telegram.url, trust_env=False) as http,
    ):
        bot = Bot(http, telegram.account.token)
        waiting = [
            asyncio.create_task(http.get(f"{bot.path}/getUpdates", params={"timeout": 50})),
            asyncio.create_task(http.get(f"/people/{ZHANG}/chat", params={"seen": 0})),
        ]
        await bot.call("setWebhook", url="http://127.0.0.1:9/")
        telegram.say(ANNA, "在吗")
        async with asyncio.timeout(10):
            while str(ZHANG) not in telegram._news:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            await telegram.__aexit__(None, None, None)
        assert [(await answer).status_code for answer in waiting] == [409, 200]


async def test_a_taken_port_is_said_and_leaves_nothing_open(telegram: TelegramSandbox) -> None:
    second = TelegramSandbox(port=int(telegram.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        await second.__aenter__()
    assert second._http.is_closed


# --- the conformance kit ---------------------------------------------------------------------------------------------


async def test_the_far_side_says_shows_garbles_and_forges() -> None:
    async with TelegramFarSide() as far, httpx.AsyncClient(base_url=far.url, trust_env=False) as http:
        bot = Bot(http, far.settings(far.url)["token"])
        who = far.people[3]
        far.step(3600)
        far.say(who, "在吗 \ud83d")
        far.say(who, "", far.strange[0])
        await far.garble()
        text, strange, garbled = [update["message"] for update in await bot.call("getUpdates")]
        assert (text["text"], strange["sticker"]["emoji"], garbled["text"]) == ("在吗 ?", "👍", 7)
        answer = await http.post(far.sends, json={"chat_id": who, "text": "在"})
        assert answer.json()["result"]["text"] == "在"
        assert (await http.get(far.brings)).json()["ok"] is True
        assert [(shown.who, shown.text, shown.fresh) for shown in far.shown()] == [(who, "在", True)]


async def test_the_far_side_forges_at_the_address_that_it_was_told() -> None:
    secrets = []

    @post("/")
    async def hook(request: Request[Any, Any, Any]) -> None:
        secrets.append(request.headers.get(HEADER.lower()))

    async with serving(Litestar([hook], openapi_config=None, logging_config=None)) as url, TelegramFarSide() as far:
        await far.join(f"{url}/")
        await far.forge()
    assert secrets == [None, "another"]
