"""The stand-in's IMAP server (RFC 3501, IDLE, MOVE, ID): what reading mail takes of it, and faults."""

import asyncio
import base64
import contextlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from connectors.email.post_office import Kept

if TYPE_CHECKING:
    from connectors.email.sandbox import MailSandbox

_CAPABILITIES = b"IMAP4rev1 ID IDLE MOVE"
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_PART = re.compile(r"BODY\.PEEK\[\](?:<(\d+)\.(\d+)>)?")
_PACKED = re.compile(r"&([^-]*)-")


class ImapSession:
    """One client's connection."""

    def __init__(self, mail: "MailSandbox", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._mail, self._reader, self._writer = mail, reader, writer
        self._signed_in = self._named = False
        self._told = 0

    async def run(self, *, greets: bool = True) -> None:
        """Serve until the client or a fault ends it; no greeting where there was one before STARTTLS."""
        if greets:
            self._say(b"* OK stand-in ready")
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while line := await self._reader.readline():
                tag, _, command = line.decode("latin-1").strip().partition(" ")
                await self._answer(tag.encode(), command)
                if self._mail.faults.imap == "bye":
                    self._say(b"* BYE [UNAVAILABLE] the server is going down")
                if self._mail.faults.imap in ("bye", "drop") or command.upper() == "LOGOUT":
                    break
                await self._writer.drain()
        self._writer.close()

    async def _answer(self, tag: bytes, command: str) -> None:
        name, _, rest = command.partition(" ")
        await self._silence()
        words = [quoted or plain for quoted, plain in _WORD.findall(rest)]
        self._mail.sign_ins += name.upper() == "LOGIN"
        match name.upper():
            case "CAPABILITY":
                self._say(b"* CAPABILITY " + _CAPABILITIES)
            case "LOGIN" if words != [self._mail.user, self._mail.password] or self._mail.faults.sign_in:
                return self._say(tag + b" NO [AUTHENTICATIONFAILED] LOGIN Login error or password error")
            case "LOGIN":
                self._signed_in = True
            case "ID":
                self._named = True
                self._say(b'* ID ("name" "stand-in")')
            case "SELECT" if not (self._signed_in and self._named):
                return self._say(tag + b" NO SELECT Unsafe Login. Please contact kefu@188.com for help")
            case "SELECT" if words[0] not in self._mail.office.folders:
                return self._say(tag + b" NO [NONEXISTENT] no such folder")
            case "SELECT":
                self._tell()
                self._say(b"* OK [UIDVALIDITY %d] UIDs valid" % self._mail.office.validity)
            case "UID" if words[0].upper() == "FETCH" and self._mail.faults.imap == "no" and "BODY" in rest:
                return self._say(tag + b" NO [SERVERBUG] internal error")
            case "UID":
                self._uid(words[0].upper(), words[1], rest)
            case "IDLE":
                await self._idle()
                await self._silence()
            case "NOOP" | "LOGOUT":
                pass
            case _:
                return self._say(tag + b" BAD unknown command")
        return self._say(tag + b" OK done")

    def _uid(self, what: str, which: str, rest: str) -> None:
        match what:
            case "SEARCH":
                self._say(b"* SEARCH" + b"".join(b" %d" % kept.uid for kept in self._found(rest.split()[1:])))
            case "FETCH":
                for number, kept in self._chosen(which):
                    self._say(b"* %d FETCH (UID %d %s)" % (number, kept.uid, _part(kept, rest)))
            case "STORE":
                for _, kept in self._chosen(which):
                    kept.flags |= set(re.findall(r"\\\w+", rest))
            case "MOVE":
                folder = _unpacked(_WORD.findall(rest)[2][0])
                for _, kept in list(self._chosen(which)):
                    self._inbox.remove(kept)
                    self._mail.office.folders.setdefault(folder, []).append(kept)

    async def _idle(self) -> None:
        self._say(b"+ idling")
        if len(self._inbox) != self._told:
            self._tell()
        done = asyncio.create_task(self._reader.readline())
        while not done.done():
            news = asyncio.create_task(self._mail.office.news.wait())
            await asyncio.wait({done, news}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            if self._mail.faults.imap in ("drop", "bye"):
                return
            if not done.done():
                self._tell()

    def _tell(self) -> None:
        self._told = len(self._inbox)
        self._say(b"* %d EXISTS" % self._told)

    async def _silence(self) -> None:
        if self._mail.faults.imap == "silent":
            await self._mail.stopping.wait()

    @property
    def _inbox(self) -> list[Kept]:
        return self._mail.office.folders["INBOX"]

    def _found(self, criterion: list[str]) -> list[Kept]:
        match criterion:
            case ["UID", range_]:
                return [kept for _, kept in self._chosen(range_)]
            case ["SINCE", day]:
                since = datetime.strptime(day, "%d-%b-%Y").date()
                return [kept for kept in self._inbox if kept.at.date() >= since]
        return self._inbox

    def _chosen(self, which: str) -> Iterator[tuple[int, Kept]]:
        """Those of a set of UIDs, with their places; `*` is the last one's (RFC 3501, 6.4.8)."""
        last = max((kept.uid for kept in self._inbox), default=0)
        spans = [sorted(int(end.replace("*", str(last))) for end in span.split(":")) for span in which.split(",")]
        for number, kept in enumerate(self._inbox, 1):
            if any(span[0] <= kept.uid <= span[-1] for span in spans):
                yield number, kept

    def _say(self, line: bytes) -> None:
        self._writer.write(line + b"\r\n")


def _part(kept: Kept, wanted: str) -> bytes:
    found = _PART.search(wanted)
    if found is None:
        return b"RFC822.SIZE %d" % len(kept.data)
    start = int(found[1] or 0)
    data = kept.data[start : start + int(found[2] or len(kept.data))]
    return b"BODY[]%s {%d}\r\n%s" % (b"<%d>" % start if found[2] else b"", len(data), data)


def _unpacked(folder: str) -> str:
    """A folder's name out of modified UTF-7."""

    def one(found: re.Match[str]) -> str:
        packed = found[1].replace(",", "/")
        return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-16-be") or "&"

    return _PACKED.sub(one, folder)
