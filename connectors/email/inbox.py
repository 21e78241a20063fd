"""The mailbox in which visitors' mail arrives, read with a cursor: `<UIDVALIDITY>.<UID of the last mail that was had>`.

The connection is kept from one pull to the next, and opened anew after any trouble.
"""

import asyncio
import contextlib
import datetime
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.email.imap import CommandRefused, ImapConnection, ImapFailed, SignInRefused
from connectors.email.settings import Imap

MOST_MAILS, MOST_BYTES = 50, 20 << 20
"""Of one pull. A longer mail is read only so far as its beginning goes: at two megabits a second the rest would not
come within the time that a pull has."""
BEGINNING = 256 << 10
"""Bytes read of a mail that is longer than MOST_BYTES: its head and, as mail is written, its text."""
READING_S = 30.0
"""A pull that has read for so long brings what it has."""
WAIT_S = 25.0
QUIET_S = 0.5
"""After news that were none: a server that tells of the same mail over and over is not asked as fast as it can."""
SIGN_IN_AGAIN_S = 600.0
"""After a refused sign-in: providers lock mailboxes on which wrong passwords are tried."""
TRIES = 2
"""So often a mail that the server does not give, or gives too slowly, is asked for; then as often its beginning."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Arrived:
    """A mail in the mailbox. `size` is what the server says: `data` is shorter where only its beginning was read.

    `because`: why there is no `data`.
    """

    uid: int
    data: bytes
    size: int
    because: str = ""


@dataclass(frozen=True)
class Batch:
    """The next mails, and the cursor behind them."""

    cursor: str
    mails: Sequence[Arrived] = ()


class Inbox:
    """One mailbox; `trouble` says why it cannot be read at this moment, and since when."""

    def __init__(self, server: Imap, tls: ssl.SSLContext) -> None:
        self.trouble = ""
        self._server, self._tls = server, tls
        self._connection: ImapConnection | None = None
        self._failing_since = ""
        self._shut_out, self._signs_in_at = "", 0.0
        self._had = Batch("")
        self._tries: Counter[int] = Counter()

    async def pull(self, cursor: str) -> Batch:
        """What came after `cursor`; waits up to WAIT_S where there is nothing. Raises ImapFailed."""
        try:
            connection = await self._connected()
            await self._put_away(connection, cursor)
            batch = await self._next(connection, cursor)
            if not batch.mails:
                await connection.wait(WAIT_S)
                batch = await self._next(connection, batch.cursor)
            if not batch.mails:
                await asyncio.sleep(QUIET_S)
        except ImapFailed as error:
            self.close()
            self._failing_since = self._failing_since or datetime.datetime.now(datetime.UTC).strftime("%d %b %H:%M UTC")
            self.trouble = f"{error} (since {self._failing_since})"
            raise
        except BaseException:  # a cancelled one has left half an answer unread
            self.close()
            raise
        self._failing_since, self.trouble = "", connection.alert
        self._had = batch
        return batch

    def close(self) -> None:
        """End the connection; the next pull opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _connected(self) -> ImapConnection:
        if self._connection is None:
            if time.monotonic() < self._signs_in_at:
                raise SignInRefused(self._shut_out)
            try:
                self._connection = await ImapConnection.open(self._server, self._tls)
            except SignInRefused as error:
                self._shut_out, self._signs_in_at = str(error), time.monotonic() + SIGN_IN_AGAIN_S
                raise
        return self._connection

    async def _put_away(self, connection: ImapConnection, cursor: str) -> None:
        """What the last pull brought is safe in the hub now, if `cursor` is behind it."""
        uids = [mail.uid for mail in self._had.mails]
        if self._server.after == "keep" or not uids or cursor != self._had.cursor:
            return
        self._had = Batch("")
        try:
            if self._server.after == "seen":
                await connection.mark_seen(uids)
            else:
                await connection.move(uids, self._server.after)
        except CommandRefused as error:
            connection.alert = f"mail cannot be put away ({error.said}): check channels.email.imap.after"

    async def _next(self, connection: ImapConnection, cursor: str) -> Batch:
        validity, last = _parse(cursor)
        if validity == connection.uid_validity:
            uids = [uid for uid in await connection.uids(f"UID {last + 1}:*") if uid > last]  # * is the last, if older
        else:
            last = max(await connection.uids("ALL"), default=0)
            uids = await connection.uids(f"SINCE {_day(self._server.since_days)}")
        chosen = uids[:MOST_MAILS]
        mails, done = await self._read(connection, chosen) if chosen else ([], 0)
        last = max([last, *uids]) if done == len(uids) else chosen[done - 1]
        return Batch(f"{connection.uid_validity}.{last}", mails)

    async def _read(self, connection: ImapConnection, uids: Sequence[int]) -> tuple[list[Arrived], int]:
        """The mails that still exist, as many as fit; and how many of `uids` are done with."""
        sizes = await connection.sizes(uids)
        mails, total, ends_at = list[Arrived](), 0, time.monotonic() + READING_S
        for done, uid in enumerate(uids):
            size = sizes.get(uid, 0)
            if mails and (total + min(size, MOST_BYTES) > MOST_BYTES or time.monotonic() > ends_at):
                return mails, done
            try:
                mail = await self._fetch(connection, uid, size)
            except CommandRefused:
                if mails:
                    return mails, done
                raise
            if mail is not None:
                mails.append(mail)
                total += len(mail.data)
        return mails, len(uids)

    async def _fetch(self, connection: ImapConnection, uid: int, size: int) -> Arrived | None:
        """One mail. Whatever a server has against it, after some tries those behind it shall wait no longer."""
        self._tries[uid] += 1
        tries = self._tries[uid]
        if tries > 2 * TRIES:
            del self._tries[uid]
            because = f"the IMAP server has not given the mail {uid} of {size:,} bytes in {tries - 1} tries"
            return Arrived(uid, b"", size, because)
        data = await connection.mail(uid, BEGINNING if size > MOST_BYTES or tries > TRIES else 0)
        del self._tries[uid]
        return None if data is None else Arrived(uid, data, size)


def _parse(cursor: str) -> tuple[int, int]:
    validity, last = 0, 0
    with contextlib.suppress(ValueError):
        validity, last = (int(number) for number in cursor.split("."))
    return validity, last


def _day(days_ago: int) -> str:
    """A date as IMAP writes it, whatever the locale."""
    day = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days_ago)
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"
