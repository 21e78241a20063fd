"""Visitors who write mail: the stand-in for a mail provider, over real IMAP and SMTP."""

import random
from collections.abc import Sequence
from typing import Any

from connectors.email.sandbox import MailSandbox
from hub.demo.channels import Channel, PlatformClient

FOLD_S = 1
"""Answers that an agent types within so many seconds are one mail. A shop waits longer, nobody who tries it does."""
ACCEPTS_AFTER_S = 0.3
"""So long a mail server takes before it says that it has a mail: a hub that dies within that does not know."""


class MailVisitor(PlatformClient):
    """One visitor's mailbox, as its webmail shows it. Nothing tells them that the hub has their mail."""

    def __init__(self, mail: MailSandbox, address: str) -> None:
        super().__init__()
        self._mail = mail
        self._address = address
        self._thread = ""
        """The Message-ID of their first mail."""

    def say(self, text: str) -> None:
        """The first mail has what it says as its subject too, as hurried people write. Later ones answer our last, or
        go on from the first: a mail without reference to another one begins a new conversation.
        """
        subject = f"Re: {self.texts[0]}" if self.texts else text
        letter = self._mail.office.write(self._address, text, "" if self.answers() else subject)
        if self.texts and not self.answers():
            letter["In-Reply-To"] = letter["References"] = self._thread
        self.texts.append(text)
        sent = self._mail.office.post(letter)
        self._thread = self._thread or sent
        if self._mail.faults.duplicate:
            self._mail.office.put(letter.as_bytes())

    def taken(self) -> Sequence[bool]:
        return [True] * len(self.texts)

    def answers(self) -> Sequence[str]:
        return [letter.text for letter in self._mail.office.letters.get(self._address, []) if letter.side == "us"]


class Email(Channel):
    """Mail."""

    title, title_en = "邮件", "Mail"
    hint, hint_en = "写一封信，回信也到这里", "Write a mail; the answer arrives here too"

    def __init__(self) -> None:
        self.mail = MailSandbox()
        super().__init__(self.mail)

    def settings(self) -> dict[str, Any]:
        return self.mail.settings() | {"fold_s": FOLD_S}

    def client(self, hub_url: str, name: str, tag: str, rng: random.Random) -> PlatformClient:
        return MailVisitor(self.mail, f"{tag}@example.net")

    def join(self, hub_url: str) -> None:
        """It is the hub that asks for new mails."""

    def trouble(self) -> None:
        """Each mail comes to us twice, as by way of an alias; and the server is slow to say that it has ours."""
        self.mail.switch({"duplicate": True, "slow_s": ACCEPTS_AFTER_S})

    def page(self, hub_url: str) -> str:
        return f"{self.mail.url}/"


CHANNEL = Email
