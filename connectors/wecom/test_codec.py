"""Callbacks to values, values to requests, and every answer to a verdict."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.tencent.envelope import Envelope
from connectors.wecom import codec
from hub.contract import (
    Answer,
    Delivery,
    File,
    Forbidden,
    Inbound,
    Parsed,
    Raw,
    Refused,
    Retry,
    Sent,
    Token,
    Unknown,
    Verdict,
)

ENVELOPE = Envelope("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "ww_corp")
SAMPLES = sorted(Path(__file__).parent.glob("samples/*.xml"))


def raw(method: str, query: dict[str, str], body: bytes = b"") -> Raw:
    return Raw(method, query, {}, body, received_at_ms=0)


def callback(plain: str, envelope: Envelope = ENVELOPE) -> Raw:
    sealed = envelope.seal(plain, "1409659813", "1372623149")
    body = f"<xml><Encrypt><![CDATA[{sealed.encrypted}]]></Encrypt></xml>".encode()
    query = {"msg_signature": sealed.signature, "timestamp": "1409659813", "nonce": "1372623149"}
    return raw("POST", query, body)


# --- callbacks in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_becomes_what_stands_beside_it(sample: Path) -> None:
    expected = json.loads(sample.with_suffix(".json").read_text("utf-8"))
    parsed = taken(callback(sample.read_text("utf-8")), ENVELOPE, agent_id=1)
    inbounds = [
        Inbound(**inbound | {"files": tuple(File(**file) for file in inbound.get("files", []))})
        for inbound in expected.get("inbounds", [])
    ]
    assert parsed == Parsed(Answer(200, ""), parsed.inbounds, unparsed=expected.get("unparsed", ""))
    assert list(parsed.inbounds) == inbounds


def checked(request: Raw, envelope: Envelope) -> Parsed:
    codec.verify(request, envelope)
    return codec.parse_check(request, envelope)


def taken(request: Raw, envelope: Envelope, agent_id: int) -> Parsed:
    codec.verify(request, envelope)
    return codec.parse_callback(request, envelope, agent_id)


def test_the_samples_cover_both_readable_and_unreadable_input() -> None:
    kinds = {"unparsed" in json.loads(path.with_suffix(".json").read_text("utf-8")) for path in SAMPLES}
    assert kinds == {True, False}


def test_the_url_check_is_answered_with_the_bare_echo() -> None:
    sealed = ENVELOPE.seal("1616140317555161061", "1", "2")
    query = {"msg_signature": sealed.signature, "timestamp": "1", "nonce": "2", "echostr": sealed.encrypted}
    assert checked(raw("GET", query), ENVELOPE) == Parsed(Answer(200, "1616140317555161061"))


def test_the_url_check_survives_a_plus_that_became_a_space() -> None:
    envelope = Envelope("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7")
    query = {
        "msg_signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
        "timestamp": "1409659589",
        "nonce": "263014780",
        "echostr": "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp 4RPcs8TgAE7OaBO FZXvnaqQ==",
    }
    assert checked(raw("GET", query), envelope).answer.body == "1616140317555161061"


@pytest.mark.parametrize("missing", ["msg_signature", "timestamp", "nonce", "echostr"])
def test_a_url_check_without_a_parameter_is_forbidden(missing: str) -> None:
    query = {"msg_signature": "a", "timestamp": "1", "nonce": "2", "echostr": "b"}
    del query[missing]
    with pytest.raises(Forbidden, match=f"no {missing}"):
        checked(raw("GET", query), ENVELOPE)


TEXT = (
    "<xml><FromUserName>lisi</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>hi</Content>"
    "<MsgId>5</MsgId><AgentID>{}</AgentID></xml>"
)


def test_a_callback_for_another_app_is_forbidden() -> None:
    with pytest.raises(Forbidden, match="for app 2, this is app 1"):
        taken(callback(TEXT.format(2)), ENVELOPE, agent_id=1)


def test_an_unknown_event_of_another_app_is_forbidden_too() -> None:
    event = "<xml><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>x</Event><AgentID>2</AgentID></xml>"
    with pytest.raises(Forbidden, match="for app 2, this is app 1"):
        taken(callback(event), ENVELOPE, agent_id=1)


def test_a_callback_for_another_corp_is_forbidden() -> None:
    other = Envelope("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "ww_other")
    with pytest.raises(Forbidden, match="another corp"):
        taken(callback(TEXT.format(1), other), ENVELOPE, agent_id=1)


def test_a_callback_with_another_token_is_forbidden() -> None:
    other = Envelope("guessed", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "ww_corp")
    with pytest.raises(Forbidden, match="signature"):
        taken(callback(TEXT.format(1), other), ENVELOPE, agent_id=1)


def test_a_genuine_callback_under_another_aes_key_is_kept_as_unparsed() -> None:
    other = Envelope("QDG6eK", "B" * 43, "ww_corp")
    for _ in range(2_000):  # what it is decrypted to is random, and sometimes looks like a text for somebody else
        parsed = taken(callback(TEXT.format(1), other), ENVELOPE, agent_id=1)
        assert parsed.inbounds == ()
        assert "is the EncodingAESKey right?" in parsed.unparsed


def test_two_clicks_in_one_second_on_different_items_are_two_messages() -> None:
    click = (
        "<xml><FromUserName>lisi</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>click</Event>"
        "<EventKey>{}</EventKey><AgentID>1</AgentID></xml>"
    )
    ids = {taken(callback(click.format(k)), ENVELOPE, 1).inbounds[0].outside_id for k in codec.MENU}
    assert len(ids) == len(codec.MENU)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_any_request_is_parsed_or_forbidden(body: bytes, query: str) -> None:
    with pytest.raises(Forbidden):
        taken(raw("POST", dict.fromkeys(("msg_signature", "timestamp", "nonce"), query), body), ENVELOPE, 1)


@given(st.text(max_size=300))
def test_any_genuine_plaintext_is_parsed_or_said_to_be_unparsed(plain: str) -> None:
    parsed = taken(callback(plain), ENVELOPE, 1)
    assert parsed.unparsed.startswith("callback cannot be parsed")


# --- message/send out ----------------------------------------------------------------------------------------------


def test_the_request_is_what_the_documentation_shows() -> None:
    body = codec.compose_text(Delivery("zhangsan", "【#12·57 张三】\n在吗", "k"), agent_id=1)
    assert json.loads(body) == {
        "touser": "zhangsan",
        "msgtype": "text",
        "agentid": 1,
        "text": {"content": "【#12·57 张三】\n在吗"},
        "enable_duplicate_check": 1,
        "duplicate_check_interval": 14400,
    }


def test_a_repeat_has_the_same_bytes() -> None:
    assert len({codec.compose_text(Delivery("zhangsan", "在吗", "k"), 1) for _ in range(3)}) == 1


def test_a_file_is_shown_by_its_media_id() -> None:
    body = codec.compose_file(Delivery("zhangsan", "", "k"), 1, "image", "m1")
    assert json.loads(body) == {
        "touser": "zhangsan",
        "msgtype": "image",
        "agentid": 1,
        "image": {"media_id": "m1"},
        "enable_duplicate_check": 1,
        "duplicate_check_interval": 14400,
    }


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ('<a href="https://evil.example">订单</a>', '(a href="https://evil.example">订单(/a>'),
        ("< A\nhref=x>", "( A\nhref=x>"),
        ("1 <a 2, <abbr>, a<b", "1 (a 2, <abbr>, a<b"),
    ],
)
def test_what_a_visitor_typed_makes_no_link(typed: str, shown: str) -> None:
    content = json.loads(codec.compose_text(Delivery("zhangsan", typed, "k"), 1))["text"]["content"]
    assert content == shown
    assert len(content.encode()) == len(typed.encode())


@pytest.mark.parametrize("address", ["zhangsan", "ZhangSan", "a.b_c-d@corp", "1"])
def test_a_userid_is_one_member(address: str) -> None:
    assert codec.is_member(address)


@pytest.mark.parametrize("address", ["", "@all", "a|b", "a b", "张三", "x" * 65, "a\n"])
def test_what_may_be_more_than_one_member_is_none(address: str) -> None:
    assert not codec.is_member(address)


# --- what the answers mean -----------------------------------------------------------------------------------------


def answer(errcode: int, **fields: object) -> bytes:
    return json.dumps({"errcode": errcode, "errmsg": "said, hint: [1], from ip: 10.0.0.1", **fields}).encode()


RETRIED = {-1: 2, 40014: 5, 42001: 5, 45009: 60, 45033: 5, 45035: 2, 40001: 600, 40013: 600, 40056: 600}
RETRIED |= {48002: 600, 48006: 600, 50003: 600, 60020: 60, 301002: 600}
UNREACHABLE = {40003, 50002, 60011, 60021, 60111, 81013}


def test_every_known_code_is_in_one_of_the_two_lists() -> None:
    assert codec.VERDICTS.keys() == RETRIED.keys() | UNREACHABLE


@pytest.mark.parametrize("errcode", RETRIED)
def test_what_passes_or_can_be_put_right_is_tried_again(errcode: int) -> None:
    verdict = codec.verdict(200, answer(errcode), "zhangsan")
    assert isinstance(verdict, Retry)
    assert verdict.after_s == RETRIED[errcode]
    assert f"({errcode})" in verdict.because


@pytest.mark.parametrize("errcode", UNREACHABLE)
def test_a_member_whom_the_app_cannot_reach_is_unreachable(errcode: int) -> None:
    verdict = codec.verdict(200, answer(errcode), "zhangsan")
    assert isinstance(verdict, Refused)
    assert verdict.unreachable
    assert f"({errcode})" in verdict.because


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, answer(0, msgid="m1"), Sent("m1")),
        (200, answer(0, msgid="m1", invaliduser="lisi|wangwu", surprise=1), Sent("m1")),
        (200, answer(44004), Refused("WeCom refused it: said (44004)")),
        (502, b"", Unknown("WeCom answered HTTP 502")),
        (200, b"<html>sign in", Unknown("the answer is not WeCom's: is there a proxy in between?")),
        (200, b"{}", Unknown("the answer is not WeCom's: is there a proxy in between?")),
        (404, b"", Refused("HTTP 404 instead of WeCom's answer: is channels.wecom.base_url right?")),
    ],
)
def test_an_answer_means(status: int, body: bytes, expected: Verdict) -> None:
    assert codec.verdict(status, body, "zhangsan") == expected


@pytest.mark.parametrize(
    ("body", "gone"), [(answer(40007), True), (answer(0), False), (answer(-1), False), (b"", False)]
)
def test_only_one_answer_says_that_the_file_is_gone(body: bytes, gone: bool) -> None:
    assert codec.is_media_gone(body) is gone


@pytest.mark.parametrize("field", ["invaliduser", "unlicenseduser"])
def test_an_accepted_text_for_an_invalid_member_is_refused_whatever_the_case(field: str) -> None:
    verdict = codec.verdict(200, answer(0, msgid="m1", **{field: "lisi|zhangsan"}), "ZhangSan")
    assert isinstance(verdict, Refused)
    assert verdict.unreachable


def test_a_token_and_its_life_are_read() -> None:
    body = answer(0, access_token="t", expires_in=7200)
    assert codec.parse_token(200, body) == Token("t", 7200)


@pytest.mark.parametrize(
    ("status", "body", "after_s"),
    [(200, answer(40001), 600), (200, answer(60020), 60), (200, answer(50007), 60), (502, b"", 5), (200, b"x", 5)],
)
def test_without_a_token_the_text_waits(status: int, body: bytes, after_s: float) -> None:
    with pytest.raises(codec.NotSent) as raised:
        codec.parse_token(status, body)
    assert isinstance(raised.value.verdict, Retry)
    assert raised.value.verdict.after_s == after_s


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_has_a_verdict_and_rubbish_is_never_sent(status: int, body: bytes) -> None:
    assert not isinstance(codec.verdict(status, body, "zhangsan"), Sent)
