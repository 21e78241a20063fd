"""The head of a mail: fields, parameters, addresses, ids, dates; as they are written, not as they should be."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.headers import MAX_ID, Address, Headers, addresses, message_ids, parameters, sent_at, split_head


def head(text: bytes) -> Headers:
    return Headers(text, max_bytes=1000)


def test_fields_are_unfolded_and_found_whatever_their_case() -> None:
    headers = head(b"SUBJECT: a\r\n\tb\r\n c\nto : x\r\nTO: y\r\n")
    assert headers.text("subject") == "a b c"
    assert headers.all("to") == [b"x", b"y"]
    assert (headers.raw("to"), headers.raw("cc"), headers.all("cc")) == (b"x", b"", [])


def test_lines_that_are_no_fields_are_passed_over() -> None:
    headers = head(b"From someone@example.com Sat May  4\r\n: x\r\nno colon\r\nA: b\r\n")
    assert (len(headers), headers.text("a")) == (1, "b")


def test_a_head_that_is_too_long_is_cut_and_says_so() -> None:
    assert head(b"A: " + b"x" * 1000).cut_after == 1000
    assert head(b"A: x").cut_after == 0


@pytest.mark.parametrize(
    ("data", "subject", "body"),
    [
        (b"Subject: a\r\n\r\nbody", "a", b"body"),
        (b"Subject: a\n\nbody\n\nmore", "a", b"body\n\nmore"),
        (b"\r\nbody", "", b"body"),
        (b"\nbody", "", b"body"),
        (b"Subject: a", "a", b""),
        (b"Subject: a\r\n \r\nX: y\r\n\r\nbody", "a", b"body"),  # a blank that was folded
    ],
)
def test_the_body_begins_behind_the_first_empty_line(data: bytes, subject: str, body: bytes) -> None:
    headers, start = split_head(b"junk" + data, 4, len(data) + 4, 1000)
    assert (headers.text("subject"), data[start - 4 :]) == (subject, body)


# --- parameters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'attachment; filename="a.pdf"', "a.pdf"),
        (b"attachment; FileName = a b (1).pdf ", "a b (1).pdf"),
        (b'attachment; filename="a\\"b;c.pdf"', 'a"b;c.pdf'),
        (b"attachment; filename=a(1;2).pdf", "a(1;2).pdf"),
        ('attachment; filename="报告.pdf"'.encode("gbk"), "报告.pdf"),
        ('attachment; filename="报告.pdf"'.encode(), "报告.pdf"),
        (b'attachment; filename="=?gb2312?B?sai45g==?=.pdf"', "报告.pdf"),
        (b"attachment; filename==?utf-8?B?5L2g?= =?utf-8?B?5aW9?=.pdf", "你好.pdf"),
        (b"attachment; filename*=UTF-8''%E4%BD%A0.pdf", "你.pdf"),
        (b"attachment; filename*=gb18030'zh'%C4%E3.pdf", "你.pdf"),
        (b"attachment; filename*=\"utf-8''%E4%BD%A0.pdf\"", "你.pdf"),
        (b"attachment; filename*=%E4%BD%A0.pdf", "你.pdf"),
        (b"attachment; filename*0*=UTF-8''%E4%B; filename*1*=D%A0.p; filename*2=df", "你.pdf"),
        (b"attachment; filename*1*=%A0.pdf; filename*0*=UTF-8''%E4%BD", "你.pdf"),
        (b"attachment; filename*0=a; filename*1=%20b", "a%20b"),
        (b"attachment; filename=\"a\"; filename*=UTF-8''%E4%BD%A0", "你"),
        (b"attachment; filename*=UTF-8''%E4%BD%A0; filename=a", "你"),
        (b"attachment; filename*", None),
        (b"attachment; =x; ;;", None),
        (b'attachment; filename="never closed', "never closed"),
        (b"attachment; filename", None),
    ],
)
def test_a_file_name_is_found_however_it_is_written(raw: bytes, name: str | None) -> None:
    value, params = parameters(raw)
    assert (value, params.get("filename")) == ("attachment", name)


def test_the_value_is_in_lower_case_and_its_parameters_are_as_written() -> None:
    assert parameters(b'Text/PLAIN ; Charset="GB2312"; format=Flowed') == (
        "text/plain",
        {"charset": "GB2312", "format": "Flowed"},
    )
    assert parameters(b"") == ("", {})


# --- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"a@example.com", [Address("a@example.com")]),
        (b"<a@example.com>", [Address("a@example.com")]),
        (
            b"Zhang San <a@example.com>, b@example.com",
            [Address("a@example.com", "Zhang San"), Address("b@example.com")],
        ),
        (b'"Zhang, San" <a@example.com>', [Address("a@example.com", "Zhang, San")]),
        (b'"say \\"hi\\"" <a@example.com>', [Address("a@example.com", 'say "hi"')]),
        (b"a@example.com (Zhang San)", [Address("a@example.com", "Zhang San")]),
        (b'"=?gb2312?B?1cXI/Q==?=" <a@example.cn>', [Address("a@example.cn", "张三")]),
        (b"=?utf-8?Q?Zhang,_San?= <a@example.cn>", [Address("a@example.cn", "Zhang, San")]),
        ("张三 <a@example.cn>".encode("gbk"), [Address("a@example.cn", "张三")]),
        ("张三 <a@example.cn>".encode(), [Address("a@example.cn", "张三")]),
        (b"x <y <a@example.com>>", [Address("a@example.com", "x <y")]),
        (b"Team: a@example.com, b@example.com;", [Address("a@example.com"), Address("b@example.com")]),
        (b"a@example.com; b@example.com", [Address("a@example.com"), Address("b@example.com")]),
        (b"<mailto:a@example.com>", [Address("a@example.com")]),
        (b'"unclosed <a@example.com>, b@example.com', [Address("a@example.com", "unclosed"), Address("b@example.com")]),
        (b'"a b"@example.com', [Address('"a b"@example.com')]),
        (b"<a@example.com", [Address("a@example.com")]),
        (b"<", [Address("", "<")]),
        (b"(c):", [Address("", "(c):")]),
        (b"<>", [Address("", "<>")]),
        (b"<a b@example.com>", [Address("", "<a b@example.com>")]),
        (b"<evil@example.com\r\nBcc: x@example.com>", [Address("", "<evil@example.com Bcc: x@example.com>")]),
        (b" , ;", []),
        (b"", []),
    ],
)
def test_addresses_are_found_however_they_are_written(raw: bytes, found: list[Address]) -> None:
    assert list(addresses([raw])) == found


@given(st.lists(st.sampled_from([*'"\\()<>,;:@=?aB. ', "=?utf-8?q?", "?="]), max_size=60))
def test_no_field_is_too_strange(pieces: list[str]) -> None:
    raw = "".join(pieces).encode()
    assert all("\n" not in one.address for one in addresses([raw]))
    parameters(raw)
    message_ids(raw)


@pytest.mark.parametrize(
    "piece", [b'"\\', b'"', b"(", b"(\\", b'("', b"=?", b"=?a?q?", b',"', b";a*0=", b"<", b"a@", b"a"]
)
def test_a_long_field_costs_no_more_than_its_length(piece: bytes) -> None:
    raw = piece * (256_000 // len(piece))  # by the square it would take minutes
    addresses([raw])
    parameters(raw)
    message_ids(raw)


# --- ids and dates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        (b"<a@b>", ("<a@b>",)),
        (b"<a@b> <c@d>\t<e@f>", ("<a@b>", "<c@d>", "<e@f>")),
        (b"<a@b><c@d>", ("<a@b>", "<c@d>")),
        (b"<[8f2d@c]@microsoft.com>", ("<[8f2d@c]@microsoft.com>",)),
        (b"<long-\r\n id@b>", ("<long-id@b>",)),
        (b"<no-at-sign>", ("<no-at-sign>",)),
        (b"a@b, c@d", ("<a@b>", "<c@d>")),
        (b'"Your message of Saturday" <a@b>', ("<a@b>",)),
        (b"<>", ()),
        (b"< >", ()),
        (b"words only", ()),
        (b"<" + b"x" * MAX_ID + b">", ()),
        (b"", ()),
    ],
)
def test_message_ids_are_found_whole(raw: bytes, ids: tuple[str, ...]) -> None:
    assert message_ids(raw) == ids


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        (b"Sat, 4 May 2024 21:10:00 +0800", (2024, 5, 4, 13, 10)),
        (b"Sat, 4 May 2024 21:10:00 +0800 (CST)", (2024, 5, 4, 13, 10)),
        (b"4 May 2024 21:10 -0000", (2024, 5, 4, 21, 10)),
        (b"4 May 24 21:10:00 GMT", (2024, 5, 4, 21, 10)),
        (b"yesterday", None),
        (b"1 Jan 0001 00:00:00 +2359", (2000, 12, 31, 0, 1)),
        (b"99 Xyz 99999 99:99:99 +9999", None),
        (b"", None),
    ],
)
def test_a_date_is_aware_and_in_utc_or_none(raw: bytes, moment: tuple[int, int, int, int, int] | None) -> None:
    assert sent_at(raw) == (moment and datetime.datetime(*moment, tzinfo=datetime.UTC))


@given(st.text(alphabet="MonJanSat,0123456789:+- ()\n", max_size=60))
def test_any_date_is_a_moment_or_none(text: str) -> None:
    moment = sent_at(text.encode())
    assert moment is None or moment.tzinfo is datetime.UTC
