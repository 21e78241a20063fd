"""A platform's JSON to values, deliveries to JSON, signatures, and every answer to a verdict."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.webhook import codec
from connectors.webhook.settings import In, Out
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

NOW_MS = 1_777_900_260_000
SECRET = "0123456789abcdef"
SAMPLES = sorted(Path(__file__).parent.glob("samples/*.json"))


def incoming(**more: Any) -> In:
    return In.model_validate({"secret": SECRET, "identity": "user", "outside_id": "id", "text": "text", **more})


def outgoing(**more: Any) -> Out:
    return Out.model_validate(
        {"secret": SECRET, "url": "https://shop.example.com/replies", "body": {"to": "address"}, **more}
    )


def raw(body: bytes, settings: In, at_s: int = NOW_MS // 1000, headers: Mapping[str, str] | None = None) -> Raw:
    """A request as the platform would sign it at `at_s`; `headers` come instead."""
    signed = {name.lower(): value for name, value in codec.sign(body, settings, at_s).items()}
    return Raw("POST", {}, signed | dict(headers or {}), body, NOW_MS)


# --- messages in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_becomes_what_stands_beside_it(sample: Path) -> None:
    said = json.loads(sample.read_text("utf-8"))
    settings = In.model_validate({"secret": SECRET, **said["in"]})
    body = said["came"].encode() if isinstance(said["came"], str) else json.dumps(said["came"]).encode()
    inbounds = [Inbound(**inbound | {"files": files(inbound)}) for inbound in said["becomes"].get("inbounds", [])]
    parsed = codec.parse(raw(body, settings), settings)
    assert parsed == Parsed(inbounds=parsed.inbounds, unparsed=said["becomes"].get("unparsed", ""))
    assert list(parsed.inbounds) == inbounds


def files(inbound: dict[str, Any]) -> tuple[File, ...]:
    found = inbound.get("files", [])
    return tuple(File(**file | ({"content": file["content"].encode()} if "content" in file else {})) for file in found)


def test_the_samples_cover_readable_unreadable_and_mixed_input() -> None:
    becomes = [json.loads(path.read_text("utf-8"))["becomes"] for path in SAMPLES]
    assert {tuple(sorted(each)) for each in becomes} == {("inbounds",), ("unparsed",), ("inbounds", "unparsed"), ()}


def test_a_request_with_too_many_messages_is_refused_and_kept() -> None:
    settings = incoming()
    body = json.dumps([{"user": "u", "id": n, "text": "x"} for n in range(codec.MOST_MESSAGES + 1)]).encode()
    parsed = codec.parse(raw(body, settings), settings)
    assert (parsed.answer.status, list(parsed.inbounds)) == (413, [])
    assert parsed.unparsed == parsed.answer.body == "501 messages exceed the limit of 500 in one request"


def test_faults_without_end_are_counted() -> None:
    settings = incoming()
    parsed = codec.parse(raw(b"[" + b"{}," * 29 + b"{}]", settings), settings)
    assert parsed.unparsed.count("in.identity gives nothing") == codec.MOST_FAULTS
    assert parsed.unparsed.endswith("; and 10 more")


def test_a_file_in_no_list_is_the_only_one() -> None:
    settings = incoming(files="pic.{name: n, base64: b}")
    parsed = codec.parse(raw(b'{"user": "u", "id": "1", "pic": {"n": "a", "b": "aGk="}}', settings), settings)
    assert parsed.inbounds[0].files == (File("a", content=b"hi"),)


def test_nesting_without_end_is_unreadable() -> None:
    settings = incoming()
    parsed = codec.parse(raw(b"[" * 100_000, settings), settings)
    assert parsed.unparsed.startswith("the request cannot be read: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.sampled_from(["user", "id", "text", "at", "f", "x"]), below),
)


@given(JSON)
def test_any_json_gives_messages_or_a_reason(document: object) -> None:
    settings = incoming(sent_at="at", sent_at_unit="iso8601", files="f", name="x[0].x || x", edits="sort(x)[0]")
    parsed = codec.parse(raw(json.dumps(document).encode(), settings), settings)
    assert parsed.unparsed or parsed.inbounds or document == []
    for inbound in parsed.inbounds:
        assert inbound.identity
        assert inbound.outside_id


@given(st.binary(), st.dictionaries(st.sampled_from(["x-signature", "x-time"]), st.text()))
def test_any_request_without_the_signature_is_forbidden(body: bytes, headers: dict[str, str]) -> None:
    settings = incoming(signature={"timestamp_header": "X-Time"})
    with pytest.raises(Forbidden):
        codec.check_signature(Raw("POST", {}, headers, body, NOW_MS), settings)


# --- signatures ----------------------------------------------------------------------------------------------------

BODY = b'{"user": "u", "id": "1", "text": "hello"}'
TIMED = {"timestamp_header": "X-Time", "tolerance_s": 60}


@pytest.mark.parametrize(
    ("signature", "content", "name", "value"),
    [
        ({}, BODY, "X-Signature", "{hex}"),
        ({"encoding": "base64", "header": "X-Shop-Hmac"}, BODY, "X-Shop-Hmac", "{base64}"),
        ({"prefix": "sha256="}, BODY, "X-Signature", "sha256={hex}"),
        (TIMED, b"1777900260." + BODY, "X-Signature", "{hex}"),
    ],
)
def test_a_signature_is_what_its_settings_say(signature: dict[str, Any], content: bytes, name: str, value: str) -> None:
    digest = hmac.new(SECRET.encode(), content, hashlib.sha256).digest()
    right = value.format(hex=digest.hex(), base64=base64.b64encode(digest).decode())
    headers = codec.sign(BODY, incoming(signature=signature), 1_777_900_260)
    assert headers == {name: right} | ({"X-Time": "1777900260"} if signature is TIMED else {})


def test_the_signature_of_rfc_4231_test_case_2() -> None:
    settings = In.model_validate({"secret": "Jefe" + "\0" * 4, "identity": "a", "outside_id": "a", "text": "a"})
    # a key shorter than the block is padded with zeros: "Jefe" is the same key
    assert codec.sign(b"what do ya want for nothing?", settings, 0) == {
        "X-Signature": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    }


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"x-signature": ""}, "the request has no header X-Signature"),
        ({"x-time": ""}, "the request has no header X-Time"),
        ({"x-signature": "0" * 64}, "the signature in X-Signature is not that of channels.webhook.in.secret"),
        ({"x-signature": "é"}, "the signature in X-Signature is not that of channels.webhook.in.secret"),
        ({"x-time": "1777900259"}, "the signature in X-Signature is not that of channels.webhook.in.secret"),
        ({"x-time": "1777900260000"}, "X-Time is not in seconds since 1970"),
        ({"x-time": "-5"}, "X-Time is not in seconds since 1970"),
        ({"x-time": "١"}, "X-Time is not in seconds since 1970"),
    ],
)
def test_a_request_that_proves_nothing_is_forbidden(headers: dict[str, str], said: str) -> None:
    settings = incoming(signature=TIMED)
    codec.check_signature(raw(BODY, settings), settings)
    with pytest.raises(Forbidden) as refused:
        codec.check_signature(raw(BODY, settings, headers=headers), settings)
    assert str(refused.value) == said
    assert SECRET not in said


@pytest.mark.parametrize(("off_s", "taken"), [(-61, False), (-60, True), (60, True), (61, False)])
def test_a_replay_outside_the_tolerance_is_forbidden(off_s: int, taken: bool) -> None:
    settings = incoming(signature=TIMED)
    request = raw(BODY, settings, at_s=NOW_MS // 1000 + off_s)
    if taken:
        codec.check_signature(request, settings)
    else:
        with pytest.raises(Forbidden, match="X-Time is more than 60 s from the hub's clock"):
            codec.check_signature(request, settings)


# --- deliveries out ------------------------------------------------------------------------------------------------


def read() -> AsyncIterator[bytes]:
    raise AssertionError("a body names files, it holds none")


DELIVERY = Delivery(
    "u1", "您好", "c:1", "c", 1, 2, 3, [Enclosed("a.png", "image/png", 5, "https://hub.example.com/files/x", read)],
    ("yes", "no"), "王芳", thread="8812", title="Order", in_reply_to="m-9",
)  # fmt: skip


def test_a_body_holds_what_its_expressions_find() -> None:
    body = {
        "to": "{id: address}", "text": "join(': ', [by, text])", "key": "key", "all": "[conversation, number, part]",
        "of": "parts", "robot": "automatic", "buttons": "choices[].{label: @}", "pics": "files[?type=='image/png'].url",
        "file": "files[0]", "re": "in_reply_to", "thread": "[thread, title]", "kind": "'reply'", "nothing": "no.such",
    }  # fmt: skip
    assert json.loads(codec.compose(DELIVERY, outgoing(body=body))) == {
        "to": {"id": "u1"}, "text": "王芳: 您好", "key": "c:1", "all": ["c", 1, 2], "of": 3, "robot": False,
        "buttons": [{"label": "yes"}, {"label": "no"}], "pics": ["https://hub.example.com/files/x"],
        "file": {"name": "a.png", "type": "image/png", "size": 5, "url": "https://hub.example.com/files/x"},
        "re": "m-9", "thread": ["8812", "Order"], "kind": "reply", "nothing": None,
    }  # fmt: skip


def test_a_repeat_has_the_same_bytes() -> None:
    out = outgoing(body={"b": "text", "a": "address"})
    assert codec.compose(DELIVERY, out) == codec.compose(DELIVERY, out) == '{"b":"您好","a":"u1"}'.encode()


def test_an_expression_that_fails_is_named() -> None:
    with pytest.raises(ValueError, match=r"^out.body.x: In function length\(\), invalid type for value: 1"):
        codec.compose(DELIVERY, outgoing(body={"x": "length(number)"}))


MAPPED = {"receipt": "data.id", "error": "errcode != `0` && errmsg", "recognises_s": 3600}
LONG = b"x" * 300


@pytest.mark.parametrize(
    ("status", "headers", "body", "more", "expected"),
    [
        # taken
        (200, {}, b'{"data": {"id": 17}, "errcode": 0, "errmsg": "ok"}', MAPPED, Sent("17")),
        (202, {}, b"", MAPPED, Sent()),
        (204, {}, b"", {}, Sent()),
        (200, {}, b"OK", {"receipt": "id"}, Sent()),
        (200, {}, b'{"id": [1]}', {"receipt": "id"}, Sent()),
        (200, {}, b'{"id": "r"}', {"receipt": "length(`1`)"}, Sent()),
        # refused with 200
        (200, {}, b'{"errcode": 45015, "errmsg": "48\\nhours"}', MAPPED, Refused("48 hours")),
        (200, {}, b'{"error": {"code": 7}}', {"error": "error"}, Refused('{"code":7}')),
        (200, {}, b'{"error": 7}', {"error": "error"}, Refused("7")),
        *((200, {}, b'{"error": %s}' % empty, {"error": "error"}, Sent())
          for empty in (b"null", b"0", b'""', b"[]", b"{}", b"false")),
        (200, {}, b"<html>", {"error": "error"},
         Unknown("whether it was refused cannot be told: JSON is malformed: invalid character (byte 0)")),
        # not now
        (429, {"retry-after": "7"}, b"slow down", {}, Retry("HTTP 429: slow down", 7, everyone=True)),
        (429, {"retry-after": "86400"}, b"", {}, Retry("HTTP 429", 600, everyone=True)),
        (429, {"retry-after": "9" * 400}, b"", {}, Retry("HTTP 429", 600, everyone=True)),
        (429, {"retry-after": "0"}, b"", {}, Retry("HTTP 429", 1, everyone=True)),
        (503, {"retry-after": "Mon, 04 May 2026 13:11:30 GMT"}, b"", {}, Retry("HTTP 503", 30, everyone=True)),
        (503, {"retry-after": "Mon, 04 May 2026 13:10:00 GMT"}, b"", {}, Retry("HTTP 503", 1, everyone=True)),
        (503, {"retry-after": "soon"}, b"", {}, Retry("HTTP 503", 5, everyone=True)),
        (408, {}, b"", {}, Retry("HTTP 408", 5)),
        (425, {}, b"", {}, Retry("HTTP 425", 5)),
        (401, {}, b"bad signature", {}, Retry(
            "HTTP 401: bad signature (check channels.webhook.out: secret, signature, headers)", 60, everyone=True)),
        # nobody knows
        *((status, {}, b"oops", {}, Unknown(f"HTTP {status}: oops")) for status in (500, 502, 504, 520)),
        (409, {}, b"at work", MAPPED, Unknown("HTTP 409: at work")),
        # never
        (409, {}, b"closed", {}, Refused("HTTP 409: closed")),
        (404, {}, b"no such user", {}, Refused("HTTP 404: no such user", unreachable=True)),
        (410, {}, b"", {}, Refused("HTTP 410", unreachable=True)),
        *((status, {}, b"no\n  way", {}, Refused(f"HTTP {status}: no way")) for status in (400, 403, 413, 422)),
        (413, {}, LONG, {}, Refused("HTTP 413: " + "x" * 200)),
        (400, {}, b"\xff", {}, Refused("HTTP 400: \ufffd")),
        (302, {"location": "https://elsewhere.example"}, b"", {}, Refused(
            "HTTP 302: redirects are not followed, set channels.webhook.out.url to where this one leads")),
    ],
)  # fmt: skip
def test_an_answer_is_a_verdict(
    status: int, headers: dict[str, str], body: bytes, more: dict[str, Any], expected: Verdict
) -> None:
    assert codec.verdict(status, headers, body, outgoing(**more), NOW_MS / 1000) == expected


@given(st.integers(200, 599), st.binary(), st.text())
def test_any_answer_is_a_verdict(status: int, body: bytes, retry_after: str) -> None:
    found = codec.verdict(status, {"retry-after": retry_after}, body, outgoing(**MAPPED), NOW_MS / 1000)
    assert isinstance(found, Sent | Retry | Refused | Unknown)
