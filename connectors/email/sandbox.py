"""A stand-in for a mail provider: IMAP and SMTP servers with one mailbox of ours, and a webmail page for customers.

    async with MailSandbox() as mail:
        mail.settings()                                   # channels.email in config/hub.yaml
        mail.say("zhang@example.net", "在吗", subject="订单 1234")
        mail.ledger()["zhang@example.net"]                # what they got

or `python -m connectors.email.sandbox`. All of it listens on loopback only.
"""

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from litestar import Litestar

from connectors.email.post_office import Letter, PostOffice
from connectors.email.sandbox_http import build_app
from connectors.email.sandbox_imap import ImapSession
from connectors.email.sandbox_smtp import smtp_session
from hub.kit.serving import HOST, run_alone
from hub.kit.stand_in import StandIn

OURS = "kefu@example.com"


class Faults(msgspec.Struct):
    """What goes wrong at the moment.

    SMTP: `refuse` each recipient with this answer ("550 5.1.1 nobody"), or the first time (`greylist`); answer only
    after `slow_s`; cut the line when every n-th mail was taken (`drop_after_data`, 0: never); take mail from nobody but
    the user; let mail `bounce` later.
    IMAP: `drop` the line after a command, say `bye`, answer `no` to fetching a mail, or be `silent` on an open line.
    Both: refuse to let us `sign_in`; deliver each customer's mail twice (`duplicate`).
    """

    refuse: str = ""
    greylist: bool = False
    slow_s: float = 0.0
    drop_after_data: int = 0
    own_sender_only: bool = False
    bounce: bool = False
    imap: Literal["", "drop", "bye", "no", "silent"] = ""
    sign_in: bool = False
    duplicate: bool = False


class MailSandbox(StandIn[Faults]):
    """The provider while it runs; `url` is the customers' webmail."""

    def __init__(
        self, *, port: int = 0, imap_port: int = 0, smtp_port: int = 0, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(Faults(), port)
        self.user, self.password = "kefu", "stand-in"
        self.office = PostOffice(OURS, now)
        self.greylisted: set[str] = set()
        self.senders: list[str] = []
        """Of each mail that was taken, the envelope's sender."""
        self.sign_ins = 0
        """How often somebody has given a password to the IMAP server, right or wrong."""
        self.imap_port, self.smtp_port = imap_port, smtp_port

    def app(self) -> Litestar:
        """The webmail, and a console."""
        return build_app(self)

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """The IMAP and the SMTP server."""
        imap = await asyncio.start_server(
            lambda reader, writer: self.begin(ImapSession(self, reader, writer).run()), HOST, self.imap_port
        )
        stack.callback(imap.close)
        smtp = await asyncio.get_running_loop().create_server(lambda: smtp_session(self), HOST, self.smtp_port)
        stack.callback(smtp.close)
        self.imap_port, self.smtp_port = (server.sockets[0].getsockname()[1] for server in (imap, smtp))

    def settings(self) -> dict[str, Any]:
        """What belongs under channels.email in config/hub.yaml to use this stand-in."""
        account = {"host": HOST, "tls": "none", "user": self.user, "password": self.password}
        return {
            "address": OURS,
            "name": "Kefu Hub",
            "imap": account | {"port": self.imap_port},
            "smtp": account | {"port": self.smtp_port},
            "fold_s": 0,
        }

    # --- what customers do -------------------------------------------------------------------------------------------

    def say(
        self,
        address: str,
        text: str,
        *,
        subject: str = "",
        files: Sequence[tuple[str, str, bytes]] = (),
        answers: str = "",
    ) -> str:
        """Somebody writes a mail, or where there is no `subject` answers one; its Message-ID.

        They answer the one with the Message-ID `answers`, or else the last. `files` are name, media type and content.
        """
        mail = self.office.write(address, text, subject, files, answers)
        id_ = self.office.post(mail)
        if self.faults.duplicate:
            self.office.put(mail.as_bytes())
        return id_

    def ledger(self) -> dict[str, list[Letter]]:
        """All mail that each customer got from us, in its order; a repeat has the Message-ID of the first."""
        return {who: [one for one in box if one.side == "us"] for who, box in self.office.letters.items()}

    async def letters(self, address: str, after: int = 0, wait_s: float = 0) -> list[Letter]:
        """What lies in a customer's mailbox after place `after`, their own too; waits up to `wait_s` for the first."""
        await self.until(lambda: len(self.office.letters.get(address.casefold(), [])) > after, wait_s)
        return self.office.letters.get(address.casefold(), [])[after:]

    def news(self, key: str) -> asyncio.Event:
        """The post office's, which knows of all that arrives."""
        return self.office.news

    def wake(self) -> None:
        """Wake all who wait for mail."""
        self.office.ring()

    # --- what the servers do -----------------------------------------------------------------------------------------

    def took(self, address: str, data: bytes, sender: str) -> None:
        """The SMTP server has taken a mail of ours."""
        self.senders.append(sender)
        if not self.faults.bounce:
            self.office.deliver(address, data)
        elif sender:  # nobody wants to hear of the others
            self.office.bounce(data, address, "550 5.1.1 no such user")


SANDBOX = MailSandbox
"""By this name the demo finds the stand-in."""


async def _run(port: int) -> None:
    async with MailSandbox(port=port) as mail:
        print(f"webmail: {mail.url}/   channels.email in config/hub.yaml:")
        print(json.dumps(mail.settings(), indent=2), flush=True)  # JSON is YAML
        await asyncio.Event().wait()


def main() -> None:
    """`python -m connectors.email.sandbox`; Ctrl-C ends it."""
    parser = argparse.ArgumentParser(prog="python -m connectors.email.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8096)
    run_alone(_run(parser.parse_args().port))


if __name__ == "__main__":
    main()
