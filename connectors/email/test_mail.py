"""Mail as it comes in: what each sample becomes, and that no bytes at all do harm."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.bounces import Bounce
from connectors.email.headers import Address
from connectors.email.mail import Mail, Unreadable, read_mail
from connectors.email.mime import Limits
from connectors.email.threads import Thread, thread_of

SAMPLES = sorted(Path(__file__).parent.glob("samples/*.eml"))
OURS = ["kefu@example.com"]
KEY = b"key of the samples"


def read(data: bytes) -> Mail:
    return read_mail(data, OURS, KEY)


def as_written(mail: Mail, expected: dict[str, Any]) -> dict[str, Any]:
    """What the mail became, in the form in which a sample's JSON says it; html and the reason only where it does."""
    found = {
        "sender": [mail.sender.address, mail.sender.name],
        "subject": mail.subject,
        "visible": mail.visible,
        "quoted": mail.quoted,
        "kind": mail.kind,
        "notes": list(mail.notes),
        "files": [[file.name, file.type, len(file.data), file.inline] for file in mail.files],
    }
    return found | {name: getattr(mail, name) for name in ("html", "because") if name in expected}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_becomes_what_stands_beside_it(sample: Path) -> None:
    expected = json.loads(sample.with_suffix(".json").read_text("utf-8"))
    bounce = expected.pop("bounce", None)
    expected = {"kind": "personal", "notes": [], "files": []} | expected
    mail = read(sample.read_bytes())
    assert as_written(mail, expected) == expected
    assert mail.bounce == (bounce and Bounce(**bounce | {"recipients": tuple(bounce["recipients"])}))


def mail(fields: str, body: bytes = b"x") -> bytes:
    return f"From: a@example.cn\r\nMessage-ID: <1@example.cn>\r\n{fields}\r\n\r\n".encode() + body


def of_parts(kind: str, *parts: str) -> bytes:
    body = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"
    return mail(f"Content-Type: multipart/{kind}; boundary=b", body.encode())


PLAIN, HTML = "Content-Type: text/plain\r\n\r\nplain", "Content-Type: text/html\r\n\r\n<p>page <b>two</b>"
PDF = "Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF"

# --- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text", "page"),
    [
        (of_parts("alternative", PLAIN, HTML), "plain", "<p>page <b>two</b></p>"),
        (of_parts("alternative", "\r\n \r\n", HTML), "page two", "<p>page <b>two</b></p>"),
        (of_parts("mixed", HTML, PLAIN), "page two\nplain", "<p>page <b>two</b></p><pre>plain</pre>"),
        (of_parts("mixed", PLAIN, PDF, "\r\n1 < 2"), "plain\n1 < 2", ""),
        (of_parts("mixed", "\r\n1 < 2", HTML), "1 < 2\npage two", "<pre>1 &lt; 2</pre><p>page <b>two</b></p>"),
        (of_parts("mixed", PDF), "", ""),
        (mail("Content-Type: text/html", b"<p>a"), "a", "<p>a</p>"),
    ],
)
def test_no_text_is_read_twice_and_none_is_left_out(data: bytes, text: str, page: str) -> None:
    assert (read(data).text, read(data).html) == (text, page)


def test_html_may_name_its_charset_itself() -> None:
    page = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=big5"></head>請問'.encode("big5")
    assert read(mail("Content-Type: text/html", page)).text == "請問"


def test_lines_that_were_broken_for_the_way_are_whole_again() -> None:
    body = "一 \r\n二\r\n> 三 \r\n> 四\r\n>> 五 \r\n六\r\n  七 \r\n-- \r\n八".encode()
    flowed = "Content-Type: text/plain; charset=utf-8; format=flowed"
    assert read(mail(flowed, body)).text == "一 二\n> 三 四\n>> 五 \n六\n 七 \n-- \n八"
    assert read(mail(f"{flowed}; DelSp=Yes", body)).text == "一二\n> 三四\n>> 五\n六\n 七\n-- \n八"
    assert read(mail("Content-Type: text/plain; charset=utf-8", body)).text == body.decode().replace("\r", "")


def test_a_header_without_a_charset_is_read_in_that_of_the_body() -> None:
    data = (
        b"From: a@example.com\r\nSubject: "
        + "請問".encode("big5")
        + b"\r\nContent-Type: text/plain; charset=big5\r\n\r\n"
    )
    assert read(data).subject == "請問"


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.pdf", "a.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Users\\\\a.pdf", "a.pdf"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("a\0b\tc.pdf", "ab c.pdf"),
        ("...", "application-1.bin"),
        ("/", "application-1.bin"),
        (".htaccess", "htaccess"),
        ("x" * 500 + ".pdf", "x" * 116 + ".pdf"),
        ("x" * 500, "x" * 120),
        ('a<b>|?*":.pdf', "ab.pdf"),
    ],
)
def test_a_file_name_does_no_harm(name: str, safe: str) -> None:
    escaped = name.replace('"', '\\"')
    data = mail(f'Content-Type: application/x-any; name="{escaped}"')
    assert [file.name for file in read(data).files] == [safe]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("Content-Type: image/jpeg\r\n\r\nx", "image-1.jpg"),
        ("Content-Type: text/calendar\r\n\r\nx", "text-1.ics"),
        ("Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nx", "text-1.txt"),
        ("Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?B?5L2g?=\r\n\r\nx", "你.eml"),
        ("Content-Type: message/rfc822\r\n\r\nx", "message-1.eml"),
        ("Content-Type: x/y\r\n\r\nx", "x-1.bin"),
    ],
)
def test_a_file_without_a_name_is_given_one(part: str, name: str) -> None:
    assert [file.name for file in read(of_parts("mixed", part)).files] == [name]


@pytest.mark.parametrize(
    ("type_", "note"),
    [
        ("application/pkcs7-mime", "the mail is encrypted or sealed (S/MIME): it is there as a file only"),
        ("application/pgp-encrypted", "the mail is encrypted (PGP): it is there as a file only"),
        ("application/ms-tnef", "winmail.dat was not unpacked: Outlook's own format may hold files"),
    ],
)
def test_what_cannot_be_opened_says_so(type_: str, note: str) -> None:
    found = read(of_parts("mixed", f"Content-Type: {type_}\r\n\r\nx"))
    assert found.notes == (note,)
    assert [file.data for file in found.files] == [b"x"]


# --- fields --------------------------------------------------------------------------------------------------------


def test_the_sender_is_the_first_that_has_an_address() -> None:
    assert read(b"From: nobody\r\nSender: b@example.cn\r\n\r\nx").sender.address == "b@example.cn"
    assert read(b"From: nobody, c <c@example.cn>\r\nSender: b@example.cn\r\n\r\nx").sender == Address(
        "c@example.cn", "c"
    )
    assert read(b"From: nobody\r\n\r\nx").sender == Address("", "nobody")
    assert read(b"X: y\r\n\r\nx").sender == Address("")


def test_recipients_are_those_of_all_fields_each_once() -> None:
    data = mail("To: A <A@b.cn>, c@d.cn\r\nCc: a@b.cn\r\nDelivered-To: e@f.cn\r\nX-Original-To: g@h.cn\r\nTo: i@j.cn")
    assert [one.address for one in read(data).recipients] == ["A@b.cn", "c@d.cn", "i@j.cn", "e@f.cn", "g@h.cn"]


def test_a_mail_without_an_id_has_one_made_of_its_bytes() -> None:
    one, other = read(b"From: a@b.cn\r\n\r\none"), read(b"From: a@b.cn\r\n\r\nother")
    assert one.message_id == read(b"From: a@b.cn\r\n\r\none").message_id != other.message_id
    assert one.notes == ("there is no Message-ID: an id was made of its bytes",)


# --- what means harm -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0" * 10, b" \t\n"])
def test_nothing_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable, match=f"a mail of {len(data)} bytes without any text"):
        read(data)


def test_what_has_no_fields_is_text() -> None:
    found = read("退款\r\n\r\n在哪里".encode())
    assert found.text == "退款\n\n在哪里"
    assert found.notes[0] == "there are no fields of a mail: all of it was read as text"


def test_a_mail_that_is_too_large_is_cut_and_keeps_its_own_id() -> None:
    limits = Limits(mail_bytes=1000)
    found, other = (read_mail(b"From: a@b.cn\r\n\r\n" + b"x" * 2000 + end, OURS, KEY, limits) for end in (b"1", b"2"))
    assert len(found.text) < 1000
    assert found.notes[0] == "a mail of 2017 bytes was cut after 1000"
    assert found.message_id != other.message_id


def test_a_hundred_megabytes_are_read_to_the_limit() -> None:
    found = read(mail("Content-Transfer-Encoding: base64\r\nContent-Type: image/png", b"QUJD" * 25_000_000))
    assert found.notes == ("a mail of 100000110 bytes was cut after 50000000",)
    assert len(found.files[0].data) > 37_000_000


def test_long_text_and_long_html_are_cut_over_all_parts_together() -> None:
    limits = Limits(text_chars=100, html_chars=100)
    data = of_parts(
        "mixed",
        *["Content-Type: text/plain\r\n\r\n" + "x" * 60] * 3,
        *["Content-Type: text/html\r\n\r\n" + "y" * 60] * 3,
    )
    found = read_mail(data, OURS, KEY, limits)
    assert (found.text.count("x"), found.text.count("y")) == (100, 100)
    assert found.notes == (
        "the text was cut: it is too long to be read by a person",
        "the HTML was cut: it is too long to be read by a person",
    )


def test_fields_of_ours_cannot_be_brought_in_by_an_encoded_word() -> None:
    found = read(mail("Subject: =?utf-8?B?YQ0KQmNjOiB4QHkuY24=?=\r\nReply-To: =?utf-8?Q?a=0D=0AX:_y?= <b@c.cn>"))
    assert found.subject == "a Bcc: x@y.cn"
    assert found.reply_to == (Address("b@c.cn", "a X: y"),)


PIECES = [
    *(
        b"From: ",
        b"To: ",
        b"Subject: ",
        b"Message-ID: ",
        b"References: ",
        b"Date: ",
        b"Content-ID: <a>",
        b"a@b.cn",
        b"<",
    ),
    *(b"\r\n", b"\n", b"\r\n\r\n", b"\r", b" ", b"\0", b"\xff", b"\xc4\xe3", b'"', b";", b"=?gb2312?B?xOM=?=", b"=?"),
    *(b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: multipart/report; report-type=delivery-status; "),
    *(
        b"Content-Type: text/html",
        b"; charset=utf-7",
        b"; format=flowed",
        b"; name*0*=utf-8''%",
        b"--b",
        b"--b--",
        b"boundary=b",
    ),
    *(
        b"Content-Type: message/delivery-status",
        b"Content-Type: message/rfc822",
        b"Status: 5.1.1",
        b"Auto-Submitted: x",
    ),
    *(b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable", b"QUJD", b"=E4", b"> x"),
    *(b"<div><p>", b"<a href=", b"<script>", b"+2AA-", b"On 1/2 a@b wrote:", b"---\xd4\xad\xca\xbc\xd3\xca\xbc\xfe---"),
]


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=50).map(b"".join)))
def test_any_bytes_are_a_mail_or_unreadable(data: bytes) -> None:
    limits = Limits(parts=10, depth=3, text_chars=1000, html_chars=1000)
    try:
        found = read_mail(data, OURS, KEY, limits)
    except Unreadable:
        assert not data.strip(b"\0 \t\r\n")
        return
    assert repr(found).encode()
    assert len(found.files) <= limits.parts + 1
    assert found.message_id.startswith("<")
    assert thread_of(found, KEY, OURS) != Thread()
    for text in (found.sender.address, found.sender.name, found.subject, found.visible, found.html, *found.notes):
        assert text.encode().decode() == text
        assert "\0" not in text
