"""Mail ↔ the hub's values: who, where, what, and what nobody is told of."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.codec import Reader, compose_answer, id_of
from connectors.email.compose import Attachment
from connectors.email.loops import MOST, WITHIN_S, Budget
from connectors.email.mail import Mail, read_mail
from connectors.email.settings import EmailSettings
from connectors.email.signed import message_id, reply_address
from hub.contract import Delivery, Inbound, Parsed, Receipt

KEY = b"k" * 32
NOW_MS = 1_800_000_000_000
DATE = datetime.datetime(2026, 11, 26, 1, 2, 3, tzinfo=datetime.UTC)
CHAT = "p7-email-k3v9abcdefghijklmnopqrstuv"
SERVER = {"host": "127.0.0.1", "tls": "none"}


def settings(**more: Any) -> EmailSettings:
    servers = {"imap": SERVER, "smtp": SERVER}
    return EmailSettings.model_validate({"address": "Kefu@example.com", "name": "花店"} | servers | more)


def parse(data: bytes, size: int = 0, **more: Any) -> Parsed:
    return Reader(settings(**more), KEY).parse(data, size or len(data), NOW_MS)


def mail(fields: str = "", text: str = "在吗") -> bytes:
    return f"From: 张三 <Zhang@Example.net>\r\nMessage-ID: <1@example.net>\r\n{fields}\r\n{text}".encode()


def inbound(data: bytes, size: int = 0, **more: Any) -> Inbound:
    parsed = parse(data, size, **more)
    assert parsed.left_out == ""
    (only,) = parsed.inbounds
    return only


# --- who and where -------------------------------------------------------------------------------------------------


def test_a_first_mail_begins_a_thread_and_its_subject_is_part_of_what_is_said() -> None:
    found = inbound(mail("Subject: 订单 1234\r\nDate: Thu, 26 Nov 2026 09:00:00 +0800\r\n"))
    assert found.outside_id.startswith("<1@example.net> ")
    assert found == Inbound(
        "zhang@example.net", found.outside_id, "订单 1234\n\n在吗", 1_795_654_800_000,
        account="kefu@example.com", address="Zhang@Example.net", name="张三", language="zh", thread="<1@example.net>",
        title="订单 1234", files=[],
    )  # fmt: skip


def test_a_subject_that_the_text_repeats_or_that_was_read_before_is_not_said_again() -> None:
    assert inbound(mail("Subject: 在吗\r\n", "在吗，老板")).text == "在吗，老板"
    assert inbound(mail("Subject: 退　款 多久\r\n", "退　款  多久")).text == "退　款  多久"
    assert inbound(mail("Subject: Re: 订单\r\nReferences: <0@example.net>\r\n")).text == "在吗"
    assert inbound(mail("Subject: Re: 订单\r\nReferences: <0@example.net>\r\n", "")).text == "Re: 订单"


def test_an_answer_to_a_signed_address_or_id_goes_to_its_conversation() -> None:
    to = reply_address("kefu@example.com", CHAT, KEY)
    by_address = inbound(mail(f"To: {to}\r\nReferences: <0@example.net> <x@example.com>\r\n"))
    assert (by_address.conversation, by_address.thread) == (CHAT, "<0@example.net>")
    by_id = inbound(mail(f"In-Reply-To: {message_id(CHAT, 3, 'example.com', KEY)}\r\n"))
    assert by_id.conversation == CHAT
    forged = inbound(mail(f"In-Reply-To: {message_id(CHAT, 3, 'example.com', b'other')}\r\n"))
    assert forged.conversation == ""


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ("Reply-To: Li <li@example.net>\r\n", "li@example.net"),
        ("Reply-To: KEFU@example.com\r\n", "Zhang@Example.net"),
        ("Reply-To: kefu+x@example.com, li@example.net\r\n", "li@example.net"),
        ("Reply-To: 张三@example.net\r\n", "Zhang@Example.net"),
    ],
)
def test_answers_go_where_they_are_wanted_and_never_to_ourselves(fields: str, address: str) -> None:
    assert inbound(mail(fields)).address == address


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("在吗", "zh"),
        ("hello", "en"),
        ("注文はどこですか", "ja"),
        ("주문 번호 注", "ko"),
        ("где", "en"),
        ("", ""),
        ("12 :)", ""),
    ],
)
def test_a_language_is_known_by_its_script(text: str, language: str) -> None:
    assert inbound(mail("References: <0@x>\r\n", text)).language == language


def test_a_clock_that_goes_ahead_is_not_believed() -> None:
    assert inbound(mail("Date: Thu, 26 Nov 2099 09:00:00 +0800\r\n")).sent_at_ms == NOW_MS
    assert inbound(mail()).sent_at_ms == NOW_MS


# --- repeats -------------------------------------------------------------------------------------------------------


def test_one_mail_in_two_mailboxes_has_one_id() -> None:
    way = b"Received: from mx%d.example.com\r\nDelivered-To: %s@example.com\r\n"
    one, two = (inbound(way % (n, box) + mail("Subject: x\r\n")) for n, box in ((1, b"kefu"), (2, b"sales")))
    assert one.outside_id == two.outside_id


def test_two_mails_with_one_message_id_have_two() -> None:
    """Some shops' mailers give every mail the same id."""
    file = "Content-Type: application/pdf; name=a.pdf\r\n"
    mails = [mail(), mail(text="还在吗"), mail("Subject: x\r\n"), mail(file, "%PDF1"), mail(file, "%PDF2")]
    assert len({inbound(data).outside_id for data in mails}) == len(mails)


# --- what is special -----------------------------------------------------------------------------------------------


def sample(name: str) -> bytes:
    return (Path(__file__).parent / "samples" / f"{name}.eml").read_bytes()


@pytest.mark.parametrize("name", ["vacation_rfc_3834", "vacation_qq_without_a_mark", "newsletter"])
def test_what_a_program_wrote_is_marked(name: str) -> None:
    assert inbound(sample(name)).automatic


def test_a_person_is_not_marked() -> None:
    assert not inbound(mail()).automatic


def test_newsletters_may_be_dropped_and_are_counted() -> None:
    assert parse(sample("newsletter"), bulk="drop") == Parsed(left_out="a newsletter (channels.email.bulk)")
    assert parse(mail(), bulk="drop").inbounds


def test_our_own_mail_that_comes_back_is_left_out_and_counted() -> None:
    ours = compose_answer(Delivery("a@example.net", "x", "k", CHAT, 1), settings(), KEY, DATE, [])
    assert parse(ours) == Parsed(left_out="a mail of our own that came back")


def bounce(action: str, id_: str) -> bytes:
    return (
        "From: <>\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        f"Final-Recipient: rfc822; zhang@example.net\r\nAction: {action}\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 nobody\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"Message-ID: {id_}\r\n\r\n--b--\r\n"
    ).encode()


def test_a_bounce_names_the_conversation_and_the_number_of_what_came_back() -> None:
    parsed = parse(bounce("failed", message_id(CHAT, 57, "example.com", KEY)))
    because = "the mail came back from zhang@example.net (550 5.1.1 nobody)"
    assert parsed == Parsed(receipts=(Receipt(CHAT, "failed", 57, because=because),))


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_is_late_or_has_arrived_is_no_failure(action: str) -> None:
    assert parse(bounce(action, message_id(CHAT, 57, "example.com", KEY))) == Parsed(left_out="a report of no failure")


def test_what_cannot_be_placed_is_kept_as_unparsed() -> None:
    for data, because in (
        (bounce("failed", "<a@b>"), "a mail came back that is none of ours: <a@b>"),
        (b"\r\n", "a mail of 2 bytes without any text"),
        (b"From: nobody\r\n\r\nx", "there is no sender's address in 'nobody'"),
    ):
        assert parse(data) == Parsed(unparsed=because)


def test_of_a_mail_that_was_cut_the_text_is_there_and_no_half_of_a_file() -> None:
    part = "Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF"
    data = mail("Content-Type: multipart/mixed; boundary=b\r\n", f"--b\r\n\r\n见附件\r\n--b\r\n{part}")
    assert [file.name for file in inbound(data).files] == ["a.pdf"]
    cut = inbound(data, 43_210_987)
    assert cut.files == []
    assert cut.text == ("见附件\n[the mail has 43,210,987 bytes: only its beginning was read, its files are left out]")


@given(st.binary(max_size=300))
def test_any_bytes_mean_something_or_are_kept(data: bytes) -> None:
    parsed = parse(data)
    assert parsed.inbounds or parsed.receipts or parsed.unparsed or parsed.left_out


# --- out -----------------------------------------------------------------------------------------------------------


def answer(delivery: Delivery, attachments: tuple[Attachment, ...] = (), **more: Any) -> Mail:
    return read_mail(compose_answer(delivery, settings(**more), KEY, DATE, attachments), [], b"other")


ANSWER = Delivery(
    "zhang@example.net", "您好", "k", CHAT, 57, by="小安", thread="<0@example.net>", title="订单",
    in_reply_to="<1@example.net> 0123456789abcdef",
)  # fmt: skip


def test_an_answer_stands_in_the_customers_thread_and_brings_theirs_back() -> None:
    sent = answer(ANSWER)
    assert (sent.sender.address, sent.sender.name) == ("Kefu@example.com", "小安 (花店)")
    assert sent.subject == "Re: 订单"
    assert sent.in_reply_to == ("<1@example.net>",)
    assert sent.references == ("<0@example.net>", "<1@example.net>")
    assert sent.message_id == id_of(ANSWER, settings(), KEY)
    assert (sent.visible, sent.kind) == ("您好", "personal")
    back = inbound(mail(f"To: {sent.reply_to[0].address}\r\n"))
    assert back.conversation == CHAT


def test_the_id_of_what_is_answered_is_got_back_from_the_outside_id() -> None:
    came = inbound(mail())
    sent = answer(Delivery("zhang@example.net", "x", "k", CHAT, 1, thread=came.thread, in_reply_to=came.outside_id))
    assert sent.in_reply_to == ("<1@example.net>",)
    assert sent.references == ("<1@example.net>",)


def test_without_plus_addresses_the_message_id_alone_brings_it_back() -> None:
    sent = answer(ANSWER, plus_addressing=False)
    assert sent.reply_to == ()
    assert inbound(mail(f"In-Reply-To: {sent.message_id}\r\n")).conversation == CHAT


def test_a_channel_with_a_long_name_of_its_own_does_without_tags() -> None:
    chat = "p1023-mail_of_the_shop_in_hangzhou-" + "k" * 26
    sent = answer(Delivery("zhang@example.net", "x", "k", chat, 1))
    assert sent.reply_to == ()
    assert inbound(mail(f"In-Reply-To: {sent.message_id}\r\n")).conversation == chat


def test_an_automatic_answer_says_so_and_carries_no_persons_name() -> None:
    sent = answer(Delivery("zhang@example.net", "x", "k", CHAT, 1, automatic=True))
    assert sent.kind == "automatic"
    assert (sent.sender.name, sent.subject) == ("花店", "Re: 花店")


def test_a_file_goes_along() -> None:
    sent = answer(ANSWER, (Attachment("发票.pdf", "application/pdf", b"%PDF"),))
    assert [(file.name, file.type, file.data) for file in sent.files] == [("发票.pdf", "application/pdf", b"%PDF")]


# --- loops and settings --------------------------------------------------------------------------------------------


def test_a_program_that_hides_gets_ten_automatic_answers_in_three_hours() -> None:
    budget = Budget()
    assert all(budget.take("A@B" if n % 2 else "a@b", n) for n in range(MOST))
    assert not budget.take("a@b", WITHIN_S - 1)
    assert budget.take("c@d", 0)
    budget.give_back("a@b")
    assert budget.take("a@b", WITHIN_S - 1)
    assert not budget.take("a@b", WITHIN_S - 1)
    assert budget.take("a@b", WITHIN_S)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"address": "kefu"}, "is no mail address"),
        ({"address": ""}, "what do visitors write to"),
        ({"address": "customer-care@example.com"}, "leaves no room for +tag"),
        ({"imap": {"host": "imap.example.com", "tls": "none"}}, "would send the password to imap.example.com"),
        ({"smtp": {"host": "127.0.0.1", "password": "密码"}}, "printable ASCII only"),
        ({"imap": {"host": "x", "passwort": "y"}}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="validation error") as raised:
        settings(**wrong)
    assert said in str(raised.value)


def test_a_long_address_needs_a_short_alias_or_no_tags() -> None:
    long = "customer-care@example.com"
    assert settings(address=long, plus_addressing=False).base == long
    assert settings(address=long, reply_to_base="cc@example.com").ours == (long, "cc@example.com")


def test_the_longest_conversation_id_fits_the_longest_base() -> None:
    reply_address("k" * 8 + "@example.com", "p1023-email-" + "k" * 26, KEY)
    with pytest.raises(ValueError, match="longer than the 64 octets"):
        reply_address("k" * 9 + "@example.com", "p1023-email-" + "k" * 26, KEY)
