"""The scripted demo's agents: they read their phones and answer, half by number and half by the sticky choice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from hub.demo.ledgers import AgentLedger, Typed, serial_of
from hub.demo.reading import Block, Reader, Switched
from hub.demo.sabotage import Sabotage
from hub.demo.serials import serial
from hub.demo.stage import DemoAgent, StandIn

READ_S = 20.0
SWITCH_S = 15.0
"""So long an agent waits to read `→ #12`; then they type `#12` again."""
ON_DUTY_S = 20.0
ANSWERS = ("您好，马上查", "好的，记下了", "稍等，我看看", "已经处理了", "OK, let me check", "今天就办")
"""Each has room, behind its serial, in the beginning of an undelivered text that the phone quotes: 36 bytes."""


class Phones:
    """All agents' phones, with the sabotage between them and their readers."""

    def __init__(self, agents: list[Agent], stand_in: StandIn, sabotage: Sabotage) -> None:
        self.read_at = 0.0
        """When the last text was read, by the loop's clock."""
        self._agents = agents
        self._stand_in = stand_in
        self._sabotage = sabotage

    async def read(self, number: int, after: int) -> None:
        """Read the phone of one agent, from place `after` on, for ever."""
        user = self._agents[number].user
        while True:
            for bubble in await self._stand_in.texts(user, after, READ_S):
                after = bubble.n
                self.read_at = asyncio.get_running_loop().time()
                for reader, text in self._sabotage.pass_on(number, bubble.text):
                    self._agents[reader].read(text)


class Agent:
    """One agent. `read` is called with each text of the phone; `answer` types, one text after the other."""

    def __init__(self, who: DemoAgent, stand_in: StandIn, sabotage: Sabotage, serials: Iterator[int]) -> None:
        self.user = who.user
        self.ledger = AgentLedger(who.teams)
        self.unanswered: dict[int, str] = {}
        """By number of conversation, first come first: the serial of its last message."""
        self.at_work = asyncio.Event()
        self.typing = False
        self._numbers: dict[int, None] = {}
        self._stand_in = stand_in
        self._sabotage = sabotage
        self._serials = serials
        self._reader = Reader()
        self._switched = 0
        """The number that the phone last showed as chosen."""
        self._aimed = 0
        """The number that the agent last typed."""
        self._news = asyncio.Event()

    async def begin(self) -> None:
        """Go on duty, and wait until the phone says so. Raises TimeoutError."""
        async with asyncio.timeout(ON_DUTY_S):
            while not await self._type("上班"):
                pass
            await self.at_work.wait()

    def read(self, text: str) -> None:
        """A text on the phone."""
        self.ledger.texts.append(text)
        if "已上班" in text:
            self.at_work.set()
        for found in self._reader.read(text):
            if isinstance(found, Switched):
                self._switched = found.no
            elif isinstance(found, Block) and (marked := serial_of(found)):
                self.unanswered[found.no] = marked
                self._numbers[found.no] = None
        self._news.set()

    async def answer(self) -> None:
        """Answer whoever waits longest, for ever."""
        while True:
            while not self.unanswered:
                self._news.clear()
                await self._news.wait()
            self.typing = True
            no = next(iter(self.unanswered))
            taken = sum(one.taken for one in self.ledger.typed)
            await (self._answer_by_number(no) if taken % 2 == 0 else self._answer_sticky(no))
            self.typing = False

    async def _answer_by_number(self, no: int) -> None:
        others = [number for number in self._numbers if number != no]
        aimed = self._sabotage.aim(no, others)
        await self._send_answer(no, f"#{aimed} ", by_number=True)
        self._aimed = aimed

    async def _answer_sticky(self, no: int) -> None:
        """Without a number, once the phone shows that texts without number go there."""
        while not self._aimed == self._switched == no:
            if await self._type(f"#{no}"):
                self._aimed = no
                await self._read_switch(no)
        await self._send_answer(no, "", by_number=False)

    async def _read_switch(self, no: int) -> None:
        try:
            async with asyncio.timeout(SWITCH_S):
                while self._switched != no:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return

    async def _send_answer(self, no: int, prefix: str, *, by_number: bool) -> None:
        to, number = self.unanswered.pop(no), next(self._serials)
        taken = await self._type(f"{prefix}{serial(number)} {ANSWERS[number % len(ANSWERS)]}")
        self.ledger.typed.append(Typed(serial(number), to, by_number, taken))
        if not taken:  # as a person would: it says "not delivered", so type it again
            self.unanswered = {no: to} | self.unanswered

    async def _type(self, text: str) -> bool:
        """Whether the hub has taken it."""
        return await self._stand_in.say(self.user, "text", text)[1]
