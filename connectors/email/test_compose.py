"""Our own mail: that everybody can read it, and that nobody can put anything into its head."""

import datetime
import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.compose import Attachment, base_subject, compose, is_address, reply_subject
from connectors.email.headers import Address
from connectors.email.mail import Mail, read_mail

NOON = datetime.datetime(2026, 5, 4, 12, 0, tzinfo=datetime.UTC)
TO = Address("zhangsan@example.cn", "张三")


def composed(**arguments: Any) -> bytes:
    usual: dict[str, Any] = {
        "sender": Address("kefu@example.com", "客服"),
        "to": [TO],
        "subject": "Re: 退款",
        "text": "您好",
        "date": NOON,
        "message_id": "<c7-k3v9.1.aaaaaaaaaaaaaaaa@example.com>",
    }
    return compose(**usual | arguments)


def read_by_us(data: bytes) -> Mail:
    return read_mail(data, [], b"another key")


def read_by_python(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def head(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[0]


def test_a_mail_says_what_it_was_made_of() -> None:
    mail = read_by_us(
        composed(
            reply_to="kefu+c7-k3v9.bbbbbbbbbbbbbbbb@example.com",
            in_reply_to="<a@b>",
            references=["<root@b>", "<a@b>"],
        )
    )
    assert mail.sender == Address("kefu@example.com", "客服")
    assert mail.recipients == (TO,)
    assert (mail.subject, mail.text, mail.sent_at) == ("Re: 退款", "您好", NOON)
    assert mail.message_id == "<c7-k3v9.1.aaaaaaaaaaaaaaaa@example.com>"
    assert mail.reply_to == (Address("kefu+c7-k3v9.bbbbbbbbbbbbbbbb@example.com"),)
    assert (mail.in_reply_to, mail.references) == (("<a@b>",), ("<root@b>", "<a@b>"))
    assert (mail.kind, mail.notes) == ("personal", ())


def test_the_standard_library_reads_the_same() -> None:
    data = composed(
        to=[TO, Address("b@example.com", 'B "C" \\ D')], attachments=[Attachment("发票 1.pdf", "application/pdf", b"x")]
    )
    message = read_by_python(data)
    assert str(message["from"]) == "客服 <kefu@example.com>"
    assert [str(one.display_name) for one in message["to"].addresses] == ["张三", 'B "C" \\ D']
    assert str(message["subject"]) == "Re: 退款"
    body = message.get_body()
    assert isinstance(body, EmailMessage)
    assert body.get_content().split() == ["您好"]
    assert [(one.get_filename(), one.get_content()) for one in message.iter_attachments()] == [("发票 1.pdf", b"x")]


def test_the_same_arguments_give_the_same_bytes() -> None:
    files = [Attachment("a", "image/png", b"x")]
    assert composed(attachments=files) == composed(attachments=files)


def test_only_automatic_mail_says_that_it_is() -> None:
    assert b"Auto" not in head(composed())
    assert b"\r\nAuto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n" in composed(automatic=True)
    assert read_by_us(composed(automatic=True)).kind == "automatic"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Hello\n.\nFrom here on\n", b"quoted-printable"),
        ("x" * 5000 + " = \t\n \nend ", b"quoted-printable"),
        ("您好，" * 500, b"base64"),
        ("", b"quoted-printable"),
        ("a\r\nb\rc\x00d\x1be\u2028f", b"quoted-printable"),
    ],
)
def test_a_text_arrives_line_by_line(text: str, encoding: bytes) -> None:
    data = composed(text=text)
    assert b"Content-Transfer-Encoding: " + encoding in data
    lines = text.replace("\0", "").replace("\x1b", "").splitlines()
    assert read_by_us(data).text == "\n".join(lines).strip()
    assert max(len(line) for line in data.split(b"\r\n")) <= 78
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_a_file_has_its_name_in_both_ways() -> None:
    data = composed(
        attachments=[
            Attachment('合同 "终稿".pdf', "application/pdf", b"x" * 1000),
            Attachment("a.png", "image/png", b""),
        ]
    )
    assert b"filename*=UTF-8''%E5%90%88%E5%90%8C%20%22" in data
    assert b'name="=?utf-8?B?' in data
    assert [(file.name, file.type, file.data) for file in read_by_us(data).files] == [
        ("合同 终稿.pdf", "application/pdf", b"x" * 1000),
        ("a.png", "image/png", b""),
    ]


@pytest.mark.parametrize(
    ("name", "kept"),
    [("报告" * 200 + ".pdf", "报告" * 39 + ".pdf"), ("x" * 500, "x" * 240), ("", "file"), ("a\r\nb.txt", "a b.txt")],
)
def test_a_file_name_is_cut_before_its_extension(name: str, kept: str) -> None:
    data = composed(attachments=[Attachment(name, "text/plain", b"x")])
    assert [part.get_filename() for part in read_by_python(data).iter_attachments()] == [kept]


def test_a_long_chain_keeps_its_root_and_its_end() -> None:
    chain = [f"<{number}@example.com>" for number in range(100)]
    mail = read_by_us(composed(references=chain))
    assert mail.references == ("<0@example.com>", *chain[-19:])


def test_ids_stay_whole_however_long_they_are() -> None:
    long = "<" + "x" * 880 + "@example.com>"
    data = composed(references=[long] * 5, in_reply_to=long)
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
    assert read_by_us(data).references == (long,) * 5
    assert read_by_us(data).in_reply_to == (long,)


@pytest.mark.parametrize(
    "strange", ["<你@b>", "<a b@c>", "<a\r\nBcc: x@y>", "a@b", "<" + "x" * 1000 + ">", "<a@b><c@d>", "<>"]
)
def test_a_strangers_id_that_cannot_be_written_is_left_out(strange: str) -> None:
    mail = read_by_us(composed(references=[strange, "<a@b>"], in_reply_to=strange))
    assert (mail.references, mail.in_reply_to) == (("<a@b>",), ())


# --- nothing gets in -----------------------------------------------------------------------------------------------

FIELDS = {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_name_and_no_subject_brings_in_a_field(name: str, subject: str) -> None:
    data = composed(sender=Address("kefu@example.com", name), to=[Address("a@example.cn", name)], subject=subject)
    assert set(read_by_python(data)) == FIELDS
    assert all(len(line) <= 78 or b" " not in line.strip() for line in head(data).split(b"\r\n"))
    mail = read_by_us(data)
    assert (mail.sender.address, [one.address for one in mail.recipients]) == ("kefu@example.com", ["a@example.cn"])


@given(st.text(max_size=300), st.text(max_size=40))
def test_no_file_name_and_no_text_brings_in_a_part(name: str, text: str) -> None:
    data = composed(text=text, attachments=[Attachment(name, "image/png", text.encode("utf-8", "replace"))])
    message = read_by_python(data)
    assert len(list(message.walk())) == 3
    assert set(list(message.walk())[2]) == {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition"}


@pytest.mark.parametrize("text", ["退款\r\nBcc: x@example.com", "退款\nBcc: x@example.com", "退款\0\x85\u2028Bcc: x"])
def test_a_line_break_becomes_a_blank(text: str) -> None:
    mail = read_by_us(composed(subject=text, sender=Address("kefu@example.com", text)))
    assert mail.subject == mail.sender.name
    assert mail.subject.startswith("退款 Bcc: x")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            "a@b\0",
            "a@b, c@d",
            "<a@b>",
            "a@b>",
            "a@@b",
            '"a b"@c',
            "a(b)@c",
        ),
        *("a@b\r\nBcc: x@y", ".a@b", "a..b@c", "a.@b", "a@-b", "a@b-", "a@b.", "a@.b", "a@b..c", "a@b_c"),
        *("张三@example.cn", "a@例子.cn", "a" * 65 + "@b", "a@" + "b" * 64, "a@" + "b." * 130 + "c"),
    ],
)
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    assert not is_address(address)
    for arguments in ({"sender": Address(address)}, {"to": [TO, Address(address)]}):
        with pytest.raises(ValueError, match="is no address"):
            composed(**arguments)


@pytest.mark.parametrize(
    "address", ["a@b", "a.b+c_d-e@x-y.example.cn", "kefu+c7-k3v9.mac@example.com", "a'b@c.d", "1@2.cn"]
)
def test_a_plain_address_is_taken(address: str) -> None:
    assert is_address(address)


def test_other_things_that_cannot_be_written_are_refused() -> None:
    with pytest.raises(ValueError, match="needs somebody"):
        composed(to=[])
    with pytest.raises(ValueError, match="is no message id"):
        composed(message_id="<a@b>\r\nBcc: x@y")
    with pytest.raises(ValueError, match="is no type of a file"):
        composed(attachments=[Attachment("a", "image/png\r\nX: y", b"")])


# --- subjects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("退款", "退款"),
        ("Re: 退款", "退款"),
        ("回复：退款", "退款"),
        ("答复: RE: 回复：Re：退款", "退款"),
        ("转发：Fwd: FW: 退款", "退款"),
        ("回覆: 轉寄: 轉發：退款", "退款"),
        ("Re[2]: Re(3): RE^4: AW: Antw: SV: 退款", "退款"),
        ("re：re:re: x", "x"),
        ("Re 退款", "Re 退款"),
        ("Area: 退款", "Area: 退款"),
        ("关于回复：退款", "关于回复：退款"),
        ("Re: ", ""),
        ("", ""),
    ],
)
def test_prefixes_of_all_languages_are_taken_off(subject: str, base: str) -> None:
    assert base_subject(subject) == base
    assert reply_subject(subject) == f"Re: {base}".strip()
    assert reply_subject(reply_subject(subject)) == reply_subject(subject)
