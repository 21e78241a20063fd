"""The stand-in for a mail provider, as the conformance kit wants it (hub.kit.far_side.FarSide, SpeaksLines)."""

import base64
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from connectors.email.sandbox import MailSandbox
from hub.kit.far_side import Shown
from hub.kit.stand_in import PlayedBy

_SIGN = re.compile("[a-z2-7](?=@)")
"""The last of a signature, in a reply address as in a Message-ID."""


class MailFarSide(PlayedBy[MailSandbox]):
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

    def __init__(self) -> None:
        super().__init__(lambda now: MailSandbox(now=now))
        self.stand_in.password = "marked-password-of-the-mailbox"

    @property
    def url(self) -> str:
        """It speaks no HTTP."""
        return ""

    def ports(self) -> Sequence[int]:
        return self.stand_in.imap_port, self.stand_in.smtp_port

    def settings(self, *urls: str) -> dict[str, Any]:
        settings = self.stand_in.settings()
        for server, url in zip(("imap", "smtp"), urls, strict=True):
            settings[server]["port"] = urlsplit(url).port
        return settings

    def secrets(self) -> Sequence[str]:
        user, password = self.stand_in.user, self.stand_in.password
        signs_in = (password, f"\0{user}\0{password}")  # AUTH LOGIN and AUTH PLAIN
        return (password, *(base64.b64encode(words.encode()).decode() for words in signs_in))

    async def join(self, callback_url: str) -> None:
        """Nobody calls."""

    def say(self, who: str, text: str, kind: str = "") -> None:
        office = self.stand_in.office
        known = who in office.letters
        mail = office.write(who, text.encode(errors="replace").decode(), "" if known else "订单 1234")
        if kind:
            mail.set_content(b"", *kind.split("/"))
        office.post(mail)

    def reply(self, who: str, to: str, text: str, *, spoilt: bool = False) -> None:
        mail = self.stand_in.office.write(to, text, "")
        mail.replace_header("From", who)
        for name in ("To", "In-Reply-To", "References") if spoilt else ():
            mail.replace_header(name, _SIGN.sub(lambda sign: "b" if sign[0] == "a" else "a", str(mail[name])))
        self.stand_in.office.post(mail)

    async def garble(self) -> None:
        self.stand_in.office.put(b"\0\0")

    async def forge(self) -> None:
        """Nobody calls."""

    def shown(self) -> Sequence[Shown]:
        return [Shown(who, letter.text) for who, box in self.stand_in.ledger().items() for letter in box]


FAR_SIDE = MailFarSide
