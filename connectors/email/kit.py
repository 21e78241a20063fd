"""The stand-in for a mail provider, as the conformance kit wants it (hub.kit.far_side.FarSide, SpeaksLines)."""

import base64
import re
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from connectors.email.sandbox import MailSandbox

_SIGN = re.compile("[a-z2-7](?=@)")
"""The last of a signature, in a reply address as in a Message-ID."""


class Received(NamedTuple):
    """A mail of ours in a customer's mailbox. SMTP knows no repeat: they see each one that is taken."""

    who: str
    text: str
    fresh: bool = True


class MailFarSide:
    """A provider with our mailbox, and 20 customers who keep to one thread each."""

    people = tuple(f"customer{i}@example.net" for i in range(20))
    sends = "Message-ID:"  # of all that is said to either server only a mail of ours holds it
    brings = "BODY.PEEK"
    strange = ("text/plain", "text/calendar", "audio/amr", "application/pkcs7-mime", "application/ms-tnef")
    busy = b"452 4.7.28 too many mails from you just now\r\n"
    refusal = b"599 9.9.9 the postmaster is at sea\r\n"
    refusal_text = "the postmaster is at sea"
    trouble = (b"* BYE [UNAVAILABLE] going down", b"421 4.3.2 going down")
    before_sends = ("EHLO", "AUTH", "MAIL", "RCPT", "DATA")
    before_brings = ("LOGIN", "CAPABILITY", "SELECT", "SEARCH", "SIZE", "IDLE")
    url = ""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._mail = MailSandbox(now=self._now)
        self._mail.password = "marked-password-of-the-mailbox"

    async def __aenter__(self) -> Self:
        await self._mail.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._mail.__aexit__(kind, error, trace)

    def ports(self) -> Sequence[int]:
        return self._mail.imap_port, self._mail.smtp_port

    def settings(self, *urls: str) -> dict[str, Any]:
        settings = self._mail.settings()
        for server, url in zip(("imap", "smtp"), urls, strict=True):
            settings[server]["port"] = urlsplit(url).port
        return settings

    def secrets(self) -> Sequence[str]:
        user, password = self._mail.user, self._mail.password
        signs_in = (password, f"\0{user}\0{password}")  # AUTH LOGIN and AUTH PLAIN
        return (password, *(base64.b64encode(words.encode()).decode() for words in signs_in))

    async def join(self, callback_url: str) -> None:
        """Nobody calls."""

    def say(self, who: str, text: str, kind: str = "") -> None:
        office = self._mail.office
        known = who in office.letters
        mail = office.write(who, text.encode(errors="replace").decode(), "" if known else "订单 1234")
        if kind:
            mail.set_content(b"", *kind.split("/"))
        office.post(mail)

    def reply(self, who: str, to: str, text: str, *, spoilt: bool = False) -> None:
        mail = self._mail.office.write(to, text, "")
        mail.replace_header("From", who)
        for name in ("To", "In-Reply-To", "References") if spoilt else ():
            mail.replace_header(name, _SIGN.sub(lambda sign: "b" if sign[0] == "a" else "a", str(mail[name])))
        self._mail.office.post(mail)

    async def garble(self) -> None:
        self._mail.office.put(b"\0\0")

    async def forge(self) -> None:
        """Nobody calls."""

    def step(self, seconds: float) -> None:
        self._offset_s += seconds

    def shown(self) -> Sequence[Received]:
        return [Received(who, letter.text) for who, box in self._mail.ledger().items() for letter in box]

    def _now(self) -> float:
        return time.time() + self._offset_s


FAR_SIDE = MailFarSide
