"""One mail to an SMTP server, and what became of it (RFC 5321)."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPResponseException,
    SMTPSenderRefused,
)

from connectors.email.answers import verdict
from connectors.email.settings import Smtp
from hub.contract import Refused, Retry, Unknown, Verdict

SIGNED_IN_S, ADDRESSED_S, DEADLINE_S = 6.0, 7.5, 9.5
"""From the beginning: until the server has let us in, until it has taken the addresses, until it has the mail. The hub
allows 10."""
AGAIN_S, SET_UP_AGAIN_S = 10.0, 600.0
_GO_ON = 354


@dataclass(frozen=True)
class Outgoing:
    """A mail ready to go, its lines ended by CRLF.

    `senders` are for the envelope, the first that the server takes; "" is nobody.
    """

    content: bytes
    senders: Sequence[str]
    to: str


async def send(mail: Outgoing, server: Smtp, tls: ssl.SSLContext, helo: str) -> Verdict:
    """Hand it over, on a connection of its own."""
    began = asyncio.get_running_loop().time()
    smtp = SMTP(
        hostname=server.host, port=server.port, use_tls=server.tls == "tls", start_tls=False, tls_context=tls,
        timeout=DEADLINE_S, local_hostname=helo,
    )  # fmt: skip
    try:
        async with asyncio.timeout_at(began + SIGNED_IN_S):
            shut_out = await _enter(smtp, server, tls)
        if shut_out is not None:
            return shut_out
        async with asyncio.timeout_at(began + ADDRESSED_S):
            await _address(smtp, mail)
    except SMTPResponseException as refusal:
        return verdict(refusal.code, refusal.message)
    except (SMTPException, OSError) as error:  # TimeoutError among them
        return Retry(f"{_place(server)} cannot be reached: {_said(server, error)}", AGAIN_S, everyone=True)
    else:
        return await _hand_over(smtp, mail, server, began + DEADLINE_S)
    finally:
        smtp.close()


async def _enter(smtp: SMTP, server: Smtp, tls: ssl.SSLContext) -> Verdict | None:
    """Connect, encrypt, sign in; a verdict when we are not let in. Raises what a lost connection raises."""
    try:
        await smtp.connect()
        await smtp.ehlo()
        if server.tls == "starttls":
            if not smtp.supports_extension("starttls"):
                return _set_up(server, "offers no STARTTLS: check channels.email.smtp.tls")
            await smtp.starttls(tls_context=tls)
            await smtp.ehlo()
        if server.user and not smtp.supports_extension("auth"):
            return _set_up(server, "lets nobody sign in: check channels.email.smtp, tls and port above all")
        if server.user:
            await smtp.login(server.user, server.password.get_secret_value())
    except SMTPAuthenticationError as refusal:
        return _set_up(
            server, f"refuses the user or the authorisation code ({_said(server, refusal)}): check channels.email.smtp"
        )
    except SMTPConnectResponseError as refusal:
        return Retry(f"{_place(server)} lets nobody in: {_said(server, refusal)}", 60, everyone=True)
    except (SMTPException, OSError) as error:
        if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            return _set_up(server, f"does not prove who it is ({_said(server, error)}): check channels.email.smtp.host")
        raise
    return None


async def _address(smtp: SMTP, mail: Outgoing) -> None:
    """Name the sender and the recipient. Some providers take no other sender than the user's own address."""
    options = [f"SIZE={len(mail.content)}"] if smtp.supports_extension("size") else []
    *others, last = mail.senders
    for sender in others:
        try:
            await smtp.mail(sender, options=options)
            break
        except SMTPSenderRefused:
            await smtp.rset()
    else:
        await smtp.mail(last, options=options)
    await smtp.rcpt(mail.to)


async def _hand_over(smtp: SMTP, mail: Outgoing, server: Smtp, deadline: float) -> Verdict:
    """The mail itself, past aiosmtplib's `data`: that holds up the event loop for 0.3 s with one of 19 MB."""
    protocol, transport = smtp.protocol, cast(asyncio.Transport, smtp.transport)
    assert protocol is not None
    began = False
    try:
        async with asyncio.timeout_at(deadline):
            answer = await smtp.execute_command(b"DATA")
            if answer.code == _GO_ON:
                began = True
                protocol.write(mail.content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
                answer = await protocol.read_response()
    except (SMTPException, OSError) as error:
        unsent = transport.get_write_buffer_size()
        transport.abort()  # a mere close would go on sending
        if not began:
            return Retry(
                f"{_place(server)} has broken off before the mail: {_said(server, error)}", AGAIN_S, everyone=True
            )
        if unsent:  # its end has not left: it cannot have been taken
            return Refused(
                f"a mail of {len(mail.content):,} bytes does not get to {server.host} within 10 s: send less"
            )
        return Unknown(f"{_place(server)} has not said whether it took the mail: {_said(server, error)}")
    transport.write(b"QUIT\r\n")
    return verdict(answer.code, answer.message)


def _set_up(server: Smtp, what: str) -> Retry:
    """A fault of the settings: every mail waits until a person has put it right."""
    return Retry(f"{_place(server)} {what}", SET_UP_AGAIN_S, everyone=True)


def _place(server: Smtp) -> str:
    return f"the mail server {server.host}:{server.port}"


def _said(server: Smtp, error: BaseException) -> str:
    words = f"{error.code} {error.message}" if isinstance(error, SMTPResponseException) else str(error)
    return " ".join(server.hide(words).split())[:200] or type(error).__name__
