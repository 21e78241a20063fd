"""The scripted demo's agents: they read what comes, answer, hand over to colleagues, close, and some go away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hub.demo.cast import Role
from hub.demo.ledgers import AgentLedger, Given, Typed, serial_of
from hub.demo.lines import Line, Phone
from hub.demo.mail import Either
from hub.demo.reading import Asked, Began, Block, Duty, Ended, Found, GivenBack, Kept, Undelivered
from hub.demo.sabotage import Sabotage
from hub.demo.serials import SERIAL, serial
from hub.demo.stage import DemoAgent, StandIn
from hub.demo.visitors import FAREWELL, GOODBYE

READ_S = 20.0
ON_DUTY_S = 20.0
QUIET_S = 6.0
"""Who goes home has stopped answering so long before: until then the phone has shown what was under way."""
ANSWERS = ("您好，马上查", "好的，记下了", "稍等，我看看", "已经处理了", "OK, let me check", "今天就办")
"""Each has room, behind its serial, in the beginning of an undelivered text that the phone quotes: 36 bytes."""
REASON, NOTE, REMARK = "问题已解决", "这位顾客请您接待", "只给同事看"
TO_WRITE_AGAIN = ("已取消", "没有等到")
"""So a text comes back of which only the choice of the visitor has failed."""


@dataclass
class Case:
    """A conversation that is an agent's, and what they will do with it."""

    to: Given | None = None
    """To whom the agent will give it at once; None: they keep it."""
    hold: bool = False
    note: bool = False
    """Something is to be left in it for colleagues."""
    last: str = ""
    """The serial of its last message that the agent has read,"""
    text: str = ""
    """and what it says."""
    answered: str = ""
    """The serial up to which the agent has answered."""
    given: bool = False
    """It is on its way to somebody else."""


class Agent:
    """One agent. `see` is called with what their phone or page shows; `work` does what follows, one after the other."""

    line: Line

    def __init__(
        self,
        who: DemoAgent,
        role: Role,
        serials: Iterator[int],
        gives_to: tuple[Given, ...],
        said: dict[str, tuple[str, str]],
    ) -> None:
        self.who = who
        self.role = role
        self.ledger = AgentLedger(who.teams, name=who.name)
        self.present = True
        """They look at what is shown, and answer."""
        self.at_work = asyncio.Event()
        self.busy = False
        self.read_at = 0.0
        """When anything was shown to them last, by the loop's clock."""
        self._serials = serials
        self._gives_to = gives_to
        """To whom they pass a conversation on, by turns."""
        self._said = said
        """By the serial of each answer, also of colleagues': that of the message it answers, and what that says. Where
        one has not arrived the next agent reads it in what was said before."""
        self._begun = 0
        self._cases: dict[int, Case] = {}
        self._waiting: dict[int, None] = {}
        """Conversations in which something has to be done, first come first."""
        self._asked = False
        """The phone asks whom texts without a number are for."""
        self._sent_home = False
        """Off duty without having said so: two conversations had to wait for too long."""
        self._news = asyncio.Event()

    async def begin(self) -> None:
        """Go on duty, and wait until that is shown; who has a shift need not say it. Raises TimeoutError."""
        async with asyncio.timeout(ON_DUTY_S):
            while not self.who.shift and not await self.line.set_duty(on=True):
                pass
            await self.at_work.wait()

    async def go(self, *, keeps: bool) -> None:
        """Go off duty: home, or to finish what is open."""
        if not keeps:
            self.present = False
            await asyncio.sleep(QUIET_S)
        while not await self.line.set_duty(on=False):
            pass
        while keeps and not await self.line.keep():
            pass

    @property
    def has_work(self) -> bool:
        """Something waits for them, and they will do it."""
        return self.present and bool(self.busy or self._waiting or self._asked or self._sent_home)

    def see(self, found: Found) -> None:
        """Something is shown to them."""
        self.read_at = asyncio.get_running_loop().time()
        match found:
            case Began(no=no, note=note):
                self._begin_case(no, note)
            case Ended(no=no):
                self._cases.pop(no, None)
                self._waiting.pop(no, None)
            case Block(no=no, text=text) if (marked := serial_of(found)) and (case := self._cases.get(no)):
                case.last, case.text = marked, text
                self._look_at(no, case)
            case Kept(no=no) if case := self._cases.get(no):
                case.to, case.given = None, False
                self._look_at(no, case)
            case Undelivered(no=no) if case := self._cases.get(no):
                self._write_again(no, case)
            case GivenBack(because=because, text=text) if begins := SERIAL.match(text):
                self._come_back(begins[0], again=because.startswith(TO_WRITE_AGAIN))
            case Asked():
                self._asked = True
            case Duty(on=True):
                self.at_work.set()
                self._sent_home = False
            case Duty(on=False):
                self.at_work.clear()
                self._sent_home = self.role == "steady"
        self._news.set()

    def show(self, text: str, found: Iterable[Found], way: str = "") -> None:
        """A text is shown to them, on which of their ways, and says this."""
        self.ledger.add(text, way)
        for one in found:
            self.see(one)

    def see_on_page(self, found: Found) -> None:
        """The same of an agent whose page keeps no texts."""
        self.ledger.found.append(found)
        self.see(found)

    def _begin_case(self, no: int, note: str) -> None:
        """It is theirs; what a colleague has passed on they keep. Of one that came back they know what was said."""
        before = self._cases.get(no, Case())
        case = self._cases[no] = Case(last=before.last, text=before.text, answered=before.answered)
        if failed := [one for one in SERIAL.findall(note) if one in self._said]:
            case.last, case.text = self._said[failed[-1]]
            self._write_again(no, case)
        if not note:
            self._begun += 1
            turn, among = divmod(self._begun, 3)
            case.hold, case.note = among == 0, among == 1
            if among == 2 and self._gives_to:
                case.to = self._gives_to[turn % len(self._gives_to)]
        self._look_at(no, case)

    def _look_at(self, no: int, case: Case) -> None:
        if case.last != case.answered and not case.given:
            self._waiting[no] = None

    def _write_again(self, no: int, case: Case) -> None:
        """An answer has not arrived, or nobody knows: the visitor may be told twice, but not nothing."""
        case.answered = ""
        self._look_at(no, case)

    def _come_back(self, marked: str, *, again: bool) -> None:
        """The answer with that serial went to nobody; it is written `again`, or when that conversation comes back."""
        to = next((one.to for one in self.ledger.typed if one.serial == marked), "")
        for no, case in self._cases.items():
            if to and case.answered == to:
                case.answered = ""
                if again:
                    self._look_at(no, case)

    async def work(self) -> None:
        """Do what waits longest, for ever."""
        while True:
            while not (self.present and (self._waiting or self._asked or self._sent_home)):
                self._news.clear()
                await self._news.wait()
            self.busy = True
            if self._sent_home:
                self._sent_home = not await self.line.set_duty(on=True)
            elif self._asked:
                await self._have_back()
            else:
                no = next(iter(self._waiting))
                del self._waiting[no]
                await self._serve(no, self._cases[no])
            self.busy = False

    async def _have_back(self) -> None:
        """The phone asks whom texts without a number are for: it gives them back, and they are written anew."""
        self._asked = False
        if not await self.line.cancel():
            self._asked = True

    async def _serve(self, no: int, case: Case) -> None:
        """What the agent does when they have read a conversation's last message."""
        if case.to is not None and not case.answered:
            await self._pass_on(no, case, case.to)
            return
        is_before_them = await self.line.turn_to(no)
        self._waiting.pop(no, None)  # they answer what has come by now
        ends = FAREWELL in case.text
        if not is_before_them or not await self._answer(no, case, GOODBYE if ends else ""):
            if self._cases.get(no) is case:  # as a person would: it says "not delivered", so type it again
                self._look_at(no, case)
        elif ends:
            while not await self.line.close(no, REASON):
                pass
        elif case.hold:
            case.hold = not await self.line.hold(no)
        elif case.note:
            case.note = not await self._note(no)

    async def _note(self, no: int) -> bool:
        self.ledger.notes.append(serial(next(self._serials)))
        return await self.line.note(no, f"{self.ledger.notes[-1]} {REMARK}")

    async def _pass_on(self, no: int, case: Case, to: Given) -> None:
        case.given = True
        self.ledger.given.append(replace(to, of=case.last))
        while not await self.line.transfer(no, to, NOTE):
            pass

    async def _answer(self, no: int, case: Case, words: str) -> bool:
        number, to = next(self._serials), case.last
        case.answered, self._said[serial(number)] = to, (to, case.text)
        said = await self.line.answer(no, f"{serial(number)} {words or ANSWERS[number % len(ANSWERS)]}")
        self.ledger.typed.append(Typed(serial(number), to, said.by_number, said.taken))
        if not said.taken:
            case.answered = ""
        return said.taken


class Phones:
    """All agents' phones, with the sabotage between them and their readers."""

    def __init__(self, owners: Sequence[Agent], stand_in: StandIn, sabotage: Sabotage) -> None:
        self._owners = owners
        self._stand_in = stand_in
        self._sabotage = sabotage

    async def read(self, number: int, after: int) -> None:
        """Read the phone of one agent, from place `after` on, for ever."""
        user = self._owners[number].who.user
        while True:
            for bubble in await self._stand_in.texts(user, after, READ_S):
                after = bubble.n
                for reader, text in self._sabotage.pass_on(number, bubble.text):
                    self._show(self._owners[reader], text)

    def _show(self, owner: Agent, text: str) -> None:
        match owner.line:
            case Phone() as phone:
                owner.show(text, phone.read(text))
            case Either() as either:
                owner.show(text, either.read_phone(text))
