"""Telegram's bytes and what they become; deliveries and the calls they make; answers and the verdicts on them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.telegram import codec
from hub.contract import (
    Delivery,
    Enclosed,
    File,
    Forbidden,
    Inbound,
    Parsed,
    Raw,
    Refused,
    Retry,
    Sent,
    Unknown,
    Verdict,
)

BOT, NOW_MS = "7000000000", 1_764_000_099_000
SAMPLES = sorted(Path(__file__).parent.glob("samples/*.json"))


# --- updates in ------------------------------------------------------------------------------------------------------


def parse(update: Any) -> Parsed:
    return codec.parse(json.dumps(update).encode(), NOW_MS, BOT)


def inbound(fields: dict[str, Any]) -> Inbound:
    return Inbound(**fields | {"files": [File(**file) for file in fields.get("files", [])]})


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_an_update_becomes_what_stands_beside_it(sample: Path) -> None:
    said = json.loads(sample.read_text("utf-8"))
    becomes = said["becomes"]
    parsed = parse(said["came"])
    assert parsed.left_out.startswith(becomes.get("left_out", ""))
    assert bool(parsed.left_out) == ("left_out" in becomes)
    assert parsed.unparsed.startswith(becomes.get("unparsed", ""))
    assert bool(parsed.unparsed) == ("unparsed" in becomes)
    found = [Inbound(**vars(one) | {"files": list(one.files)}) for one in parsed.inbounds]
    assert found == ([inbound(becomes["inbound"])] if "inbound" in becomes else [])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b"9" * 50_000, b'{"update_id": 1}', b"\xff"])
def test_what_is_no_update_is_kept(body: bytes) -> None:
    assert codec.parse(body, NOW_MS, BOT).unparsed


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 1e300, "", "x", [], {}, [{}], [None], {"id": 1}, {"type": "private"}, [[{}]]]
)
FIELDS = ["chat", "from", "date", "text", "photo", "document", "sticker", "dice", "venue", "reply_markup", "message"]
KINDS = ["message", "edited_message", "callback_query", "my_chat_member"]


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.sampled_from(KINDS))
def test_whatever_an_update_holds_it_is_read_or_kept(fields: dict[str, Any], kind: str) -> None:
    message = {"message_id": 1, "from": {"id": 1}, "chat": {"id": 1, "type": "private"}, "date": 1, "edit_date": 1}
    parsed = parse({"update_id": 1, kind: message | {"id": "1", "message": message} | fields})
    assert isinstance(parsed, Parsed)


def test_an_edit_is_another_message_each_time_and_the_same_when_it_is_told_again() -> None:
    said = json.loads((Path(__file__).parent / "samples" / "edited_text.json").read_text("utf-8"))["came"]
    first, again, second = (parse(said | {"update_id": id_}).inbounds[0] for id_ in (1, 1, 2))
    assert first == again
    assert first.outside_id != second.outside_id
    assert first.edits == second.edits


@pytest.mark.parametrize("headers", [{}, {codec.SECRET: ""}, {codec.SECRET: "another"}, {codec.SECRET: "é"}])
def test_who_does_not_know_the_secret_is_not_telegram(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        codec.verify(Raw("POST", {}, headers, b"{}", 0), codec.secret_of(b"k" * 32))


def test_the_secret_is_made_of_the_channels_key_and_telegram_takes_it() -> None:
    secret = codec.secret_of(b"k" * 32)
    codec.verify(Raw("POST", {}, {codec.SECRET: secret}, b"{}", 0), secret)
    assert secret != codec.secret_of(b"l" * 32)
    assert secret.isascii()
    assert secret.isalnum()
    assert len(secret) <= 256


# --- calls out -------------------------------------------------------------------------------------------------------


async def nothing() -> AsyncIterator[bytes]:
    yield b""


def enclosed(type_: str, size: int) -> Enclosed:
    return Enclosed("a", type_, size, "https://hub.example/a", nothing)


def test_a_text_goes_without_markup_and_without_previews() -> None:
    call = codec.compose(Delivery("700000001", "<b>您好</b>", "c:1", in_reply_to="700000001.41"))
    no_preview = {"is_disabled": True}
    text = {"chat_id": "700000001", "text": "<b>您好</b>", "link_preview_options": no_preview}
    assert call == codec.Call("sendMessage", text)


def test_what_was_asked_in_a_topic_is_answered_there() -> None:
    assert codec.compose(Delivery("1", "好", "c:1", thread="12")).arguments["message_thread_id"] == "12"
    file = enclosed("text/plain", 1)
    assert codec.compose(Delivery("1", "", "c:1", files=[file], thread="12")).arguments["message_thread_id"] == "12"


def test_answers_to_pick_are_keys_that_go_away_when_one_is_pressed() -> None:
    markup = codec.compose(Delivery("1", "哪一个？", "c:1", choices=["退款", "换货"])).arguments["reply_markup"]
    assert markup["keyboard"] == [[{"text": "退款"}], [{"text": "换货"}]]
    assert markup["one_time_keyboard"]


@pytest.mark.parametrize(
    ("type_", "size", "method", "part"),
    [
        ("image/jpeg", codec.PHOTO_BYTES, "sendPhoto", "photo"),
        ("image/jpeg", codec.PHOTO_BYTES + 1, "sendDocument", "document"),
        ("image/gif", 1, "sendDocument", "document"),
        ("application/pdf", 1, "sendDocument", "document"),
    ],
)
def test_a_picture_that_fits_is_shown_and_all_else_is_a_document(type_: str, size: int, method: str, part: str) -> None:
    file = enclosed(type_, size)
    assert codec.compose(Delivery("1", "", "c:1", files=[file])) == codec.Call(method, {"chat_id": "1"}, part, file)


def told(code: int, description: str, **parameters: int) -> bytes:
    return json.dumps({"ok": False, "error_code": code, "description": description, "parameters": parameters}).encode()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"ok": true, "result": {"message_id": 17}}', Sent("17")),
        (200, b'{"ok": true, "result": true}', Unknown("Telegram does not say which message it became")),
        (200, b"<html>", Unknown("HTTP 200, and the answer is not Telegram's")),
        (403, b"<html>", Unknown("HTTP 403, and the answer is not Telegram's")),
        (502, told(502, "Bad Gateway"), Unknown("HTTP 502, and the answer is not Telegram's")),
        (
            429, told(429, "Too Many Requests: retry after 7", retry_after=7),
            Retry("too many messages for Telegram (Too Many Requests: retry after 7)", 7),
        ),
        (
            403, told(403, "Forbidden: bot was blocked by the user"),
            Refused("they cannot be reached on Telegram: Forbidden: bot was blocked by the user", unreachable=True),
        ),
        (
            400, told(400, "Bad Request: chat not found"),
            Refused("they cannot be reached on Telegram: Bad Request: chat not found", unreachable=True),
        ),
        (
            400, told(400, "Bad Request: message is too long"),
            Refused("Telegram refused it: Bad Request: message is too long (400)"),
        ),
        (413, told(413, "Request Entity Too Large"), Refused("Telegram refused it: Request Entity Too Large (413)")),
    ],
)  # fmt: skip
def test_an_answer_is_a_verdict(status: int, body: bytes, expected: Verdict) -> None:
    assert codec.verdict(status, body) == expected


def test_a_correction_and_a_recall_name_the_message() -> None:
    corrected = codec.compose(Delivery("1", "更正", "c:1", replaces="17"))
    assert corrected.method == "editMessageText"
    assert (corrected.arguments["message_id"], corrected.arguments["text"]) == ("17", "更正")
    assert corrected.arguments["link_preview_options"] == {"is_disabled": True}
    recalled = codec.compose(Delivery("1", "", "c:1", replaces="17"))
    assert recalled == codec.Call("deleteMessage", {"chat_id": "1", "message_id": "17"})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"ok": true, "result": {"message_id": 17}}', Sent("17")),
        (200, b'{"ok": true, "result": true}', Sent("17")),
        (400, told(400, "Bad Request: message is not modified: it is the same"), Sent("17")),
        (400, told(400, "Bad Request: message to delete not found"), Sent("17")),
        (
            400, told(400, "Bad Request: message to edit not found"),
            Refused("Telegram refused it: Bad Request: message to edit not found (400)"),
        ),
    ],
)  # fmt: skip
def test_a_change_that_was_made_before_is_made(status: int, body: bytes, expected: Verdict) -> None:
    assert codec.verdict(status, body, "17") == expected


@pytest.mark.parametrize("status", [401, 404])
def test_with_a_wrong_token_everything_waits_and_the_cure_is_named(status: int) -> None:
    verdict = codec.verdict(status, told(status, "Unauthorized"))
    assert isinstance(verdict, Retry)
    assert (verdict.everyone, verdict.after_s) == (True, codec.TOKEN_S)
    assert "channels.telegram.token" in verdict.because


def test_a_refusal_is_as_short_as_people_read() -> None:
    verdict = codec.verdict(400, told(400, "x" * 10_000))
    assert isinstance(verdict, Refused)
    assert len(verdict.because) < 300


@pytest.mark.parametrize(
    ("status", "body", "because"),
    [
        (409, told(409, "Conflict: terminated by other getUpdates request"), "mode to webhook"),
        (401, told(401, "Unauthorized"), "channels.telegram.token"),
        (500, told(500, "Internal Server Error"), "the answer is not Telegram's (HTTP 500)"),
        (200, b'{"ok": true, "result": [7]}', "not as documented"),
    ],
)
def test_what_was_not_given_is_told_with_its_cure(status: int, body: bytes, because: str) -> None:
    with pytest.raises(codec.NotGiven) as raised:
        codec.result(status, body, list[dict[str, Any]])
    assert because in str(raised.value)
    assert raised.value.status == status
