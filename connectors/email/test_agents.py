"""Mail to agents and what they answer: proven by a signature for their address, else nobody's."""

import datetime
import email
import email.policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.codec import Reader, compose_for_agent, id_of
from connectors.email.settings import EmailSettings
from connectors.email.signed import agent_tag
from hub.contract import Delivery, Inbound, Parsed, Receipt

KEY = b"k" * 32
NOW_MS = 1_800_000_000_000
DATE = datetime.datetime(2026, 11, 26, 1, 2, 3, tzinfo=datetime.UTC)
CHAT = "c31-k3v9abcdefghijklmnopqrstuv"
LONG_CHAT = f"p1023-a_channel_with_a_long_name-{'k' * 26}"
WANG = "Wang@corp.example"
SERVER = {"host": "127.0.0.1", "tls": "none"}


def settings(**more: Any) -> EmailSettings:
    servers = {"imap": SERVER, "smtp": SERVER}
    return EmailSettings.model_validate({"address": "kefu@example.com", "name": "花店"} | servers | more)


def delivery(conversation: str = CHAT, number: int = 7) -> Delivery:
    return Delivery(WANG, "在吗", f"a1-wang:{number}", conversation, number, title="[#12] 张三", agent="a1-wang")


def sent(conversation: str = CHAT, number: int = 7, **more: Any) -> Any:
    """The mail as the agent's program reads it."""
    data = compose_for_agent(delivery(conversation, number), settings(**more), KEY, DATE, [])
    return email.message_from_bytes(data, policy=email.policy.default)


def answer(
    to: str, sender: str = "wang@Corp.example", references: str = "", fields: str = "", text: str = "有货", **more: Any
) -> Parsed:
    head = f"From: {sender}\r\nTo: {to}\r\nMessage-ID: <1@corp.example>\r\nReferences: {references}\r\n{fields}"
    data = f"{head}\r\n{text}\r\n".encode()
    return Reader(settings(**more), KEY).parse(data, len(data), NOW_MS)


def inbound(parsed: Parsed) -> Inbound:
    (only,) = parsed.inbounds
    return only


@pytest.mark.parametrize("conversation", [CHAT, ""])
def test_the_reply_address_proves_the_agent_and_the_conversation(conversation: str) -> None:
    found = inbound(answer(str(sent(conversation)["Reply-To"]).upper()))
    assert (found.agent, found.identity, found.conversation) == (True, "wang@corp.example", conversation)
    assert (found.text, found.thread, found.account) == ("有货", "", "")


@pytest.mark.parametrize("conversation", [CHAT, LONG_CHAT, ""])
def test_without_such_an_address_the_message_ids_prove_it(conversation: str) -> None:
    mail = sent(conversation, plus_addressing=False)
    assert mail["Reply-To"] is None
    found = inbound(answer("kefu@example.com", references=mail["Message-ID"]))
    assert (found.agent, found.conversation) == (True, conversation)


def test_an_address_too_long_for_mail_servers_is_left_out() -> None:
    assert sent(LONG_CHAT)["Reply-To"] is None


@given(st.sampled_from(["sender", "conversation", "mac", "key"]), st.booleans())
def test_nothing_of_it_can_be_changed_or_used_by_another(changed: str, by_id: bool) -> None:
    key, sender = b"x" * 32 if changed == "key" else KEY, "mallory@example.net" if changed == "sender" else WANG
    tag = agent_tag(CHAT, WANG, key)
    if changed == "conversation":
        tag = tag.replace("k3v9", "k3va")
    if changed == "mac":
        tag = tag[:-1] + ("a" if tag[-1] != "a" else "b")
    genuine = id_of(delivery(), settings(), KEY)
    forged = genuine.replace(agent_tag(CHAT, WANG, KEY), tag)
    parsed = answer("kefu@example.com", sender, forged) if by_id else answer(f"kefu+{tag}@example.com", sender)
    assert not parsed.inbounds
    assert parsed.unparsed == f"it answers a mail to an agent, and is not signed for {sender}"


FAILED = "Authentication-Results: mx.example.com; spf=pass {}; dmarc=fail header.from=corp.example\r\n"
PASSED = "Authentication-Results: mx.example.com 1; spf=fail; dmarc=pass (p=NONE (sp)) header.from=Corp.example\r\n"


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        (PASSED, True),
        ("Authentication-Results: mx.example.com; dkim=pass header.d=corp.example\r\n" + PASSED, True),
        (PASSED.replace("mx.example.com 1", "MX.example.com"), True),
        ("Authentication-Results: mx.example.com; dmarc=fail header.from=corp.example\r\n" + PASSED, False),
        ("", False),
        (PASSED.replace("mx.", "mx2."), False),
        (PASSED.replace("Corp.", "evil."), False),
        (PASSED.replace("dmarc=pass", "dmarc=none"), False),
        (PASSED.replace("dmarc=pass", "dkim=pass (dmarc=pass)"), False),
        ("Authentication-Results: mx.example.com (; dmarc=pass header.from=corp.example)\r\n", False),
        ("Authentication-Results: mx.example.com; dmarc=pass\r\n", False),
        (FAILED.format('smtp.mailfrom="; dmarc=pass header.from=corp.example "@evil.example'), False),
        (FAILED.format('reason="\\"; dmarc=pass header.from=corp.example "'), False),
        (FAILED.format("(it is \\) ; dmarc=pass header.from=corp.example )"), False),
        (FAILED.format("(" + "x" * 3000 + " ; dmarc=pass header.from=corp.example )") + PASSED, False),
        (FAILED.format("(never closed; dmarc=pass header.from=corp.example ") + PASSED, False),
        (FAILED.format('"never closed; dmarc=pass header.from=corp.example ') + PASSED, False),
        (FAILED.format("; ".join(f"dkim=pass header.d=d{n}.evil.example" for n in range(99))) + PASSED, False),
        (PASSED.replace("spf=fail", 'spf=pass smtp.mailfrom="a;b"@corp.example'), True),
        ("Authentication-Results: \r\n", False),
    ],
)
def test_a_server_that_verifies_is_asked_whether_it_is_the_agent_who_writes(fields: str, counts: bool) -> None:
    to = sent()["Reply-To"]
    parsed = answer(to, fields=fields, verified_by="mx.example.com")
    assert bool(parsed.inbounds) == counts
    assert counts or "does not vouch for wang@Corp.example" in parsed.unparsed
    assert answer(to, fields=fields).inbounds


def test_a_forged_message_id_of_ours_is_no_proof_of_anything() -> None:
    forged = id_of(delivery(), settings(), b"x" * 32)
    assert not inbound(answer("kefu@example.com", references=forged)).agent


def test_all_mail_of_a_conversation_is_one_thread_and_each_has_an_id_of_its_own() -> None:
    first, second, other = sent(number=7), sent(number=8), sent("c1-other", number=9)
    assert first["References"] == second["References"] != other["References"]
    assert len({mail["Message-ID"] for mail in (first, second, other)}) == 3
    assert first["Subject"] == "[#12] 张三"


def test_machines_are_asked_not_to_answer_and_are_heard_by_nobody_where_they_do() -> None:
    mail = sent()
    assert mail["Auto-Submitted"] == "auto-replied"
    left = answer(mail["Reply-To"], fields="Auto-Submitted: auto-replied\r\n", text="我在休假")
    assert (left.inbounds, left.left_out) == ((), "a machine's answer to a mail for an agent")


def test_the_mail_they_answer_is_no_part_of_what_they_say() -> None:
    mail = sent()
    quoted = "有货\r\n\r\n在 2026年11月26日，花店 <kefu@example.com> 写道：\r\n> 在吗\r\n"
    assert inbound(answer(mail["Reply-To"], text=quoted)).text == "有货"


HEAD = "在 2026年11月26日，花店 <kefu@example.com> 写道："


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}\r\n> 留言：他很难缠\r\n", ""),
        ("> 留言：他很难缠\r\n", ""),
        (f"有货\r\n\r\n{HEAD}\r\n> 留言：他很难缠\r\n\r\n本邮件可能含有机密\r\n", "有货\n\n本邮件可能含有机密"),
        ("> 在吗\r\n在\r\n> 留言：他很难缠\r\n知道了\r\n", "在\n知道了"),
        ("-- \r\n小王\r\n", ""),
    ],
)
def test_nothing_quoted_goes_to_a_visitor_wherever_it_stands(text: str, said: str) -> None:
    assert inbound(answer(sent()["Reply-To"], text=text)).text == said


def test_a_phone_that_answers_in_html_only_with_another_subject_says_what_it_says() -> None:
    page = f"<div>#close 已解决</div><div><br></div><blockquote type=cite><div>{HEAD}</div>留言：他很难缠</blockquote>"
    fields = "Subject: Re: 别的\r\nContent-Type: text/html; charset=utf-8\r\n"
    assert inbound(answer(sent()["Reply-To"], fields=fields, text=page)).text == "#close 已解决"


def test_one_that_came_back_is_told_to_the_agent() -> None:
    returned = (
        "From: MAILER-DAEMON@corp.example\r\nTo: kefu@example.com\r\nSubject: Undelivered Mail\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        f"Final-Recipient: rfc822; {WANG}\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 no such user\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {sent()['Message-ID']}\r\n\r\n--b--\r\n"
    ).encode()
    parsed = Reader(settings(), KEY).parse(returned, len(returned), NOW_MS)
    because = f"the mail came back from {WANG} (550 no such user)"
    assert parsed.receipts == (Receipt("a1-wang", "failed", 7, because=because),)


def test_what_is_too_large_to_be_read_whole_is_kept_and_not_sent_in_part() -> None:
    data = f"From: {WANG}\r\nTo: {sent()['Reply-To']}\r\n\r\n有货".encode()
    assert "too large" in Reader(settings(), KEY).parse(data, 99_000_000, NOW_MS).unparsed
