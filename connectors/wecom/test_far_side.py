"""The stand-in refuses what the real WeCom refuses, drops what it drops, and cuts what it cuts."""

import hashlib
import json
from typing import Any

import pytest

from connectors.wecom.far_side import (
    BAD_SECRETS,
    BAN_S,
    PER_HOUR,
    PER_MINUTE,
    TOKEN_S,
    Account,
    FarSide,
    ShownFile,
    refusal,
)
from connectors.wecom.far_side_media import MEDIA_S, Media

ACCOUNT = Account()
NOON = 1_764_000_000.0


@pytest.fixture
def wecom() -> FarSide:
    return FarSide(ACCOUNT, {"WangFang": "王芳", "lisi": "李四"}, first_id=0)


def token(wecom: FarSide, now: float = NOON) -> str:
    return str(wecom.get_token(ACCOUNT.corp_id, ACCOUNT.secret, now)["access_token"])


def body(text: str = "在吗", **fields: Any) -> bytes:
    request = {"touser": "WangFang", "msgtype": "text", "agentid": ACCOUNT.agent_id, "text": {"content": text}}
    return json.dumps({**request, **fields}).encode()


def send(wecom: FarSide, content: bytes, now: float = NOON) -> dict[str, object]:
    return wecom.send(token(wecom, now), content, now)


def shown(wecom: FarSide, user: str = "wangfang") -> list[str]:
    return [bubble.text for bubble in wecom.phones[user].chat]


@pytest.mark.parametrize(
    ("corp_id", "secret", "errcode"),
    [("", "x", 41002), (ACCOUNT.corp_id, "", 41004), ("ww0", ACCOUNT.secret, 40013), (ACCOUNT.corp_id, "x", 40001)],
)
def test_a_token_is_refused(wecom: FarSide, corp_id: str, secret: str, errcode: int) -> None:
    assert wecom.get_token(corp_id, secret, NOON)["errcode"] == errcode


def test_a_token_is_the_same_until_it_ends(wecom: FarSide) -> None:
    first = token(wecom)
    assert token(wecom, NOON + TOKEN_S - 1) == first
    assert token(wecom, NOON + TOKEN_S) != first
    assert wecom.send(first, body(), NOON + TOKEN_S)["errcode"] == 42001


def test_repeated_wrong_secrets_ban_even_the_right_one_for_an_hour(wecom: FarSide) -> None:
    for _ in range(BAD_SECRETS):
        assert wecom.get_token(ACCOUNT.corp_id, "guess", NOON)["errcode"] == 40001
    assert wecom.get_token(ACCOUNT.corp_id, ACCOUNT.secret, NOON + BAN_S - 1)["errcode"] == 45009
    assert wecom.get_token(ACCOUNT.corp_id, ACCOUNT.secret, NOON + BAN_S)["errcode"] == 0


def test_a_token_counts_in_the_query_only(wecom: FarSide) -> None:
    assert wecom.send("", body(access_token=token(wecom)), NOON)["errcode"] == 41001


@pytest.mark.parametrize(
    ("content", "errcode"),
    [
        (b"not json", 40035),
        ("{'x'}".encode("utf-16"), 40035),
        (body(msgtype="markdown"), 40008),
        (body(agentid=7), 301002),
        (body(agentid=None), 40056),
        (body(touser=""), 82001),
        (body(""), 44004),
        (body(touser="nobody|NoOne"), 81013),
    ],
)
def test_a_text_is_refused(wecom: FarSide, content: bytes, errcode: int) -> None:
    assert send(wecom, content)["errcode"] == errcode
    assert wecom.sends == []


def test_unknown_members_are_named_in_lower_case_and_the_others_get_it(wecom: FarSide) -> None:
    answer = send(wecom, body(touser="wangfang|NoBody"))
    assert (answer["errcode"], answer["invaliduser"]) == (0, "nobody")
    assert shown(wecom) == ["在吗"]


def test_to_all_means_all(wecom: FarSide) -> None:
    send(wecom, body(touser="@all"))
    assert shown(wecom) == shown(wecom, "lisi") == ["在吗"]


def test_a_long_text_is_cut_between_characters(wecom: FarSide) -> None:
    send(wecom, body("好" * 1000))
    assert shown(wecom) == ["好" * 682]


def test_above_thirty_a_minute_texts_are_accepted_and_not_shown(wecom: FarSide) -> None:
    for n in range(PER_MINUTE + 1):
        assert send(wecom, body(f"{n}"), NOON + n)["errcode"] == 0
    assert len(shown(wecom)) == PER_MINUTE
    assert wecom.phones["wangfang"].dropped == 1
    assert wecom.sends[-1].fate == "dropped"
    send(wecom, body("later"), NOON + 60)  # the first of the thirty is a minute old
    assert shown(wecom)[-1] == "later"


def test_above_a_thousand_an_hour_texts_are_accepted_and_not_shown(wecom: FarSide) -> None:
    for n in range(PER_HOUR + 1):
        assert send(wecom, body(f"{n}"), NOON + 3 * n)["errcode"] == 0
    assert wecom.phones["wangfang"].dropped == 1
    send(wecom, body("later"), NOON + 3601)
    assert shown(wecom)[-1] == "later"


def test_one_members_limit_is_not_anothers(wecom: FarSide) -> None:
    for n in range(PER_MINUTE + 1):
        send(wecom, body(f"{n}"))
    send(wecom, body(touser="lisi"))
    assert shown(wecom, "lisi") == ["在吗"]


@pytest.mark.parametrize(("asked", "lasts"), [({}, 1800), ({"duplicate_check_interval": 10**6}, 14400)])
def test_the_duplicate_check_lasts(wecom: FarSide, asked: dict[str, Any], lasts: int) -> None:
    content = body(enable_duplicate_check=1, **asked)
    first = send(wecom, content)
    assert send(wecom, content, NOON + lasts - 1)["msgid"] == first["msgid"]
    assert len(shown(wecom)) == 1
    assert send(wecom, content, NOON + lasts)["msgid"] != first["msgid"]
    assert len(shown(wecom)) == 2


def test_without_the_duplicate_check_a_repeat_shows_twice(wecom: FarSide) -> None:
    send(wecom, body())
    send(wecom, body())
    assert shown(wecom) == ["在吗", "在吗"]


# --- files ---------------------------------------------------------------------------------------------------------

PNG, JPG, AMR = b"\x89PNG\r\n\x1a\n1234", b"\xff\xd8\xff\xe01234", b"#!AMR\n1234"
MP4, PDF = b"\x00\x00\x00\x18ftypmp42", b"%PDF-1.7"
MIB = 1 << 20


def upload(wecom: FarSide, kind: str = "image", content: bytes | None = PNG, now: float = NOON) -> dict[str, object]:
    return wecom.upload(token(wecom, now), kind, "照片.png", content, now)


def file_body(kind: str, media_id: object, **fields: Any) -> bytes:
    shown: dict[str, Any] = {kind: {"media_id": media_id}}
    return body(msgtype=kind, **shown, **fields)


@pytest.mark.parametrize(
    ("kind", "content", "errcode"),
    [
        ("image", PNG, 0),
        ("image", JPG, 0),
        ("voice", AMR, 0),
        ("video", MP4, 0),
        ("file", PDF, 0),
        ("file", PNG, 0),
        ("picture", PNG, 40004),
        ("", PNG, 40004),
        ("image", PDF, 40005),
        ("voice", PNG, 40005),
        ("video", AMR, 40005),
        ("file", b"12345", 40006),
        ("image", PNG.ljust(10 * MIB), 0),
        ("image", PNG.ljust(10 * MIB + 1), 40006),
        ("voice", AMR.ljust(2 * MIB + 1), 40006),
        ("video", MP4.ljust(10 * MIB + 1), 40006),
        ("file", PDF.ljust(20 * MIB), 0),
        ("file", PDF.ljust(20 * MIB + 1), 40006),
        ("image", None, 41005),
    ],
)
def test_an_upload_is_answered(wecom: FarSide, kind: str, content: bytes | None, errcode: int) -> None:
    assert upload(wecom, kind, content)["errcode"] == errcode


def test_an_upload_needs_a_token(wecom: FarSide) -> None:
    assert wecom.upload("", "image", "x.png", PNG, NOON)["errcode"] == 41001
    assert wecom.download("made-up", "x", NOON) == refusal(40014)


def test_equal_files_have_different_ids(wecom: FarSide) -> None:
    assert upload(wecom)["media_id"] != upload(wecom)["media_id"]


def test_a_file_is_kept_for_three_days(wecom: FarSide) -> None:
    media_id = str(upload(wecom)["media_id"])
    late = NOON + MEDIA_S
    found = wecom.download(token(wecom, late - 1), media_id, late - 1)
    assert isinstance(found, Media)
    assert (found.content, found.name, found.type) == (PNG, "照片.png", "image/png")
    assert wecom.download(token(wecom, late), media_id, late) == refusal(40007)
    assert send(wecom, file_body("image", media_id), late)["errcode"] == 40007
    assert wecom.download(token(wecom), "", NOON) == refusal(41006)


def test_what_the_phone_shows_of_a_file_stays_when_wecom_keeps_it_no_more(wecom: FarSide) -> None:
    send(wecom, file_body("image", upload(wecom)["media_id"]))
    (bubble,) = wecom.phones["wangfang"].chat
    assert bubble.file == ShownFile("image", "照片.png", len(PNG), hashlib.sha256(PNG).hexdigest())
    assert (bubble.side, bubble.text) == ("app", "")
    assert wecom.phones["wangfang"].files[1].content == PNG
    assert wecom.sends[0].file == bubble.file


@pytest.mark.parametrize("kind", ["voice", "file"])
def test_a_file_is_sent_only_as_what_it_was_uploaded_as(wecom: FarSide, kind: str) -> None:
    assert send(wecom, file_body(kind, upload(wecom)["media_id"]))["errcode"] == 40007
    assert send(wecom, file_body(kind, "made-up"))["errcode"] == 40007


def test_the_duplicate_check_knows_a_file_by_its_media_id(wecom: FarSide) -> None:
    first, second = (str(upload(wecom)["media_id"]) for _ in range(2))
    for media_id in (first, first, second):
        send(wecom, file_body("image", media_id, enable_duplicate_check=1))
    assert [sent.fate for sent in wecom.sends] == ["shown", "repeated", "shown"]
