"""The stand-in's mail: what lies in our mailbox, what customers got, and how customers' mails are written.

Written and read with the standard library, so that the codec of the channel is not tested against itself.
"""

import asyncio
import email
import email.policy
import email.utils
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Literal

import msgspec

_POLICY = email.policy.SMTP.clone(max_line_length=998)  # shorter lines would break long message ids


class Letter(msgspec.Struct):
    """A mail as the customer sees it, in place `n` of their mailbox."""

    n: int
    side: Literal["customer", "us"]
    message_id: str
    subject: str
    text: str
    sender: str
    reply_to: str
    references: str
    automatic: bool
    files: list[str]
    at: float


@dataclass
class Kept:
    """A mail in a folder of ours."""

    uid: int
    data: bytes
    at: datetime
    flags: set[str] = field(default_factory=set)


class PostOffice:
    """All mailboxes. `ours` is the address to which customers write; `now` the clock of all servers and customers."""

    def __init__(self, ours: str, now: Callable[[], float] = time.time) -> None:
        self.ours = ours
        self.folders: dict[str, list[Kept]] = {"INBOX": []}
        self.validity = int(now())
        self.letters: dict[str, list[Letter]] = {}
        self.news = asyncio.Event()
        self._now = now
        self._uids = itertools.count(1)
        self._serials = itertools.count(time.time_ns())

    # --- our mailbox -------------------------------------------------------------------------------------------------

    def put(self, data: bytes, at: datetime | None = None) -> int:
        """A mail arrives for us; its UID."""
        uid = next(self._uids)
        self.folders["INBOX"].append(Kept(uid, data, at or self._date()))
        self.ring()
        return uid

    def renumber(self) -> None:
        """The server has lost its index: all UIDs are new."""
        self.validity += 1
        self._uids = itertools.count(1)
        for kept in self.folders["INBOX"]:
            kept.uid = next(self._uids)

    # --- customers ---------------------------------------------------------------------------------------------------

    def deliver(self, to: str, data: bytes) -> None:
        """A mail of ours arrives: at a customer, or back in our own mailbox."""
        local, _, domain = to.casefold().rpartition("@")
        if f"{local.partition('+')[0]}@{domain}" == self.ours.casefold():
            self.put(data)
            return
        self._keep(to, "us", _read(data))

    def write(
        self, sender: str, text: str, subject: str, files: Sequence[tuple[str, str, bytes]] = (), answers: str = ""
    ) -> EmailMessage:
        """A customer's mail: without a `subject` they answer the one with the Message-ID `answers`, else the last one
        of ours, else their own, quoted below.
        """
        mail = EmailMessage(_POLICY)
        last = None if subject else self._answered(sender, answers)
        mail["From"], mail["To"] = sender, (last.reply_to or last.sender) if last and last.side == "us" else self.ours
        mail["Date"] = email.utils.format_datetime(self._date())
        mail["Message-ID"] = f"<{next(self._serials)}@{sender.rpartition('@')[2]}>"
        if last:
            mail["In-Reply-To"], mail["References"] = last.message_id, f"{last.references} {last.message_id}".strip()
            quoted = "".join(f"> {line}\n" for line in last.text.splitlines())
            text = f"{text}\n\n在 2026年11月26日，{last.sender} 写道：\n{quoted}"
        mail["Subject"] = subject or (last.subject if last else "")
        mail.set_content(text)
        for name, type_, content in files:
            mail.add_attachment(content, *type_.split("/"), filename=name)
        return mail

    def _answered(self, whose: str, id_: str) -> Letter | None:
        """What somebody answers."""
        box = self.letters.get(whose.casefold(), [])
        if id_:
            return next((one for one in box if one.message_id == id_), None)
        return next((one for one in reversed(box) if one.side == "us"), box[-1] if box else None)

    def post(self, mail: EmailMessage) -> str:
        """The customer sends it; its Message-ID."""
        self._keep(email.utils.parseaddr(str(mail["From"]))[1], "customer", mail)
        self.put(mail.as_bytes())
        return str(mail["Message-ID"])

    def bounce(self, data: bytes, to: str, because: str) -> None:
        """The mail `data` of ours comes back from another server (RFC 3464)."""
        head = data.partition(b"\r\n\r\n")[0].decode()
        self.put(
            (
                f"From: MAILER-DAEMON@example.net\r\nTo: {self.ours}\r\nSubject: Undelivered Mail\r\n"
                f"Message-ID: <bounce-{next(self._serials)}@example.net>\r\nAuto-Submitted: auto-replied\r\n"
                "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
                f"--b\r\n\r\nYour mail to {to} could not be delivered.\r\n"
                "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"
                f"Final-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                f"Diagnostic-Code: smtp; {because}\r\n\r\n"
                f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{head}\r\n\r\n--b--\r\n"
            ).encode()
        )

    def _keep(self, whose: str, side: Literal["customer", "us"], mail: EmailMessage) -> None:
        box = self.letters.setdefault(whose.casefold(), [])
        body = mail.get_body(("plain",))
        box.append(
            Letter(
                len(box) + 1, side, _field(mail, "message-id"), _field(mail, "subject"),
                str(body.get_content()).strip().replace("\r\n", "\n") if body else "",
                _field(mail, "from"), _field(mail, "reply-to"), _field(mail, "references"),
                "auto-submitted" in mail, [part.get_filename() or "" for part in mail.iter_attachments()], self._now(),
            )
        )  # fmt: skip
        self.ring()

    def _date(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)

    def ring(self) -> None:
        """Wake all who wait for news."""
        self.news.set()
        self.news = asyncio.Event()


def _read(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def _field(mail: EmailMessage, name: str) -> str:
    return " ".join(str(mail.get(name, "")).split())
