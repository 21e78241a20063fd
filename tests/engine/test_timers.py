"""Entities are ticked when they are due, once, and a stubborn one does not hold the loop."""

import asyncio

from hub.engine.timers import GAP_MS, Timers


class Clock:
    """A wall clock that the test moves; the loop's own goes on."""

    def __init__(self) -> None:
        self.ms = 1000

    def __call__(self) -> int:
        return self.ms


async def test_only_the_last_moment_that_was_set_counts() -> None:
    clock, rung = Clock(), list[str]()
    timers = Timers(clock, rung.append)
    timers.set("a", 1500)
    timers.set("a", 1001)
    timers.set("b", 1001)
    timers.set("b", None)
    clock.ms = 2000
    await asyncio.sleep(0.05)
    assert rung == ["a"]
    timers.close()


async def test_they_ring_in_order() -> None:
    clock, rung = Clock(), list[str]()
    timers = Timers(clock, rung.append)
    for name, due in (("c", 1030), ("a", 1010), ("b", 1020)):
        timers.set(name, due)
    clock.ms = 2000
    await asyncio.sleep(0.05)
    assert rung == ["a", "b", "c"]
    timers.close()


async def test_one_that_is_always_due_does_not_hold_the_loop() -> None:
    clock, rung = Clock(), list[str]()

    def ring(entity: str) -> None:
        rung.append(entity)
        timers.set(entity, 0)

    timers = Timers(clock, ring)
    timers.set("a", 0)
    await asyncio.sleep(0.01)
    assert rung == ["a"]
    clock.ms += GAP_MS
    await asyncio.sleep(2 * GAP_MS / 1000)
    assert rung == ["a", "a"]
    timers.close()


async def test_closed_timers_are_silent() -> None:
    clock, rung = Clock(), list[str]()
    timers = Timers(clock, rung.append)
    timers.set("a", 1001)
    timers.close()
    clock.ms = 2000
    await asyncio.sleep(0.02)
    assert rung == []


async def test_a_moment_that_is_put_off_with_each_message_fills_no_memory() -> None:
    clock, rung = Clock(), list[str]()
    timers = Timers(clock, rung.append)
    for later in range(1000):
        timers.set("a", None)
        timers.set("a", 2000 + later)
    assert len(timers._heap) == 1
    clock.ms = 2000
    await asyncio.sleep(1.1)
    assert rung == []
    clock.ms = 2999
    await asyncio.sleep(1.1)
    assert rung == ["a"]
    timers.close()
