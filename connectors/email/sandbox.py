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
from collections.abc import Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from connectors.email.post_office import Letter, PostOffice
from connectors.email.sandbox_http import build_app
from connectors.email.sandbox_imap import ImapSession
from connectors.email.sandbox_smtp import smtp_session
from hub.kit.serving import HOST, serving

OURS = "kefu@example.com"


class Faults(msgspec.Struct):
    """What goes wrong at the moment.

    SMTP: `refuse` each recipient with this answer ("550 5.1.1 nobody"), or the first time (`greylist`); answer only
    after `slow_s`; cut the line after the mail was taken; take mail from nobody but the user; let mail `bounce` later.
    IMAP: `drop` the line after a command, say `bye`, answer `no` to fetching a mail, or be `silent` on an open line.
    Both: refuse to let us `sign_in`; deliver each customer's mail twice (`duplicate`).
    """

    refuse: str = ""
    greylist: bool = False
    slow_s: float = 0.0
    drop_after_data: bool = False
    own_sender_only: bool = False
    bounce: bool = False
    imap: Literal["", "drop", "bye", "no", "silent"] = ""
    sign_in: bool = False
    duplicate: bool = False


class MailSandbox:
    """The provider while it runs; `url` is the customers' webmail."""

    def __init__(
        self, *, port: int = 0, imap_port: int = 0, smtp_port: int = 0, now: Callable[[], float] = time.time
    ) -> None:
        self.user, self.password = "kefu", "stand-in"
        self.faults = Faults()
        self.office = PostOffice(OURS, now)
        self.greylisted: set[str] = set()
        self.senders: list[str] = []
        """Of each mail that was taken, the envelope's sender."""
        self.sign_ins = 0
        """How often somebody has given a password to the IMAP server, right or wrong."""
        self.stopping = asyncio.Event()
        self.url = ""
        self.imap_port, self.smtp_port = imap_port, smtp_port
        self._port = port
        self._sessions: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._imap = await asyncio.start_server(self._serve_imap, HOST, self.imap_port)
        self._smtp = await asyncio.get_running_loop().create_server(lambda: smtp_session(self), HOST, self.smtp_port)
        self.imap_port, self.smtp_port = (server.sockets[0].getsockname()[1] for server in (self._imap, self._smtp))
        self._http = serving(build_app(self), self._port)
        self.url = await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.office.ring()
        self._imap.close()
        self._smtp.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        await self._http.__aexit__(kind, error, trace)

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

    async def _serve_imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)
        await ImapSession(self, reader, writer).run()

    @contextlib.contextmanager
    def faulty(self, **switches: Any) -> Generator[None, None, None]:
        """`with mail.faulty(greylist=True): …`, the names being those of Faults."""
        before = {name: getattr(self.faults, name) for name in switches}
        self.switch(switches)
        try:
            yield
        finally:
            self.switch(before)

    def switch(self, switches: Mapping[str, Any]) -> None:
        """Set some of Faults; ValueError for a name or value that is none."""
        unknown = switches.keys() - set(Faults.__struct_fields__)
        if unknown:
            raise ValueError(f"no fault is called {', '.join(sorted(unknown))}: {', '.join(Faults.__struct_fields__)}")
        self.faults = msgspec.convert({**msgspec.to_builtins(self.faults), **switches}, Faults)

    # --- what customers do -------------------------------------------------------------------------------------------

    def say(self, address: str, text: str, *, subject: str = "", files: Sequence[tuple[str, str, bytes]] = ()) -> str:
        """A customer writes a mail, or where there is no `subject` answers the last one; its Message-ID.

        `files` are name, media type and content.
        """
        mail = self.office.write(address, text, subject, files)
        id_ = self.office.post(mail)
        if self.faults.duplicate:
            self.office.put(mail.as_bytes())
        return id_

    def ledger(self) -> dict[str, list[Letter]]:
        """All mail that each customer got from us, in its order; a repeat has the Message-ID of the first."""
        return {who: [one for one in box if one.side == "us"] for who, box in self.office.letters.items()}

    async def letters(self, address: str, after: int = 0, wait_s: float = 0) -> list[Letter]:
        """What lies in a customer's mailbox after place `after`, their own too; waits up to `wait_s` for the first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while len(self.office.letters.get(address.casefold(), [])) <= after and not self.stopping.is_set():
                    await self.office.news.wait()
        return self.office.letters.get(address.casefold(), [])[after:]

    # --- what the servers do -----------------------------------------------------------------------------------------

    def took(self, address: str, data: bytes, sender: str) -> None:
        """The SMTP server has taken a mail of ours."""
        self.senders.append(sender)
        if not self.faults.bounce:
            self.office.deliver(address, data)
        elif sender:  # nobody wants to hear of the others
            self.office.bounce(data, address, "550 5.1.1 no such user")

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the servers run."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.stopping.wait()


SANDBOX = MailSandbox
"""By this name the demo finds the stand-in."""


async def _run(port: int) -> None:
    async with MailSandbox(port=port) as mail:
        print(f"webmail: {mail.url}/   channels.email in config/hub.yaml:")
        print(json.dumps(mail.settings(), indent=2))  # JSON is YAML
        await asyncio.Event().wait()


def main() -> None:
    """`python -m connectors.email.sandbox`; Ctrl-C ends it."""
    parser = argparse.ArgumentParser(prog="python -m connectors.email.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8098)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args().port))


if __name__ == "__main__":
    main()
