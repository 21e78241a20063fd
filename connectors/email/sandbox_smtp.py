"""The stand-in's SMTP server: aiosmtpd with what can go wrong."""

import logging
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

if TYPE_CHECKING:
    from connectors.email.sandbox import MailSandbox

MOST_BYTES = 20 << 20
logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own past at each sign-in


def smtp_session(mail: "MailSandbox") -> SMTP:
    """One client's connection."""

    def may_enter(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        known = isinstance(given, LoginPassword) and (given.login.decode(), given.password.decode()) == (
            mail.user,
            mail.password,
        )
        return AuthResult(success=known and not mail.faults.sign_in, handled=False)

    return SMTP(
        Handler(mail), hostname="stand-in.example", ident="stand-in", data_size_limit=MOST_BYTES, timeout=60,
        authenticator=may_enter, auth_require_tls=False,
    )  # fmt: skip


class Handler:
    """What the server answers; method names are aiosmtpd's."""

    def __init__(self, mail: "MailSandbox") -> None:
        self._mail = mail

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if address == "<>" and self._mail.faults.own_sender_only:
            return "553 Mail from must equal authorized user"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        faults = self._mail.faults
        if faults.refuse:
            return faults.refuse
        if faults.greylist and address not in self._mail.greylisted:
            self._mail.greylisted.add(address)
            return "451 4.7.1 Greylisted, please try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        await self._mail.pause(self._mail.faults.slow_s)
        data = envelope.original_content or b""
        for address in envelope.rcpt_tos:
            self._mail.took(address, data, (envelope.mail_from or "").strip("<>"))
        every = self._mail.faults.drop_after_data
        if every and len(self._mail.senders) % every == 0:
            assert server.transport is not None
            server.transport.close()
        return "250 2.0.0 OK: queued"
