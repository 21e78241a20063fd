"""The door: who is admitted in which turn of the loop."""

import asyncio

from hub.gateway.door import LINE, SLICE_S, Door


class Clock:
    """A stopwatch that only handshakes move."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.admitted: list[int] = []

    def __call__(self) -> float:
        return self.now_s

    def handshake(self, number: int) -> None:
        self.admitted.append(number)
        self.now_s += SLICE_S * 0.6  # two fill a turn


async def test_a_single_client_is_admitted_at_once() -> None:
    clock = Clock()
    assert Door(clock).enter(lambda: clock.handshake(1))
    assert clock.admitted == [1]


async def test_a_crowd_is_admitted_in_its_order_a_few_each_turn_of_the_loop() -> None:
    clock, turns = Clock(), list[int]()
    door = Door(clock)
    for number in range(9):
        assert door.enter(lambda number=number: clock.handshake(number))  # type: ignore[misc]
    while len(clock.admitted) < 9:
        turns.append(len(clock.admitted))
        await asyncio.sleep(0)
    assert clock.admitted == list(range(9))
    assert turns == [2, 4, 6, 8]


async def test_who_comes_later_in_the_same_turn_does_not_jump_the_line() -> None:
    clock = Clock()
    door = Door(clock)
    for number in range(3):
        door.enter(lambda number=number: clock.handshake(number))  # type: ignore[misc]
    await asyncio.sleep(0)
    door.enter(lambda: clock.handshake(9))
    await asyncio.sleep(0)
    assert clock.admitted == [0, 1, 2, 9]


async def test_the_line_is_bounded() -> None:
    clock = Clock()
    door = Door(clock)
    entered = [door.enter(lambda number=number: clock.handshake(number)) for number in range(LINE + 10)]  # type: ignore[misc]
    assert entered.count(False) == 8  # two were admitted, LINE stand in it
    for _ in range(LINE):
        await asyncio.sleep(0)
    assert len(clock.admitted) == LINE + 2
    assert door.enter(lambda: clock.handshake(-1))
