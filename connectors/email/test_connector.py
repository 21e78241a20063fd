"""The connector against the stand-in: what it promises, what it refuses by itself, and what it says of its health."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from connectors.email import inbox
from connectors.email.connector import MOST_FILES, Email
from connectors.email.imap import SignInRefused
from connectors.email.sandbox import MailSandbox
from connectors.email.settings import EmailSettings
from hub.contract import Delivery, Enclosed, Item, Parsed, Raw, Refused, Retry, Sent, Surroundings, Token, Unknown

ZHANG = "zhang@example.net"
CHAT = "p7-email-k3v9abcdefghijklmnopqrstuv"


class NoTokens:
    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, spent: str = "") -> str:
        raise AssertionError("mail needs no token")


@pytest.fixture
async def mail() -> AsyncIterator[MailSandbox]:
    async with MailSandbox() as running:
        yield running


@pytest.fixture
async def email(mail: MailSandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Email]:
    monkeypatch.setattr(inbox, "WAIT_S", 0.3)
    monkeypatch.setattr(inbox, "QUIET_S", 0.0)
    async for connector in started(mail):
        yield connector


async def started(mail: MailSandbox, **more: Any) -> AsyncIterator[Email]:
    connector = Email(EmailSettings.model_validate(mail.settings() | more))
    await connector.start(Surroundings(NoTokens(), "http://127.0.0.1", b"k" * 32))
    yield connector
    await connector.stop()


def answer(text: str = "您好", number: int = 1, **more: Any) -> Delivery:
    return Delivery(ZHANG, text, f"{CHAT}:{number}", CHAT, number, by="小安", title="订单", **more)


def read(email: Email, item: Item) -> Parsed:
    return email.parse(Raw("PULL", {}, item.headers, item.body, 1_764_000_000_000))


def enclosed(name: str, content: bytes, size: int = 0) -> Enclosed:
    async def read() -> AsyncIterator[bytes]:
        yield content[: len(content) // 2]
        yield content[len(content) // 2 :]

    return Enclosed(name, "application/pdf", size or len(content), "http://127.0.0.1/x", read)


# --- out -----------------------------------------------------------------------------------------------------------


async def test_the_receipt_is_the_message_id_and_a_repeat_has_the_same(email: Email, mail: MailSandbox) -> None:
    first, again, other = [await email.deliver(answer(number=n)) for n in (1, 1, 2)]
    ids = [letter.message_id for letter in mail.ledger()[ZHANG]]
    assert [first, again, other] == [Sent(id_) for id_ in ids]
    assert ids[0] == ids[1] != ids[2]


async def test_files_go_along_with_the_text(email: Email, mail: MailSandbox) -> None:
    files = [enclosed("发票.pdf", b"%PDF-1.7"), enclosed("b.pdf", b"%PDF-1.4")]
    assert isinstance(await email.deliver(answer(files=files)), Sent)
    assert mail.ledger()[ZHANG][0].files == ["发票.pdf", "b.pdf"]


async def test_files_that_are_too_many_together_are_refused_before_they_are_read(
    email: Email, mail: MailSandbox
) -> None:
    files = [enclosed("a.pdf", b"", MOST_FILES // 2), enclosed("b.pdf", b"", MOST_FILES // 2 + 1)]
    verdict = await email.deliver(answer(files=files))
    assert isinstance(verdict, Refused)
    assert "send them in several" in verdict.because
    assert mail.ledger() == {}


async def test_the_largest_files_that_are_taken_fit_the_largest_mail_of_the_provider(
    email: Email, mail: MailSandbox
) -> None:
    assert isinstance(await email.deliver(answer(files=[enclosed("a.pdf", b"x" * MOST_FILES)])), Sent)


@pytest.mark.parametrize("address", ["zhang", "张三@example.net", "a@b, c@d", "a@b\r\nBcc: c@d", ""])
async def test_what_is_no_address_is_never_asked_for(email: Email, mail: MailSandbox, address: str) -> None:
    verdict = await email.deliver(Delivery(address, "x", "k", CHAT, 1))
    assert isinstance(verdict, Refused)
    assert verdict.unreachable
    assert mail.senders == []


async def test_what_did_not_go_out_is_not_counted_as_an_automatic_answer(email: Email, mail: MailSandbox) -> None:
    with mail.faulty(refuse="451 4.3.0 later"):
        for n in range(12):
            assert isinstance(await email.deliver(answer(number=n, automatic=True)), Retry)
    verdicts = await asyncio.gather(*(email.deliver(answer(number=n, automatic=True)) for n in range(12)))
    assert sum(isinstance(verdict, Sent) for verdict in verdicts) == 10
    assert isinstance(await email.deliver(answer(number=13)), Sent), "a person may write"


# --- in ------------------------------------------------------------------------------------------------------------


async def test_a_pull_brings_each_mail_with_what_it_means(email: Email, mail: MailSandbox) -> None:
    id_ = mail.say(ZHANG, "在吗", subject="订单")
    mail.office.put(b"\0\0")
    pulled = await email.pull("")
    (data, parsed), (junk, unparsed) = [(item.body, read(email, item)) for item in pulled.items]
    assert (parsed.inbounds[0].text, parsed.inbounds[0].outside_id.partition(" ")[0]) == ("订单\n\n在吗", id_)
    assert data == mail.office.folders["INBOX"][0].data
    assert (junk, unparsed.unparsed) == (b"\0\0", "a mail of 2 bytes without any text")
    assert (await email.pull(pulled.cursor)).items == []


async def test_a_mail_that_the_server_does_not_give_is_unparsed(email: Email, mail: MailSandbox) -> None:
    mail.say(ZHANG, "在吗", subject="订单")
    with mail.faulty(imap="no"):
        for _ in range(2 * inbox.TRIES):
            with pytest.raises(Exception, match="SERVERBUG"):
                await email.pull("")
        (item,) = (await email.pull("")).items
    assert "has not given the mail 1" in read(email, item).unparsed


def test_it_works_on_the_loop_that_workers_have() -> None:
    async def both_ways() -> None:
        async with MailSandbox() as mail:
            async for email in started(mail):
                mail.say(ZHANG, "在吗", subject="订单")
                assert len((await email.pull("")).items) == 1
                assert isinstance(await email.deliver(answer(files=[enclosed("a.pdf", b"x" * 9_000_000)])), Sent)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(both_ways())


# --- health --------------------------------------------------------------------------------------------------------


async def test_all_is_well_when_nothing_is_wrong(email: Email, mail: MailSandbox) -> None:
    mail.say(ZHANG, "在吗", subject="订单")
    await email.pull("")
    await email.deliver(answer())
    assert email.health() == ""


async def test_what_is_wrong_with_either_server_is_said_until_it_is_right(email: Email, mail: MailSandbox) -> None:
    with mail.faulty(sign_in=True):
        with pytest.raises(SignInRefused):
            await email.pull("")
        assert isinstance(await email.deliver(answer()), Retry)
        said = email.health()
    assert "check channels.email.imap (since " in said
    assert "check channels.email.smtp" in said
    assert isinstance(await email.deliver(answer()), Sent)
    assert "smtp" not in email.health()


async def test_a_refusal_of_one_customer_is_no_matter_of_health(email: Email, mail: MailSandbox) -> None:
    for refuse in ("550 5.1.1 nobody", "451 4.7.1 Greylisted"):
        with mail.faulty(refuse=refuse):
            await email.deliver(answer())
        assert email.health() == ""


async def test_newsletters_and_our_own_mail_are_left_out(mail: MailSandbox) -> None:
    async for email in started(mail, bulk="drop"):
        newsletter = mail.office.write(ZHANG, "买一送一", "特价")
        newsletter["List-Unsubscribe"] = "<https://example.net/off>"
        mail.office.post(newsletter)
        await email.deliver(Delivery("kefu@example.com", "x", "k", CHAT, 1))
        assert [read(email, item) for item in (await email.pull("")).items] == [
            Parsed(left_out="a newsletter (channels.email.bulk)"), Parsed(left_out="a mail of our own that came back"),
        ]  # fmt: skip


# --- promises ------------------------------------------------------------------------------------------------------


async def test_the_time_in_which_answers_become_one_mail_is_as_set(mail: MailSandbox) -> None:
    assert Email(EmailSettings.model_validate(mail.settings() | {"fold_s": 5})).can.fold_ms == 5000
    assert Email.can.fold_ms == 60_000


async def test_no_secret_is_shown_anywhere(mail: MailSandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hush = {server: mail.settings()[server] | {"password": "hush-hush"} for server in ("imap", "smtp")}
    async for email in started(mail, **hush):
        with pytest.raises(SignInRefused) as raised:
            await email.pull("")
        verdict = await email.deliver(answer())
        assert not isinstance(verdict, Sent | Unknown)
        said = json.dumps([repr(email.settings), str(raised.value), repr(verdict), email.health(), caplog.text])
        assert "hush" not in said
