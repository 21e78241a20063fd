"""What the demo's agents work with: a phone with the platform's app (here), the hub's page or mail."""

from __future__ import annotations

import abc
import asyncio
from dataclasses import dataclass

from hub.demo.ledgers import Given
from hub.demo.reading import Asked, Began, Ended, Found, GivenBack, Kept, Reader, Switched
from hub.demo.sabotage import Sabotage
from hub.demo.stage import StandIn

SWITCH_S = 15.0
"""So long an agent waits to read `→ #12`; then they type `#12` again."""


@dataclass(frozen=True)
class Said:
    """An answer that was sent. `taken`: the hub has it, as far as the agent can know; `by_number`: typed with one."""

    taken: bool
    by_number: bool | None = None
    """None: not on a phone."""


class Line(abc.ABC):
    """One agent's way to the hub, with its own words for the same few deeds. Each says whether the hub has taken it."""

    @abc.abstractmethod
    async def set_duty(self, *, on: bool) -> bool:
        """Begin work, or end it."""

    @abc.abstractmethod
    async def keep(self) -> bool:
        """Go on with what is open after the end of work."""

    @abc.abstractmethod
    async def cancel(self) -> bool:
        """Have the texts back of which the hub asks whom they are for."""

    async def turn_to(self, no: int) -> bool:
        """Have conversation `no` before one: what is typed at once after that, by `answer`, is meant for it."""
        return True

    @abc.abstractmethod
    async def answer(self, no: int, text: str) -> Said:
        """Answer the visitor of conversation `no`."""

    @abc.abstractmethod
    async def note(self, no: int, text: str) -> bool:
        """Leave something in it for colleagues only."""

    @abc.abstractmethod
    async def close(self, no: int, because: str) -> bool:
        """End it, with the reason."""

    @abc.abstractmethod
    async def transfer(self, no: int, to: Given, note: str) -> bool:
        """Give it to a colleague or a team, with a note for them."""

    @abc.abstractmethod
    async def hold(self, no: int) -> bool:
        """Wait for somebody else: nobody is to be reminded of it until the visitor writes."""


class Phone(Line):
    """The app's chat. Half of the answers are typed with the number, half without, by the sticky choice."""

    def __init__(self, user: str, stand_in: StandIn, sabotage: Sabotage) -> None:
        self.user = user
        self._stand_in = stand_in
        self._sabotage = sabotage
        self._reader = Reader()
        self._taken = 0
        self._open: dict[int, None] = {}
        self._aimed = self._switched = 0
        """The number that the agent last typed, and the one that the phone last showed as chosen."""
        self._asks = False
        """It asks whom texts without a number are for: a number alone would answer that."""
        self._news = asyncio.Event()

    def read(self, text: str) -> list[Found]:
        """What a text on the phone says."""
        said = self._reader.read(text)
        for found in said:
            match found:
                case Switched(no=no):
                    self._switched = no
                case Began(no=no) | Kept(no=no):
                    self._open[no] = None
                case Ended(no=no):
                    self.forget(no)
                case GivenBack():
                    self._forget_choice()
                case Asked():
                    self._asks = True
        self._news.set()
        return said

    async def set_duty(self, *, on: bool) -> bool:
        return await self._type("上班" if on else "下班")

    async def keep(self) -> bool:
        return await self._type("保留")

    async def cancel(self) -> bool:
        self._forget_choice()
        self._asks = False
        taken = await self._type("取消")
        self._asks = self._asks or not taken
        return taken

    async def turn_to(self, no: int) -> bool:
        return self._goes_by_number(no) or await self._choose(no)

    async def answer(self, no: int, text: str) -> Said:
        by_number = self._goes_by_number(no)
        if by_number:
            self._aimed = self._sabotage.aim(no, [number for number in self._open if number != no])
            text = f"#{self._aimed} {text}"
        taken = await self._type(text)
        self._taken += taken
        return Said(taken, by_number)

    def _goes_by_number(self, no: int) -> bool:
        return self._taken % 2 == 0 or no not in self._open

    async def note(self, no: int, text: str) -> bool:
        return await self._type(f"备注 #{no} {text}")

    async def close(self, no: int, because: str) -> bool:
        self.forget(no)
        return await self._type(f"结束 #{no} {because}")

    async def transfer(self, no: int, to: Given, note: str) -> bool:
        self.forget(no)
        return await self._type(f"转接 #{no} @{to.display} {note}")

    async def hold(self, no: int) -> bool:
        return await self._type(f"挂起 #{no}")

    async def _choose(self, no: int) -> bool:
        """Type `#12` unless the phone shows that texts without a number go there; whether it does then.

        Not where it is not theirs any more, or would get the texts of which the phone asks whom they are for.
        """
        is_before_them = self._aimed == self._switched == no
        if not is_before_them and not self._asks and no in self._open and await self._type(f"#{no}"):
            self._aimed = no
            await self._read_switch(no)
        return self._aimed == self._switched == no

    async def _read_switch(self, no: int) -> None:
        try:
            async with asyncio.timeout(SWITCH_S):
                while self._switched != no and no in self._open:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return

    def forget(self, no: int) -> None:
        """The conversation is theirs no more; nothing is typed without a number until one is chosen anew."""
        self._open.pop(no, None)
        self._forget_choice()

    def _forget_choice(self) -> None:
        self._aimed = self._switched = 0

    async def _type(self, text: str) -> bool:
        return await self._stand_in.say(self.user, "text", text)[1]
