"""What a robot agent does with what it is shown, on a line that only notes it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from hub.demo.agents import Agent
from hub.demo.cast import Role
from hub.demo.ledgers import Given
from hub.demo.lines import Line, Said
from hub.demo.reading import Began, Block, Duty, Ended, Found, GivenBack, Kept, Undelivered
from hub.demo.serials import SERIAL, serial
from hub.demo.stage import DemoAgent
from hub.demo.visitors import FAREWELL, GOODBYE

COLLEAGUE = Given("李雷", agent="lilei")


class Noting(Line):
    """Takes everything, but the first `refuses` answers."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refuses = 0
        self.turned = asyncio.Event()
        self.turned.set()

    async def set_duty(self, *, on: bool) -> bool:
        self.done.append("on" if on else "off")
        return True

    async def turn_to(self, no: int) -> bool:
        return await self.turned.wait()

    async def answer(self, no: int, text: str) -> Said:
        self.refuses -= 1
        self.done.append(f"answer {no}" + (" goodbye" if GOODBYE in text else ""))
        return Said(self.refuses < 0)

    async def keep(self) -> bool:
        self.done.append("keep")
        return True

    async def cancel(self) -> bool:
        self.done.append("cancel")
        return True

    async def note(self, no: int, text: str) -> bool:
        self.done.append(f"note {no}")
        return True

    async def close(self, no: int, because: str) -> bool:
        self.done.append(f"close {no}")
        return True

    async def transfer(self, no: int, to: Given, note: str) -> bool:
        self.done.append(f"transfer {no} {to.display}")
        return True

    async def hold(self, no: int) -> bool:
        self.done.append(f"hold {no}")
        return True


Shown = Callable[..., list[str]]


class Robot:
    """An agent at work. `shown` shows them something, and says what they have done since the start."""

    def __init__(self, role: Role = "steady") -> None:
        self.line = Noting()
        self.agent = Agent(DemoAgent("wangfang", "", "王芳", frozenset()), role, itertools.count(500), (COLLEAGUE,), {})
        self.agent.line = self.line
        self._working = asyncio.create_task(self.agent.work())

    async def shown(self, *found: Found) -> list[str]:
        for one in found:
            self.agent.see(one)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not self._working.done()
        return self.line.done

    def stop(self) -> None:
        self._working.cancel()


@pytest.fixture
async def robot() -> AsyncIterator[Robot]:
    robot = Robot()
    yield robot
    robot.stop()


def block(no: int, n: int, text: str = "在吗") -> Block:
    return Block(no, n, f"{text} {serial(n)}")


async def test_each_message_is_answered_and_a_farewell_ends_the_conversation(robot: Robot) -> None:
    assert await robot.shown(Began(7), block(7, 1)) == ["answer 7", "note 7"]
    assert (await robot.shown(block(7, 2, FAREWELL)))[2:] == ["answer 7 goodbye", "close 7"]
    assert [one.to for one in robot.agent.ledger.typed] == [serial(1), serial(2)]


async def test_the_second_of_three_is_passed_on_at_once_and_the_third_is_held(robot: Robot) -> None:
    await robot.shown(Began(1), Began(2), Began(3))
    assert await robot.shown(block(2, 1)) == ["transfer 2 李雷"]
    assert robot.agent.ledger.given == [Given("李雷", agent="lilei", of=serial(1))]
    assert (await robot.shown(block(2, 2), block(3, 3)))[1:] == ["answer 3", "hold 3"]


async def test_what_comes_before_they_type_is_answered_with_it(robot: Robot) -> None:
    robot.line.turned.clear()
    assert await robot.shown(Began(7), block(7, 1), block(7, 2, FAREWELL)) == []
    robot.line.turned.set()
    assert await robot.shown() == ["answer 7 goodbye", "close 7"]
    assert [one.to for one in robot.agent.ledger.typed] == [serial(2)]


async def test_what_came_with_a_note_is_not_passed_on_again(robot: Robot) -> None:
    assert await robot.shown(Began(1), Began(2, "请您接待"), block(2, 1)) == ["answer 2"]


async def test_what_could_not_be_passed_on_or_comes_back_is_answered(robot: Robot) -> None:
    await robot.shown(Began(1), Began(2), block(2, 1))
    assert (await robot.shown(Kept(2)))[1:] == ["answer 2"]


async def test_a_lost_conversation_is_left_alone(robot: Robot) -> None:
    robot.agent.present = False
    await robot.shown(Began(7), block(7, 1), Ended(7))
    robot.agent.present = True
    assert await robot.shown() == []


async def test_an_answer_that_is_not_taken_is_written_again(robot: Robot) -> None:
    robot.line.refuses = 1
    assert await robot.shown(Began(7), block(7, 1)) == ["answer 7", "answer 7", "note 7"]
    assert [one.taken for one in robot.agent.ledger.typed] == [False, True]


@pytest.mark.parametrize(
    ("because", "times"), [("已取消", 2), ("没有等到 #号", 2), ("#7 不是你的会话", 1), ("#7 …，现由 李雷 负责", 1)]
)
async def test_an_answer_that_comes_back_is_written_again_only_where_it_is_theirs(
    robot: Robot, because: str, times: int
) -> None:
    await robot.shown(Began(7), block(7, 1))
    text = robot.agent.ledger.typed[0].serial + " 您好"
    assert SERIAL.match(text)
    assert (await robot.shown(GivenBack(because, text))).count("answer 7") == times
    assert len(await robot.shown(Began(7))) == 3


async def test_what_may_not_have_arrived_is_written_again(robot: Robot) -> None:
    await robot.shown(Began(7), block(7, 1))
    typed = robot.agent.ledger.typed
    assert (await robot.shown(Undelivered(7, "可能已送达", f"{typed[0].serial} 您好")))[2:] == ["answer 7"]
    assert [one.to for one in typed] == [serial(1), serial(1)]
    assert typed[0].serial != typed[1].serial


async def test_a_conversation_that_opens_again_with_what_has_not_arrived_is_answered_and_ended(robot: Robot) -> None:
    await robot.shown(Began(7), block(7, 1, FAREWELL))
    await robot.shown(Ended(7))
    failed = f"未送达：blocked「{robot.agent.ledger.typed[0].serial} {GOODBYE}」"
    assert (await robot.shown(Began(9, failed)))[2:] == ["answer 9 goodbye", "close 9"]
    assert robot.agent.ledger.typed[-1].to == serial(1)


async def test_who_is_sent_home_comes_back_unless_they_have_gone(robot: Robot) -> None:
    assert await robot.shown(Duty(on=True), Duty(on=False)) == ["on"]
    leaving = Robot("leaves")
    assert await leaving.shown(Duty(on=True), Duty(on=False)) == []
    leaving.stop()


async def test_who_vanishes_reads_nothing(robot: Robot) -> None:
    robot.agent.present = False
    assert await robot.shown(Began(7), block(7, 1)) == []
    assert not robot.agent.has_work
