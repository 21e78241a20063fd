"""A connection to an IMAP server (RFC 3501) with one folder open: no more of the protocol than reading mail takes.

Its own client, for three reasons: it ends at once when a pull is cancelled (one in a thread does not), it sees news
that came in the same packet as the answer to IDLE, and it hands out a mail as the bytes that it is.
"""

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from connectors.email.settings import Imap

ANSWER_S = 15.0
"""A server that is silent for so long is gone, whatever TCP believes."""
FETCH_S = 55.0
"""For a whole mail; the hub gives a pull 90 s."""
POLL_S = 15.0
"""Between two looks at a server without IDLE."""
MOST_LITERAL = 64 << 20
_MOST_LINE = 16 << 20
"""Of an answer to SEARCH: two million mails."""

_LITERAL = re.compile(rb"\{(\d{1,12})\}\r\n$")
_NUMBERED = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]")
_NEWS = re.compile(rb"\* \d+ (?:EXISTS|RECENT)\b")
_ALERT = re.compile(rb"\[(?:ALERT|OVERQUOTA)\]\s*(.*)")
_NOT_ASCII = re.compile("[^ -~]+")
_ID = b'ID ("name" "kefu-hub" "version" "1" "vendor" "kefu-hub")'


class ImapFailed(Exception):
    """The server cannot be used at this moment; the message says which, and why."""


class SignInRefused(ImapFailed):
    """Wrong user or password: nothing will change until a person has put it right."""


class CommandRefused(ImapFailed):
    """The server answered NO or BAD to one command; the connection is as good as before. `said`: its own words."""

    def __init__(self, place: str, said: str) -> None:
        super().__init__(f"{place} refuses a command: {said}")
        self.said = said


@dataclass(frozen=True)
class Line:
    """One answer of the server: its text, and what came as literals inside it."""

    text: bytes
    literals: tuple[bytes, ...] = ()


class ImapConnection:
    """Signed in, with the folder selected. After any exception but CommandRefused it is of no more use: close it."""

    def __init__(self, server: Imap, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.uid_validity = 0
        self.alert = ""
        """What the server last wanted a person to read."""
        self._server, self._reader, self._writer = server, reader, writer
        self._capabilities: frozenset[bytes] = frozenset()
        self._tags = 0
        self._news = False

    @classmethod
    async def open(cls, server: Imap, tls: ssl.SSLContext) -> Self:
        """Connect, sign in, and select the folder. Raises ImapFailed, and SignInRefused."""
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection(
                    server.host, server.port, ssl=tls if server.tls == "tls" else None, limit=_MOST_LINE
                )
        except (OSError, TimeoutError) as error:
            raise ImapFailed(f"{_place(server)} cannot be reached: {error or type(error).__name__}") from error
        connection = cls(server, reader, writer)
        try:
            await connection._begin(tls)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """End it at once: nobody waits for the server."""
        self._writer.transport.abort()

    async def _begin(self, tls: ssl.SSLContext) -> None:
        async with self._patience(ANSWER_S):
            greeting = await self._line()
        if not greeting.text.startswith(b"* OK"):
            raise ImapFailed(f"{_place(self._server)} lets nobody in: {_said(self._server, greeting.text)}")
        if self._server.tls == "starttls":
            await self._start_tls(tls)
        await self._sign_in()
        self._capabilities = frozenset(b" ".join(line.text for line in await self._command(b"CAPABILITY")).split())
        if b"ID" in self._capabilities:  # without it 163 and 126 refuse SELECT: "Unsafe Login"
            await self._command(_ID)
        await self._select()

    async def _select(self) -> None:
        try:
            lines = await self._command(b"SELECT " + _quoted(_mailbox(self._server.folder)))
        except CommandRefused as error:
            raise ImapFailed(
                f"{_place(self._server)} does not open the folder {self._server.folder!r} ({error.said}):"
                " check channels.email.imap.folder"
            ) from error
        for line in lines:
            if found := _VALIDITY.search(line.text):
                self.uid_validity = int(found[1])
        if not self.uid_validity:
            raise ImapFailed(f"{_place(self._server)} gives {self._server.folder} no UIDVALIDITY: it cannot be read")

    async def _start_tls(self, tls: ssl.SSLContext) -> None:
        try:
            await self._command(b"STARTTLS")
        except CommandRefused as error:
            raise ImapFailed(f"{_place(self._server)} offers no STARTTLS: check channels.email.imap.tls") from error
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                if await self._reader.read(1):
                    raise ImapFailed(f"{_place(self._server)}: somebody has written in the open before TLS began")
        try:
            async with self._patience(ANSWER_S):
                await self._writer.start_tls(tls, server_hostname=self._server.host)
        except OSError as error:
            raise ImapFailed(f"{_place(self._server)}: no TLS: {error or type(error).__name__}") from error

    async def _sign_in(self) -> None:
        user, password = self._server.user, self._server.password.get_secret_value()
        try:
            await self._command(b"LOGIN " + _quoted(user) + b" " + _quoted(password))
        except CommandRefused as error:
            raise SignInRefused(
                f"{_place(self._server)} refuses the user or the authorisation code ({error.said}):"
                " check channels.email.imap"
            ) from error

    # --- reading -----------------------------------------------------------------------------------------------------

    async def uids(self, criterion: str) -> list[int]:
        """The UIDs of the mails that fit, in their order."""
        await self._command(b"NOOP")  # some servers show new mail only then
        self._news = False
        lines = await self._command(b"UID SEARCH " + criterion.encode())
        found = [line.text.removeprefix(b"* SEARCH").split() for line in lines if line.text.startswith(b"* SEARCH")]
        return sorted({int(uid) for uids in found for uid in uids if uid.isdigit()})

    async def sizes(self, uids: Iterable[int]) -> dict[int, int]:
        """Of each mail that is still there, its bytes."""
        lines = await self._command(b"UID FETCH " + _set(uids) + b" (UID RFC822.SIZE)")
        found = [(_NUMBERED.search(line.text), _SIZE.search(line.text)) for line in lines]
        return {int(uid[1]): int(size[1]) for uid, size in found if uid and size}

    async def mail(self, uid: int, first: int = 0) -> bytes | None:
        """The mail, or its `first` bytes; None when it is not there any more. It stays unread."""
        part = f"<0.{first}>" if first else ""
        lines = await self._command(f"UID FETCH {uid} (UID BODY.PEEK[]{part})".encode(), FETCH_S)
        for line in lines:
            found = _NUMBERED.search(line.text)
            if found and int(found[1]) == uid and b"BODY[]" in line.text:
                return line.literals[0] if line.literals else b""
        return None

    async def wait(self, seconds: float) -> None:
        """Return when there has been news since the last search began, at the latest after so long."""
        if self._news:  # told in the answer to SEARCH, say, and not told again
            return
        if b"IDLE" not in self._capabilities:
            await asyncio.sleep(min(seconds, POLL_S))
            return
        tag = self._send(b"IDLE")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._news:
                    await self._line()
        self._writer.write(b"DONE\r\n")
        await self._answer(tag, ANSWER_S)

    # --- what becomes of mail that was read --------------------------------------------------------------------------

    async def mark_seen(self, uids: Sequence[int]) -> None:
        """As if a person had read them."""
        await self._command(b"UID STORE " + _set(uids) + rb" +FLAGS.SILENT (\Seen)")

    async def move(self, uids: Sequence[int], folder: str) -> None:
        """To another folder. A server with neither MOVE nor UIDPLUS keeps them here too, marked as deleted."""
        numbers, target = _set(uids), _quoted(_mailbox(folder))
        if b"MOVE" in self._capabilities:
            await self._command(b"UID MOVE " + numbers + b" " + target)
            return
        await self._command(b"UID COPY " + numbers + b" " + target)
        await self._command(b"UID STORE " + numbers + rb" +FLAGS.SILENT (\Deleted)")
        if b"UIDPLUS" in self._capabilities:  # a plain EXPUNGE would delete what other programs have marked
            await self._command(b"UID EXPUNGE " + numbers)

    # --- the protocol ------------------------------------------------------------------------------------------------

    async def _command(self, command: bytes, patience_s: float = 0) -> list[Line]:
        """The untagged answers; without `patience_s` within ANSWER_S. Raises CommandRefused."""
        return await self._answer(self._send(command), patience_s or ANSWER_S)

    def _send(self, command: bytes) -> bytes:
        self._tags += 1
        tag = b"K%d" % self._tags
        self._writer.write(tag + b" " + command + b"\r\n")
        return tag

    async def _answer(self, tag: bytes, patience_s: float) -> list[Line]:
        lines: list[Line] = []
        async with self._patience(patience_s):
            while not (line := await self._line()).text.startswith(tag + b" "):
                lines.append(line)
        status, _, said = line.text.removeprefix(tag + b" ").partition(b" ")
        if status.upper() != b"OK":
            raise CommandRefused(_place(self._server), _said(self._server, status + b" " + said))
        return [*lines, line]

    async def _line(self) -> Line:
        """The next answer, whole. Raises ImapFailed when there will be none."""
        text, literals = b"", list[bytes]()
        try:
            while True:
                text += await self._reader.readuntil(b"\r\n")
                if not (found := _LITERAL.search(text)):
                    break
                if int(found[1]) > MOST_LITERAL:
                    raise ImapFailed(f"{_place(self._server)} wants to send {int(found[1]):,} bytes at once")
                text = text[: found.start()]
                literals.append(await self._reader.readexactly(int(found[1])))
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise ImapFailed(f"{_place(self._server)} has broken off ({type(error).__name__})") from error
        text = text.rstrip()
        if found := _ALERT.search(text):
            self.alert = _said(self._server, found[1])
        self._news = self._news or _NEWS.match(text) is not None
        if text.upper().startswith(b"* BYE"):
            raise ImapFailed(f"{_place(self._server)} says good-bye: {_said(self._server, text[5:])}")
        return Line(text, tuple(literals))

    @contextlib.asynccontextmanager
    async def _patience(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise ImapFailed(f"{_place(self._server)} has not answered for {seconds:.0f} s") from None


def _place(server: Imap) -> str:
    return f"the IMAP server {server.host}:{server.port}"


def _said(server: Imap, text: bytes) -> str:
    return " ".join(server.hide(text.decode("utf-8", "replace")).split())[:200]


def _set(uids: Iterable[int]) -> bytes:
    return ",".join(str(uid) for uid in uids).encode()


def _quoted(text: str) -> bytes:
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'


def _mailbox(folder: str) -> str:
    """A folder's name in modified UTF-7 (RFC 3501, 5.1.3)."""

    def packed(found: re.Match[str]) -> str:
        encoded = base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
        return f"&{encoded}-"

    return _NOT_ASCII.sub(packed, folder.replace("&", "&-"))
