"""Which conversation a mail belongs to."""

import datetime

import pytest

from connectors.email.compose import compose
from connectors.email.headers import Address
from connectors.email.mail import Mail, read_mail
from connectors.email.signed import message_id, reply_address
from connectors.email.threads import Thread, thread_of

KEY, OTHER_KEY = b"a key of our own", b"a guessed key"
OURS = ["kefu@example.com"]
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
