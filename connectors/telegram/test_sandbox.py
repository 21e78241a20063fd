"""The stand-in as a bot sees it: what the Bot API takes, and what it refuses, in its own words."""

import json
from typing import Any

import httpx
import pytest

from connectors.telegram.conftest import ANNA, ZHANG, Bot, Clock
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.sandbox_files import MOST_PHOTO, MOST_UPLOAD, PATH_S
from connectors.telegram.sandbox_limits import BURST, IN_ALL, IN_GROUP

BUTTONS = {"inline_keyboard": [[{"text": "好", "callback_data": "yes"}, {"text": "?", "url": "https://example.com"}]]}


def texts(telegram: TelegramSandbox, chat: int = ZHANG) -> list[str]:
    """What the bot said in a chat, as it stands there now."""
    return [shown.text for shown in telegram.shown(chat) if shown.side == "bot"]


# --- requests --------------------------------------------------------------------------------------------------------


async def test_a_method_is_called_in_every_way_that_the_documentation_names(
    telegram: TelegramSandbox, http: httpx.AsyncClient, bot: Bot
) -> None:
    telegram.say(ZHANG, "/start")
    url, args = f"{bot.path}/sendMessage", {"chat_id": str(ZHANG), "reply_markup": json.dumps(BUTTONS)}
    await http.get(url, params=args | {"text": "1 + 1"})
    await http.post(url, params=args | {"text": "2"})
    await http.post(url, data=args | {"text": "三 & 3"})
    await http.post(url, files={name: (None, value) for name, value in (args | {"text": "007"}).items()})
    await http.post(f"{bot.path}/SENDMESSAGE", json={"chat_id": ZHANG, "text": "5", "reply_markup": BUTTONS})
    assert texts(telegram) == ["1 + 1", "2", "三 & 3", "007", "5"]
    assert {str(shown.buttons) for shown in telegram.shown(ZHANG)[1:]} == {str(BUTTONS["inline_keyboard"])}


@pytest.mark.parametrize(
    ("path", "status", "description"),
    [
        ("/bot7000000000:wrong/getMe", 401, "Unauthorized"),
        ("/botwrong/getMe", 401, "Unauthorized: invalid token specified"),
        ("/bot{token}/getMoon", 404, "Not Found: method not found"),
        ("/no{token}/getMe", 404, "Not Found"),
        ("/file/bot{token}/photos/file_1.jpg", 404, "Not Found"),
    ],
)
async def test_a_wrong_address_is_refused(
    telegram: TelegramSandbox, http: httpx.AsyncClient, path: str, status: int, description: str
) -> None:
    answer = await http.get(path.replace("{token}", telegram.account.token))
    assert answer.status_code == status
    assert answer.json() == {"ok": False, "error_code": status, "description": description}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"text": "\\ud83d"}', b"\xff"])
async def test_what_is_no_json_object_is_a_bad_request(http: httpx.AsyncClient, bot: Bot, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await http.post(f"{bot.path}/sendMessage", content=body, headers=headers)
    assert (answer.status_code, answer.json()["ok"]) == (400, False)


async def test_a_bot_knows_itself(telegram: TelegramSandbox, bot: Bot) -> None:
    me = await bot.call("getMe")
    assert (me["id"], me["is_bot"], me["username"]) == (telegram.account.id, True, telegram.account.username)


# --- texts -----------------------------------------------------------------------------------------------------------


async def test_a_repeated_text_is_there_twice(telegram: TelegramSandbox, bot: Bot) -> None:
    telegram.say(ZHANG, "在吗")
    first, second = [await bot.call("sendMessage", chat_id=ZHANG, text=" 您好 ") for _ in range(2)]
    assert (first["text"], first["from"]["is_bot"], first["chat"]["id"]) == ("您好", True, ZHANG)
    assert second["message_id"] > first["message_id"]
    assert texts(telegram) == ["您好", "您好"]
    assert len(telegram.ledger().sends) == 2


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"text": ""}, "message text is empty"),
        ({}, "message text is empty"),
        ({"text": " \n"}, "text must be non-empty"),
        ({"text": "长" * 4097}, "message is too long"),
        ({"text": "😀" * 2049}, "message is too long"),
        ({"text": "长" * 12_000}, "text is too long"),
        ({"text": "x", "chat_id": ""}, "chat_id is empty"),
        ({"text": "x", "chat_id": 5}, "chat not found"),
        ({"text": "x", "chat_id": "@kefu"}, "chat not found"),
        ({"text": "x", "chat_id": "9" * 5000}, "chat not found"),
        ({"text": "x", "entities": [7]}, "can't parse MessageEntity"),
        ({"text": "x", "message_thread_id": 9}, "message thread not found"),
        ({"text": "x", "reply_parameters": {"message_id": 9}}, "message to be replied not found"),
        ({"text": "x", "reply_parameters": {"chat_id": 9}}, 'can\'t find field "message_id"'),
        ({"text": "x", "reply_parameters": "{"}, "can't parse reply parameters JSON object"),
        ({"text": "x", "reply_markup": "x"}, "can't parse reply keyboard markup JSON object"),
        ({"text": "x", "reply_markup": {"keyboard": ["a"]}}, 'field "keyboard" must be an Array of Arrays'),
        (
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a"}]]}},
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "好" * 22}]]}},
            "BUTTON_DATA_INVALID",
        ),
        ({"text": "<i>x", "parse_mode": "HTML"}, "can't parse entities: Can't find end tag corresponding to start tag"),
        ({"text": "好<h1>x", "parse_mode": "HTML"}, 'entities: Unsupported start tag "h1" at byte offset 3'),
        ({"text": "x", "parse_mode": "LaTeX"}, "unsupported parse_mode"),
    ],
)
async def test_a_text_is_refused_in_telegrams_words(
    telegram: TelegramSandbox, bot: Bot, args: dict[str, Any], why: str
) -> None:
    telegram.say(ZHANG, "在吗")
    code, description = await bot.refused("sendMessage", **{"chat_id": ZHANG, **args})
    assert (code, description[:13]) == (400, "Bad Request: ")
    assert why in description
    assert texts(telegram) == []


async def test_a_text_is_measured_after_its_entities_are_read(telegram: TelegramSandbox, bot: Bot) -> None:
    telegram.say(ZHANG, "在吗")
    longest = "😀" * 2047 + "&amp;x"
    sent = await bot.call("sendMessage", chat_id=ZHANG, text=f"<b>{longest}</b>", parse_mode="HTML")
    assert sent["text"] == "😀" * 2047 + "&x"
    assert sent["entities"] == [{"type": "bold", "offset": 0, "length": 4096}]


async def test_a_reply_stands_below_what_it_replies_to(telegram: TelegramSandbox, bot: Bot) -> None:
    asked = telegram.say(ZHANG, "几点？")
    sent = await bot.call("sendMessage", chat_id=ZHANG, text="九点", reply_parameters={"message_id": asked})
    assert sent["reply_to_message"]["text"] == "几点？"
    lenient = {"message_id": 9, "allow_sending_without_reply": True}
    assert "reply_to_message" not in await bot.call("sendMessage", chat_id=ZHANG, text="十点", reply_parameters=lenient)


# --- who may be written to -------------------------------------------------------------------------------------------


async def test_a_bot_writes_to_nobody_who_has_not_started_it(telegram: TelegramSandbox, bot: Bot) -> None:
    assert await bot.refused("sendMessage", chat_id=ANNA, text="x") == (400, "Bad Request: chat not found")
    telegram.group("花店", [ZHANG, ANNA])
    assert await bot.refused("sendMessage", chat_id=ANNA, text="x") == (
        403, "Forbidden: bot can't initiate conversation with a user",
    )  # fmt: skip


async def test_who_blocks_the_bot_hears_no_more_until_they_write_again(telegram: TelegramSandbox, bot: Bot) -> None:
    telegram.say(ZHANG, "在吗")
    telegram.block(ZHANG)
    assert await bot.refused("sendMessage", chat_id=ZHANG, text="x") == (403, "Forbidden: bot was blocked by the user")
    telegram.say(ZHANG, "我回来了")
    await bot.call("sendMessage", chat_id=ZHANG, text="好")
    blocked = (await bot.call("getUpdates"))[1]["my_chat_member"]["new_chat_member"]
    assert (blocked["user"]["id"], blocked["status"], blocked["until_date"]) == (telegram.account.id, "kicked", 0)


async def test_a_group_that_becomes_a_supergroup_has_another_id(
    telegram: TelegramSandbox, http: httpx.AsyncClient, bot: Bot
) -> None:
    old = telegram.group("花店", [ZHANG])
    await bot.call("sendMessage", chat_id=old, text="1")
    new = telegram.upgrade(ZHANG, old)
    answer = (await http.post(f"{bot.path}/sendMessage", json={"chat_id": old, "text": "2"})).json()
    assert answer["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
    assert answer["parameters"] == {"migrate_to_chat_id": new}
    await bot.call("sendMessage", chat_id=new, text="2")
    assert str(new).startswith("-100")
    telegram.kick(ZHANG, new)
    code, why = await bot.refused("sendMessage", chat_id=new, text="3")
    assert (code, why) == (403, "Forbidden: bot was kicked from the supergroup chat")


async def test_message_ids_of_two_supergroups_may_be_the_same(telegram: TelegramSandbox, bot: Bot) -> None:
    first, second = telegram.group("一", [ZHANG], supergroup=True), telegram.group("二", [ZHANG], supergroup=True)
    assert telegram.say(ZHANG, "a", chat=first) == telegram.say(ZHANG, "b", chat=second)
    assert telegram.say(ZHANG, "c") != telegram.say(ANNA, "d")


async def test_a_forum_has_topics(telegram: TelegramSandbox, bot: Bot) -> None:
    forum = telegram.group("客服", [ZHANG], forum=True)
    topic = telegram.topic(ZHANG, forum, "订单 1234")
    sent = await bot.call("sendMessage", chat_id=forum, text="在", message_thread_id=topic)
    assert (sent["message_thread_id"], sent["is_topic_message"], sent["chat"]["is_forum"]) == (topic, True, True)
    telegram.say(ZHANG, "好", chat=forum, thread=topic)
    update = (await bot.call("getUpdates", offset=-1))[0]
    assert update["message"]["message_thread_id"] == topic
    for thread, why in ((1, "message thread not found"), (topic + 99, "message thread not found")):
        assert (await bot.refused("sendMessage", chat_id=forum, text="x", message_thread_id=thread))[1].endswith(why)
    telegram.close_topic(ZHANG, forum, topic)
    assert (await bot.refused("sendMessage", chat_id=forum, text="x", message_thread_id=topic))[1].endswith("CLOSED")


# --- how much --------------------------------------------------------------------------------------------------------


async def test_a_chat_takes_a_burst_and_then_one_a_second(
    telegram: TelegramSandbox, http: httpx.AsyncClient, bot: Bot, clock: Clock
) -> None:
    telegram.say(ZHANG, "在吗")
    for n in range(BURST):
        await bot.call("sendMessage", chat_id=ZHANG, text=str(n))
    answer = await http.post(f"{bot.path}/sendMessage", json={"chat_id": ZHANG, "text": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["description"] == "Too Many Requests: retry after 1"
    assert answer.json()["parameters"] == {"retry_after": 1}
    clock.now += 1
    await bot.call("sendMessage", chat_id=ZHANG, text="x")
    clock.now -= 3600  # a clock that is set back keeps nobody waiting for an hour
    await bot.call("sendMessage", chat_id=ZHANG, text="y")


async def test_a_group_takes_so_many_a_minute(telegram: TelegramSandbox, bot: Bot, clock: Clock) -> None:
    group = telegram.group("花店", [ZHANG])
    for n in range(IN_GROUP):
        await bot.call("sendMessage", chat_id=group, text=str(n))
        clock.now += 1
    assert (await bot.refused("sendMessage", chat_id=group, text="x"))[1] == "Too Many Requests: retry after 40"
    clock.now += 40
    await bot.call("sendMessage", chat_id=group, text="x")


async def test_all_chats_together_take_so_many_a_second(clock: Clock) -> None:
    people = dict.fromkeys(range(700000100, 700000100 + IN_ALL + 1), "P")
    async with (
        TelegramSandbox(people, now=clock) as telegram,
        httpx.AsyncClient(base_url=telegram.url, trust_env=False) as http,
    ):
        bot = Bot(http, telegram.account.token)
        for person in people:
            telegram.say(person, "在吗")
        *first, last = people
        for person in first:
            await bot.call("sendMessage", chat_id=person, text="x")
        assert (await bot.refused("sendMessage", chat_id=last, text="x"))[0] == 429


# --- changing what was said ------------------------------------------------------------------------------------------


async def test_a_bot_changes_and_deletes_what_it_said(telegram: TelegramSandbox, bot: Bot, clock: Clock) -> None:
    asked = telegram.say(ZHANG, "在吗")
    sent = (await bot.call("sendMessage", chat_id=ZHANG, text="在", reply_markup=BUTTONS))["message_id"]
    same = {"chat_id": ZHANG, "message_id": sent, "text": "在", "reply_markup": BUTTONS}
    assert "message is not modified" in (await bot.refused("editMessageText", **same))[1]
    clock.now += 5
    edited = await bot.call("editMessageText", chat_id=ZHANG, message_id=sent, text="在的")
    assert edited["edit_date"] == edited["date"] + 5
    assert "reply_markup" not in edited
    assert [(shown.text, shown.edited) for shown in telegram.shown(ZHANG)] == [("在吗", False), ("在的", True)]
    keys = {"keyboard": [["九点"]]}
    offered = (await bot.call("sendMessage", chat_id=ZHANG, text="几点？", reply_markup=keys))["message_id"]
    for id_ in (asked, offered):
        assert "can't be edited" in (await bot.refused("editMessageText", chat_id=ZHANG, message_id=id_, text="x"))[1]
    assert "not found" in (await bot.refused("editMessageText", chat_id=ZHANG, message_id=9, text="x"))[1]
    assert await bot.call("deleteMessage", chat_id=ZHANG, message_id=sent) is True
    assert texts(telegram) == ["几点？"]
    assert (await bot.refused("deleteMessage", chat_id=ZHANG, message_id=sent))[1].endswith("to delete not found")
    clock.now += 49 * 3600
    assert "for everyone" in (await bot.refused("deleteMessage", chat_id=ZHANG, message_id=asked))[1]


async def test_a_button_is_pressed_and_answered(telegram: TelegramSandbox, bot: Bot) -> None:
    telegram.say(ZHANG, "在吗")
    sent = (await bot.call("sendMessage", chat_id=ZHANG, text="几点？", reply_markup=BUTTONS))["message_id"]
    pressed = telegram.press(ZHANG, sent, "yes")
    query = (await bot.call("getUpdates", offset=-1))[0]["callback_query"]
    assert (query["id"], query["data"], query["from"]["id"]) == (pressed, "yes", ZHANG)
    assert query["message"]["message_id"] == sent
    assert await bot.call("answerCallbackQuery", callback_query_id=pressed, text="好的") is True
    assert telegram.api.presses[pressed].notice == "好的"
    assert "query ID is invalid" in (await bot.refused("answerCallbackQuery", callback_query_id="9"))[1]
    with pytest.raises(KeyError):
        telegram.press(ZHANG, sent, "no")


async def test_the_bot_seems_to_type(telegram: TelegramSandbox, bot: Bot) -> None:
    telegram.say(ZHANG, "在吗")
    assert await bot.call("sendChatAction", chat_id=ZHANG, action="typing") is True
    wrong = await bot.refused("sendChatAction", chat_id=ZHANG, action="thinking")
    assert wrong == (400, "Bad Request: wrong parameter action in request")


# --- files -----------------------------------------------------------------------------------------------------------


async def test_a_file_is_sent_as_a_part_by_its_id_and_from_a_url(
    telegram: TelegramSandbox, http: httpx.AsyncClient, bot: Bot
) -> None:
    telegram.say(ZHANG, "发我合同")
    url, args = f"{bot.path}/sendDocument", {"chat_id": str(ZHANG), "caption": "合同"}
    part = ("合同.pdf", b"%PDF", "application/pdf")
    sent = (await http.post(url, data=args, files={"document": part})).json()["result"]
    assert (sent["document"]["file_name"], sent["document"]["mime_type"]) == ("合同.pdf", "application/pdf")
    assert (sent["document"]["file_size"], sent["caption"]) == (4, "合同")
    unknown = ("合同.pdf", b"%PDF", "application/octet-stream")
    attached = await http.post(url, data=args | {"document": "attach://a"}, files={"a": unknown})
    assert attached.json()["result"]["document"]["mime_type"] == "application/pdf"
    assert attached.json()["result"]["document"]["file_unique_id"] == sent["document"]["file_unique_id"]
    again = await bot.call("sendDocument", chat_id=ZHANG, document=sent["document"]["file_id"])
    assert again["document"] == sent["document"]
    loopback = f"{telegram.url}/phone.css"
    fetched = await bot.call("sendDocument", chat_id=ZHANG, document=loopback)
    assert (fetched["document"]["file_name"], fetched["document"]["mime_type"]) == ("phone.css", "text/css")
    assert [shown.file for shown in telegram.shown(ZHANG)[1:]] == ["合同.pdf"] * 3 + ["phone.css"]


@pytest.mark.parametrize(
    ("method", "args", "why"),
    [
        ("sendDocument", {}, "there is no document in the request"),
        ("sendPhoto", {"photo": "nonsense"}, "wrong file identifier/HTTP URL specified"),
        ("sendPhoto", {"photo": "{url}/phone.css"}, "wrong type of the web page content"),
        ("sendDocument", {"document": "{url}/"}, "wrong type of the web page content"),
        ("sendDocument", {"document": "{url}/people/1/chat"}, "failed to get HTTP URL content"),
        ("sendDocument", {"document": "http://192.0.2.1/a.pdf"}, "failed to get HTTP URL content"),
        ("sendDocument", {"document": "x", "caption": "长" * 1025}, "message caption is too long"),
    ],
)
async def test_a_file_is_refused_in_telegrams_words(
    telegram: TelegramSandbox, bot: Bot, method: str, args: dict[str, str], why: str
) -> None:
    telegram.say(ZHANG, "在吗")
    given = {name: value.replace("{url}", telegram.url) for name, value in args.items()}
    assert await bot.refused(method, chat_id=ZHANG, **given) == (400, f"Bad Request: {why}")


async def test_a_file_that_is_too_large_is_not_sent(
    telegram: TelegramSandbox, http: httpx.AsyncClient, bot: Bot
) -> None:
    telegram.say(ZHANG, "在吗")
    data = {"chat_id": str(ZHANG)}
    for size, status, why in (
        (0, 400, "Bad Request: file must be non-empty"),
        (MOST_PHOTO + 1, 400, f"Bad Request: file of size {MOST_PHOTO + 1} bytes is too big for a photo; "
                              f"the maximum size is {MOST_PHOTO} bytes"),
        (MOST_UPLOAD + 1, 413, "Request Entity Too Large"),
        (MOST_UPLOAD + (2 << 20), 413, "Request Entity Too Large"),
    ):  # fmt: skip
        answer = await http.post(f"{bot.path}/sendPhoto", data=data, files={"photo": ("a.jpg", bytes(size))})
        assert (answer.status_code, answer.json()["description"]) == (status, why)
    assert texts(telegram) == []


async def test_a_bot_fetches_what_people_send_for_an_hour(
    telegram: TelegramSandbox, http: httpx.AsyncClient, bot: Bot, clock: Clock
) -> None:
    telegram.send_file(ZHANG, "document", b"%PDF", "发票.pdf", type="application/pdf", caption="发票")
    message = (await bot.call("getUpdates"))[0]["message"]
    assert (message["caption"], message["document"]["file_name"]) == ("发票", "发票.pdf")
    found = await bot.call("getFile", file_id=message["document"]["file_id"])
    path = f"/file{bot.path}/{found['file_path']}"
    assert (await http.get(path)).content == b"%PDF"
    assert (await http.get(path.replace(telegram.account.token, "7000000000:wrong"))).status_code == 404
    clock.now += PATH_S + 1
    assert (await http.get(path)).status_code == 404
    await bot.call("getFile", file_id=message["document"]["file_id"])
    assert (await http.get(path)).content == b"%PDF"


async def test_a_bot_fetches_nothing_that_is_too_large_or_was_never_sent(telegram: TelegramSandbox, bot: Bot) -> None:
    telegram.send_file(ZHANG, "video", bytes((20 << 20) + 1), "a.mp4")
    video = (await bot.call("getUpdates"))[0]["message"]["video"]
    for file_id, why in (
        (video["file_id"], "file is too big"),
        ("x", "invalid file_id"),
        ("", "file_id not specified"),
    ):
        assert await bot.refused("getFile", file_id=file_id) == (400, f"Bad Request: {why}")
