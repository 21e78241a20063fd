"""The stand-in refuses what the real WeCom refuses, drops what it drops, and cuts what it cuts."""

import json
from typing import Any

import pytest

from connectors.wecom.far_side import BAD_SECRETS, BAN_S, PER_HOUR, PER_MINUTE, TOKEN_S, Account, FarSide

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
