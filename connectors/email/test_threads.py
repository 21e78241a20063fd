"""Which conversation a mail belongs to, and that nobody can choose it who was not written to."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.compose import compose
from connectors.email.headers import Address
from connectors.email.mail import Mail, read_mail
from connectors.email.threads import (
    OurId,
    Thread,
    message_id,
    read_message_id,
    read_reply_address,
    reply_address,
    thread_of,
)

KEY, OTHER_KEY = b"a key of our own", b"a guessed key"
OURS = ["kefu@example.com"]
CONVERSATION = "c31-k3v9abcdefghijklmnopqrstuv"  # as long as they are


def test_a_reply_address_names_its_conversation() -> None:
    address = reply_address("kefu@example.com", CONVERSATION, KEY)
    assert address.startswith(f"kefu+{CONVERSATION}.")
    assert address.endswith("@example.com")
    assert read_reply_address(address, KEY, OURS) == CONVERSATION


def test_what_mail_servers_do_to_the_case_does_no_harm() -> None:
    address = reply_address("Kefu@example.com", "c7-k3v9", KEY)
    for changed in (address.lower(), address.upper(), address.title()):
        assert read_reply_address(changed, KEY, OURS) == "c7-k3v9"
    assert read_message_id(message_id("c7-k3v9", 57, "example.com", KEY).upper(), KEY) == OurId("c7-k3v9", 57)


def test_a_channel_may_have_a_name_of_two_words() -> None:
    conversation = "p7-sales_mail-k3v9"
    assert read_reply_address(reply_address("kefu@example.com", conversation, KEY), KEY, OURS) == conversation
    assert read_message_id(message_id(conversation, 1, "example.com", KEY), KEY) == OurId(conversation, 1)


def test_a_reply_address_that_was_not_signed_here_names_none() -> None:
    address = reply_address("kefu@example.com", "c7-k3v9", KEY)
    assert read_reply_address(address, OTHER_KEY, OURS) is None
    assert read_reply_address(address.replace("k3v9", "k3va"), KEY, OURS) is None
    assert read_reply_address(address, KEY, ["other@example.com"]) is None
    assert read_reply_address(address.replace("example.com", "example.org"), KEY, OURS) is None


@pytest.mark.parametrize(
    "address", ["", "@", "kefu@example.com", "kefu+c7-k3v9@example.com", "kefu+c7-k3v9.@example.com"]
)
def test_what_is_no_reply_address_names_none(address: str) -> None:
    assert read_reply_address(address, KEY, OURS) is None


def test_the_signature_of_an_id_is_not_good_for_an_address() -> None:
    mac = message_id("c7-k3v9", 1, "example.com", KEY).split(".")[2].partition("@")[0]
    assert read_reply_address(f"kefu+c7-k3v9.{mac}@example.com", KEY, OURS) is None
    assert read_reply_address(f"kefu+c7-k3v9.1.{mac}@example.com", KEY, OURS) is None


def test_a_message_id_names_its_conversation_and_number() -> None:
    assert read_message_id(message_id(CONVERSATION, 57, "example.com", KEY), KEY) == OurId(CONVERSATION, 57)
    assert read_message_id(message_id("c7-k3v9", 57, "example.com", KEY).replace(".57.", ".58."), KEY) is None
    assert read_message_id(message_id("c7-k3v9", 57, "example.com", KEY), OTHER_KEY) is None
    assert read_message_id("<a@b>", KEY) is None


@pytest.mark.parametrize("conversation", ["", "C7-k3v9", "c7.k3v9", "c7+k3v9", "c7 k3v9", "c7-客", "c7@x", "c" * 81])
def test_an_id_that_would_not_survive_the_way_is_refused(conversation: str) -> None:
    with pytest.raises(ValueError, match="only a-z, 0-9, - and _ survive"):
        reply_address("kefu@example.com", conversation, KEY)
    with pytest.raises(ValueError, match="only a-z, 0-9, - and _ survive"):
        message_id(conversation, 1, "example.com", KEY)


def test_an_address_too_long_for_mail_servers_is_refused() -> None:
    reply_address("k" * 16 + "@example.com", CONVERSATION, KEY)
    with pytest.raises(ValueError, match="longer than the 64 octets"):
        reply_address("k" * 17 + "@example.com", CONVERSATION, KEY)


@pytest.mark.parametrize("base", ["kefu", "@example.com", "kefu@", ""])
def test_a_base_that_is_no_address_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="no mail address"):
        reply_address(base, "c7-k3v9", KEY)


def test_without_a_key_nothing_is_signed() -> None:
    with pytest.raises(ValueError, match="set one"):
        reply_address("kefu@example.com", "c7-k3v9", b"")


@given(st.text(max_size=80))
def test_any_text_may_be_asked_about(text: str) -> None:
    assert read_reply_address(text, KEY, OURS) is None
    assert read_message_id(text, KEY) is None


# --- thread_of -----------------------------------------------------------------------------------------------------

SIGNED_ADDRESS = reply_address("kefu@example.com", "c1-address", KEY)
FIRST, SECOND = (message_id("c2-first", 1, "example.com", KEY), message_id("c3-second", 2, "example.com", KEY))
FORGED = message_id("c4-forged", 1, "example.com", OTHER_KEY)


def mail(**fields: str) -> Mail:
    head = {"From": "a@example.cn", "Message-ID": "<own@example.cn>"} | {
        k.replace("_", "-"): v for k, v in fields.items()
    }
    return read_mail("".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\nx", OURS, KEY)


@pytest.mark.parametrize(
    ("fields", "thread"),
    [
        ({"To": SIGNED_ADDRESS, "In_Reply_To": FIRST}, Thread("c1-address")),
        ({"To": f"x@example.com, S <{SIGNED_ADDRESS}>"}, Thread("c1-address")),
        ({"Cc": SIGNED_ADDRESS}, Thread("c1-address")),
        ({"Delivered_To": SIGNED_ADDRESS}, Thread("c1-address")),
        ({"X_Original_To": SIGNED_ADDRESS}, Thread("c1-address")),
        ({"In_Reply_To": FIRST, "References": SECOND}, Thread("c2-first")),
        ({"References": f"<root@example.cn> {FIRST} {SECOND} <last@example.cn>"}, Thread("c3-second")),
        ({"References": f"<root@example.cn> {FIRST} {FORGED}"}, Thread("c2-first")),
        ({"References": f"{FORGED} <last@example.cn>"}, Thread(root=FORGED)),
        ({"References": "<root@example.cn> <b@c>", "In_Reply_To": "<b@c>"}, Thread(root="<root@example.cn>")),
        ({"In_Reply_To": "<before@example.cn>"}, Thread(root="<before@example.cn>")),
        ({}, Thread(root="<own@example.cn>")),
        ({"Subject": f"Re: {FIRST} {SIGNED_ADDRESS}"}, Thread(root="<own@example.cn>")),
    ],
)  # fmt: skip
def test_what_is_signed_decides_and_then_the_first_of_the_chain(fields: dict[str, str], thread: Thread) -> None:
    assert thread_of(mail(**fields), KEY, OURS) == thread


def test_a_mail_without_an_id_begins_a_thread_of_its_own_and_always_the_same() -> None:
    once, again = (read_mail(b"From: a@example.cn\r\n\r\nx", OURS, KEY) for _ in range(2))
    assert thread_of(once, KEY, OURS) == thread_of(again, KEY, OURS)
    assert thread_of(once, KEY, OURS).root.endswith("@no-message-id.invalid>")


def test_a_bounce_goes_to_the_conversation_of_the_mail_that_it_returns() -> None:
    data = (
        b"From: <>\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\nMessage-ID: " + FIRST.encode() + b"\r\n\r\n--b--\r\n"
    )
    assert thread_of(read_mail(data, OURS, KEY), KEY, OURS) == Thread("c2-first")


def test_an_answer_to_our_own_mail_comes_back() -> None:
    ours = compose(
        sender=Address("kefu@example.com"),
        to=[Address("a@example.cn")],
        subject="退款",
        text="您好",
        date=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        message_id=FIRST,
        reply_to=SIGNED_ADDRESS,
    )
    sent = read_mail(ours, [], OTHER_KEY)
    assert thread_of(mail(To=sent.reply_to[0].address), KEY, OURS) == Thread("c1-address")
    assert thread_of(mail(In_Reply_To=sent.message_id), KEY, OURS) == Thread("c2-first")
