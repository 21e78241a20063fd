"""The demo's agents who answer by mail: each conversation is a thread, and a command stands in the first line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from hub.demo.ledgers import Given
from hub.demo.lines import Line, Phone, Said
from hub.demo.reading import Block, Ended, Found, Reader
from hub.demo.stage import Letter, PostOffice

WAIT_S = 20.0
_THREAD = re.compile(r"(?:Re: )?\[#(\d+)\] ")

Show = Callable[[str, list[Found], str], None]
"""Called with a text that has come, what it says, and on which way."""


class Mail(Line):
    """A mailbox. A mail that comes once more, with the Message-ID that it had, is shown once, as mail programs do."""

    def __init__(self, address: str, post_office: PostOffice) -> None:
        self._address = address
        self._post_office = post_office
        self._reader = Reader()
        self._place = 0
        self._seen: set[str] = set()
        self._last = ""
        """The Message-ID of the last mail,"""
        self._threads: dict[int, str] = {}
        """and of the last one in each conversation's thread, by the number in its subject."""
        self._news = asyncio.Event()

    async def catch_up(self) -> list[Found]:
        """What the mails say that lie there already."""
        letters = await self._post_office.letters(self._address)
        self._place = len(letters)
        return [found for letter in letters if self._read(letter) for found in Reader().read(letter.text)]

    async def follow(self, show: Show) -> None:
        """Read what comes after that, for ever."""
        while True:
            letters = await self._post_office.letters(self._address, self._place, WAIT_S)
            self._place += len(letters)
            for letter in letters:
                if self._read(letter):
                    show(letter.text, self._reader.read(letter.text), "mail")

    def _read(self, letter: Letter) -> bool:
        """Whether it is from the hub, and none that was there before."""
        if letter.side != "us" or letter.message_id in self._seen:
            return False
        self._seen.add(letter.message_id)
        self._last = letter.message_id
        if thread := _THREAD.match(letter.subject):
            self._threads[int(thread[1])] = letter.message_id
        self._news.set()
        return True

    async def set_duty(self, *, on: bool) -> bool:
        return await self._reply("#上班" if on else "#下班")

    async def keep(self) -> bool:
        return await self._reply("#保留")

    async def cancel(self) -> bool:
        return await self._reply("#取消")

    async def answer(self, no: int, text: str) -> Said:
        return Said(await self._reply(text, no))

    async def note(self, no: int, text: str) -> bool:
        return await self._reply(f"#note {text}", no)

    async def close(self, no: int, because: str) -> bool:
        return await self._reply(f"#close {because}", no)

    async def transfer(self, no: int, to: Given, note: str) -> bool:
        return await self._reply(f"#transfer @{to.display} {note}", no)

    async def hold(self, no: int) -> bool:
        return await self._reply("#hold", no)

    async def _reply(self, text: str, no: int = 0) -> bool:
        """Answer the last mail of the conversation's thread, or with 0 the last of all; that there is one is waited
        for.
        """
        while not (answered := self._threads.get(no, "") if no else self._last):
            self._news.clear()
            await self._news.wait()
        self._post_office.say(self._address, text, answers=answered)
        return True


class Either(Line):
    """A phone and a mailbox, whichever the hub writes to. Each conversation is answered where it was read last.

    Of every second conversation its owner overlooks on the phone what the visitor writes, until it comes by mail.
    """

    def __init__(self, phone: Phone, mail: Mail) -> None:
        self.phone = phone
        self.mail = mail
        self._read_on: dict[int, Line] = {}

    def read_phone(self, text: str) -> list[Found]:
        """What of a text on the phone its owner takes in."""
        return self._note([found for found in self.phone.read(text) if not _overlooks(found)], self.phone)

    async def catch_up(self) -> list[Found]:
        """As Mail's."""
        return await self.mail.catch_up()

    async def follow(self, show: Show) -> None:
        """As Mail's."""
        await self.mail.follow(lambda text, found, way: show(text, self._read_mail(found), way))

    def _read_mail(self, found: list[Found]) -> list[Found]:
        """What a mail says; where a conversation has ended the phone is not used for it any more."""
        for one in found:
            if isinstance(one, Ended):
                self.phone.forget(one.no)
        return self._note(found, self.mail)

    def _note(self, found: list[Found], line: Line) -> list[Found]:
        self._read_on |= {one.no: line for one in found if isinstance(one, Block)}
        return found

    def _of(self, no: int) -> Line:
        return self._read_on.get(no, self.phone)

    async def set_duty(self, *, on: bool) -> bool:
        return await self.phone.set_duty(on=on)

    async def keep(self) -> bool:
        return await self.phone.keep()

    async def cancel(self) -> bool:
        return await self.phone.cancel()

    async def turn_to(self, no: int) -> bool:
        line = self._of(no)
        return await line.turn_to(no) and line is self._of(no)

    async def answer(self, no: int, text: str) -> Said:
        return await self._of(no).answer(no, text)

    async def note(self, no: int, text: str) -> bool:
        return await self._of(no).note(no, text)

    async def close(self, no: int, because: str) -> bool:
        return await self._of(no).close(no, because)

    async def transfer(self, no: int, to: Given, note: str) -> bool:
        return await self._of(no).transfer(no, to, note)

    async def hold(self, no: int) -> bool:
        return await self._of(no).hold(no)


def _overlooks(found: Found) -> bool:
    return isinstance(found, Block) and found.no % 2 == 0
