"""Kinds of files, the body of an upload, and every answer to an upload or a download."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multipart import MultipartParser  # type: ignore[import-untyped]

from connectors.wecom import codec, media
from hub.contract import Refused, Retry

MIB = 1 << 20


@pytest.mark.parametrize(
    ("type_", "size", "kinds"),
    [
        ("image/png", 10 * MIB, ("image", "file")),
        ("image/jpeg", 10 * MIB + 1, ("file",)),
        ("image/gif", 1000, ("file",)),
        ("audio/amr", 2 * MIB, ("voice", "file")),
        ("audio/amr", 2 * MIB + 1, ("file",)),
        ("audio/mpeg", 1000, ("file",)),
        ("video/mp4", 10 * MIB, ("video", "file")),
        ("video/mp4", 10 * MIB + 1, ("file",)),
        ("application/pdf", 20 * MIB, ("file",)),
    ],
)
def test_a_file_is_offered_as(type_: str, size: int, kinds: tuple[str, ...]) -> None:
    assert media.kinds(type_, size) == kinds


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=80))
def test_any_content_under_any_name_is_one_part_of_the_form(content: bytes, name: str) -> None:
    head, tail = media.frame(name, "image/png", "0123456789abcdef")
    (part,) = MultipartParser(io.BytesIO(head + content + tail), "0123456789abcdef")
    assert (part.name, part.content_type, part.raw) == ("media", "image/png", content)
    assert part.filename == name.replace("%22", '"')  # what both stand for, as browsers write it


def answer(errcode: int, **fields: object) -> bytes:
    return json.dumps({"errcode": errcode, "errmsg": "said, hint: [1], from ip: 10.0.0.1", **fields}).encode()


def test_the_media_id_is_read() -> None:
    # documentation's own sample: created_at is a string
    assert media.parse_upload(200, answer(0, type="file", media_id="1G6nrLmr5EC3", created_at="1380000000")) == (
        "1G6nrLmr5EC3"
    )


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (502, b"", Retry("WeCom answered HTTP 502 to the file", 5)),
        (413, b"", Refused("HTTP 413 instead of WeCom's answer to the file: is there a proxy in between?")),
        (200, b"<html>", Retry("the answer to the file is not WeCom's: is there a proxy in between?", 60)),
        (200, answer(-1), codec.VERDICTS[-1]),
        (200, answer(60020), codec.VERDICTS[60020]),
        (200, answer(40006), Refused("WeCom refused it: said (40006)")),
        (200, answer(60111), Refused("WeCom refused it: said (60111)")),  # no member is at fault
        (200, answer(0), Refused("WeCom refused it: said (0)")),
    ],
)
def test_a_refused_upload_has_sent_nothing(status: int, body: bytes, verdict: Retry | Refused) -> None:
    with pytest.raises(codec.NotSent) as raised:
        media.parse_upload(status, body)
    assert raised.value.verdict == verdict


@given(st.integers(100, 599), st.binary(max_size=200))
def test_rubbish_is_no_media_id(status: int, body: bytes) -> None:
    with pytest.raises(codec.NotSent):
        media.parse_upload(status, body)


@pytest.mark.parametrize(
    ("status", "headers", "is_file"),
    [
        (200, {"content-type": "image/jpeg", "content-disposition": 'attachment; filename="x.jpg"'}, True),
        (200, {"content-type": "application/json", "content-disposition": 'attachment; filename="x.json"'}, True),
        (200, {"content-type": "image/jpeg"}, True),
        (200, {"content-type": "application/json; charset=UTF-8"}, False),
        (200, {"content-type": "text/plain"}, False),
        (502, {"content-type": "image/jpeg"}, False),
    ],
)
def test_an_answer_is_the_file_by_its_headers(status: int, headers: dict[str, str], is_file: bool) -> None:
    assert media.is_file(status, headers) is is_file


def test_why_no_file_was_given_is_said_in_wecoms_words_without_the_callers_address() -> None:
    assert str(media.not_given(200, answer(40007))) == "WeCom refused it: said (40007)"
    assert str(media.not_given(502, b"Bad Gateway")) == "HTTP 502 instead of the file"
