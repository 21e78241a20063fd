"""Email as a channel: mail of visitors and agents is pulled from a mailbox by IMAP, answers leave by SMTP."""

import asyncio
import dataclasses
import datetime
import ssl
import time

from connectors.email.codec import Reader, compose_answer, compose_for_agent, id_of
from connectors.email.compose import Attachment, is_address
from connectors.email.inbox import Arrived, Inbox
from connectors.email.loops import MOST, WITHIN_S, Budget
from connectors.email.settings import EmailSettings
from connectors.email.smtp import Outgoing, send
from hub.contract import (
    Capabilities,
    Connector,
    Delivery,
    FileLimit,
    Item,
    Parsed,
    Pulled,
    Raw,
    Refused,
    Retry,
    Sent,
    Surroundings,
    Unknown,
    Verdict,
)

SIZE, NOT_GIVEN = "size", "not-given"
"""How many bytes a mail has of which only the beginning was read; or why the server has given none of it."""
MOST_TEXT = 30_000
"""Characters of a mail: it rides whole in the log."""
MOST_FILES = 14_000_000
"""Bytes of all files of a mail: base64 makes 19 MB of them, which the strictest of the large providers take."""


class Email(Connector):
    """Visitors who write mail, and agents who answer by it."""

    Settings = EmailSettings
    can = Capabilities(
        role="both",
        max_text=MOST_TEXT,
        unit="characters",
        files=(FileLimit("*/*", MOST_FILES),),
        files_with_text=True,
        fold_ms=60_000,
        recognises_s=0,  # SMTP has no key; that some servers drop a second mail with the same Message-ID is no promise
    )
    pulls = True

    def __init__(self, settings: EmailSettings) -> None:
        super().__init__(settings)
        self.can = dataclasses.replace(type(self).can, fold_ms=settings.fold_s * 1000)
        self._email = settings
        self._tls = ssl.create_default_context()
        self._inbox = Inbox(settings.imap, self._tls)
        self._budget = Budget()
        self._outage = ""

    async def start(self, surroundings: Surroundings) -> None:
        self._key = surroundings.key
        self._reader = Reader(self._email, surroundings.key)

    async def stop(self) -> None:
        self._inbox.close()

    def health(self) -> str:
        return "; ".join(filter(None, (self._inbox.trouble, self._outage)))

    async def pull(self, cursor: str) -> Pulled:
        batch = await self._inbox.pull(cursor)
        return Pulled(batch.cursor, [Item(mail.data, _beside(mail)) for mail in batch.mails])

    def parse(self, raw: Raw) -> Parsed:
        if NOT_GIVEN in raw.headers:
            return Parsed(unparsed=raw.headers[NOT_GIVEN])
        size = int(raw.headers.get(SIZE, len(raw.body)))
        return self._reader.parse(raw.body, size, raw.received_at_ms)

    async def deliver(self, delivery: Delivery) -> Verdict:
        if not is_address(delivery.address):
            return Refused(f"{delivery.address!r} is no address that mail can be sent to", unreachable=True)
        total = sum(file.size for file in delivery.files)
        if total > MOST_FILES:
            return Refused(
                f"{total:,} bytes of files are too many for one mail, {MOST_FILES:,} fit: send them in several"
            )
        if delivery.automatic and not self._budget.take(delivery.address, time.monotonic()):
            hours = WITHIN_S / 3600
            return Refused(f"{delivery.address} had {MOST} automatic answers in {hours:.0f} hours: a program, it seems")
        files = [
            Attachment(file.name, file.type, b"".join([chunk async for chunk in file.read()]))
            for file in delivery.files
        ]
        now = datetime.datetime.now(datetime.UTC)
        compose = compose_for_agent if delivery.agent else compose_answer
        content = await asyncio.to_thread(compose, delivery, self._email, self._key, now, files)
        senders = ("", self._email.address) if delivery.automatic else (self._email.address,)
        verdict = await send(
            Outgoing(content, senders, delivery.address), self._email.smtp, self._tls, self._email.domain
        )
        if delivery.automatic and not isinstance(verdict, Sent | Unknown):
            self._budget.give_back(delivery.address)
        self._outage = verdict.because if isinstance(verdict, Retry) and verdict.everyone else ""
        return Sent(id_of(delivery, self._email, self._key)) if isinstance(verdict, Sent) else verdict


def _beside(mail: Arrived) -> dict[str, str]:
    """What is known of a mail beside its bytes, where they are not all of it."""
    if mail.because:
        return {NOT_GIVEN: mail.because}
    return {SIZE: str(mail.size)} if mail.size > len(mail.data) else {}


CONNECTOR = Email
