"""Mail that leaves, to a real SMTP server with what can go wrong; with and without TLS."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from pydantic import SecretStr

from connectors.email import smtp
from connectors.email.conftest import Certified
from connectors.email.sandbox import MailSandbox
from connectors.email.settings import Smtp
from connectors.email.smtp import Outgoing, send
from hub.contract import Refused, Retry, Sent, Unknown, Verdict

HOST = "127.0.0.1"
TO = "zhang@example.net"
MAIL = Outgoing(b"Subject: x\r\n\r\n.one\r\n..two\r\n", ("kefu@example.com",), TO)
AUTOMATIC = Outgoing(MAIL.content, ("", "kefu@example.com"), TO)


@pytest.fixture
async def mail() -> AsyncIterator[MailSandbox]:
    async with MailSandbox() as running:
        yield running


async def sent(mail: MailSandbox, what: Outgoing = MAIL, **more: Any) -> Verdict:
    server = Smtp.model_validate(mail.settings()["smtp"] | more)
    return await send(what, server, ssl.create_default_context(), "example.com")


def got(mail: MailSandbox) -> list[str]:
    return [letter.text for letter in mail.ledger().get(TO, [])]


async def test_a_mail_arrives_byte_for_byte_and_lines_of_dots_too(mail: MailSandbox) -> None:
    assert await sent(mail) == Sent()
    assert got(mail) == [".one\n..two"]
    assert mail.senders == ["kefu@example.com"]


async def test_an_automatic_mail_is_from_nobody(mail: MailSandbox) -> None:
    assert await sent(mail, AUTOMATIC) == Sent()
    assert mail.senders == [""]


async def test_a_provider_that_takes_no_mail_from_nobody_gets_our_address(mail: MailSandbox) -> None:
    with mail.faulty(own_sender_only=True):
        assert await sent(mail, AUTOMATIC) == Sent()
    assert mail.senders == ["kefu@example.com"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("550 5.1.1 no such user", Refused("nobody has this address (550 5.1.1 no such user)", unreachable=True)),
        ("554 DT:SPM", Refused("the mail server refuses it (554 DT:SPM)")),
        ("452 4.2.2 full", Retry("the mailbox is full (452 4.2.2 full)", 3600)),
    ],
)
async def test_a_refusal_is_said_in_the_servers_words(mail: MailSandbox, answer: str, expected: Verdict) -> None:
    with mail.faulty(refuse=answer):
        assert await sent(mail) == expected
    assert got(mail) == []


async def test_greylisting_is_waited_for(mail: MailSandbox) -> None:
    with mail.faulty(greylist=True):
        first = await sent(mail)
        assert isinstance(first, Retry)
        assert (first.after_s, first.everyone) == (600, False)
        assert await sent(mail) == Sent()


async def test_a_mail_that_is_too_large_for_the_server_is_refused(mail: MailSandbox) -> None:
    verdict = await sent(mail, Outgoing(b"x" * (21 << 20) + b"\r\n", MAIL.senders, TO))
    assert isinstance(verdict, Refused)
    assert "552" in verdict.because


async def test_what_was_taken_without_an_answer_is_unknown(mail: MailSandbox) -> None:
    with mail.faulty(drop_after_data=1):
        verdict = await sent(mail)
    assert isinstance(verdict, Unknown)
    assert got(mail) == [".one\n..two"]


async def test_an_answer_that_does_not_come_in_time_is_unknown(
    mail: MailSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "DEADLINE_S", 0.5)
    with mail.faulty(slow_s=30):
        verdict = await sent(mail)
    assert isinstance(verdict, Unknown)
    assert "has not said whether it took the mail" in verdict.because


async def test_a_mail_that_did_not_get_through_in_time_is_refused_and_not_sent_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp, "DEADLINE_S", 0.5)
    read = 0
    ended = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes the envelope, and then stops reading."""
        nonlocal read
        writer.write(b"220 slow\r\n")
        for _ in ("EHLO", "MAIL", "RCPT"):
            await reader.readline()
            writer.write(b"250 OK\r\n")
        await reader.readline()
        writer.write(b"354 go on\r\n")
        await asyncio.sleep(1)
        with contextlib.suppress(OSError):
            while chunk := await reader.read(1 << 20):
                read += len(chunk)
        writer.close()
        ended.set()

    content = b"x" * (30 << 20) + b"\r\n"
    async with await asyncio.start_server(slow, HOST, 0, limit=1 << 16) as server:
        settings = Smtp(host=HOST, port=server.sockets[0].getsockname()[1], tls="none")
        verdict = await send(Outgoing(content, MAIL.senders, TO), settings, ssl.create_default_context(), "example.com")
        async with asyncio.timeout(10):
            await ended.wait()
    assert isinstance(verdict, Refused)
    assert "send less" in verdict.because
    assert read < len(content)


async def test_a_wrong_password_waits_for_a_person_and_is_not_said(mail: MailSandbox) -> None:
    verdict = await sent(mail, password="hush-hush")
    assert isinstance(verdict, Retry)
    assert (verdict.after_s, verdict.everyone) == (600, True)
    assert "check channels.email.smtp" in verdict.because
    assert "hush" not in verdict.because


@pytest.mark.parametrize(("ways", "asked"), [(b"PLAIN", b"AUTH PLAIN "), (b"LOGIN", b"")])
async def test_a_server_that_repeats_the_password_is_not_quoted_with_it(ways: bytes, asked: bytes) -> None:
    async def repeating(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write(b"250-hello\r\n250 AUTH %s\r\n" % ways)
        while line := await reader.readline():
            if line.startswith(b"AUTH LOGIN"):
                writer.write(b"334 UGFzc3dvcmQ6\r\n")
            else:
                writer.write(b"535 5.7.8 what is %s?\r\n" % line.strip())
        writer.close()

    async with await asyncio.start_server(repeating, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = Smtp(host=HOST, port=port, tls="none", user="kefu", password=SecretStr("hush-hush"))
        verdict = await send(MAIL, settings, ssl.create_default_context(), "example.com")
    assert isinstance(verdict, Retry)
    assert f"(535 5.7.8 what is {asked.decode()}***?)" in verdict.because


async def test_a_server_that_is_away_is_tried_again_by_all() -> None:
    async with MailSandbox() as gone:
        settings = gone.settings()["smtp"]
    verdict = await send(MAIL, Smtp(**settings), ssl.create_default_context(), "example.com")
    assert isinstance(verdict, Retry)
    assert (verdict.after_s, verdict.everyone) == (10, True)


async def test_a_name_that_no_server_has_is_tried_again() -> None:
    server = Smtp(host="mail.invalid", port=465)
    verdict = await send(MAIL, server, ssl.create_default_context(), "example.com")
    assert isinstance(verdict, Retry)
    assert verdict.everyone


async def test_a_server_that_closes_before_the_mail_is_tried_again() -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write(b"250 OK\r\n")
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(closing, HOST, 0) as server:
        settings = Smtp(host=HOST, port=server.sockets[0].getsockname()[1], tls="none")
        verdict = await send(MAIL, settings, ssl.create_default_context(), "example.com")
    assert isinstance(verdict, Retry)


# --- TLS -----------------------------------------------------------------------------------------------------------


class Sink:
    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.got.append(envelope.content)
        return "250 OK"


async def serve(
    sink: Sink, certified: Certified | None, *, starttls: bool
) -> tuple[asyncio.AbstractServer, dict[str, Any]]:
    def session() -> SMTP:
        return SMTP(
            sink, hostname="localhost", tls_context=certified.server if certified and starttls else None,
            require_starttls=certified is not None and starttls, auth_require_tls=starttls,
            authenticator=lambda *_: AuthResult(success=True),
        )  # fmt: skip

    server = await asyncio.get_running_loop().create_server(
        session, HOST, 0, ssl=certified.server if certified and not starttls else None
    )
    port = server.sockets[0].getsockname()[1]
    return server, {"host": "localhost", "port": port, "user": "kefu", "password": "pw"}


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_mail_goes_over_tls_to_who_proves_who_they_are(certified: Certified, tls: str) -> None:
    sink = Sink()
    server, settings = await serve(sink, certified, starttls=tls == "starttls")
    smtp_settings = Smtp.model_validate(settings | {"tls": tls})
    assert await send(MAIL, smtp_settings, certified.client(), "example.com") == Sent()
    verdict = await send(MAIL, smtp_settings, ssl.create_default_context(), "example.com")
    assert isinstance(verdict, Retry)
    assert verdict.everyone
    assert verdict.after_s == 600
    assert "does not prove who it is" in verdict.because
    assert sink.got == [MAIL.content]
    server.close()


async def test_without_starttls_nothing_is_sent(certified: Certified) -> None:
    sink = Sink()
    server, settings = await serve(sink, None, starttls=True)
    verdict = await send(MAIL, Smtp.model_validate(settings | {"tls": "starttls"}), certified.client(), "example.com")
    assert isinstance(verdict, Retry)
    assert (verdict.after_s, verdict.everyone) == (600, True)
    assert "offers no STARTTLS" in verdict.because
    assert sink.got == []
    server.close()
