"""Batches of several partitions set out together, and nobody waits long for one that does not come back."""

import asyncio

import pytest

from hub.engine import rounds as module
from hub.engine.rounds import Rounds


class Partition:
    """Writes once in its turn; the batch comes back when `stored` is set."""

    def __init__(self, rounds: Rounds) -> None:
        self.away = False
        self.stored = asyncio.Event()
        self.writing = asyncio.create_task(self._write(rounds))

    async def _write(self, rounds: Rounds) -> str:
        await rounds.turn()
        return await rounds.carry(self._batch())

    async def _batch(self) -> str:
        self.away = True
        await self.stored.wait()
        return "stored"


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 60)


async def test_who_writes_alone_waits_for_nobody() -> None:
    one = Partition(Rounds())
    await settled()
    assert one.away
    one.stored.set()
    assert await one.writing == "stored"


async def test_what_comes_while_a_round_is_away_sets_out_together_when_all_of_it_is_back() -> None:
    rounds = Rounds()
    first = Partition(rounds)
    await settled()
    second = [Partition(rounds), Partition(rounds)]
    await settled()
    assert [one.away for one in (first, *second)] == [True, False, False]
    first.stored.set()
    await settled()
    assert [one.away for one in second] == [True, True]
    third = Partition(rounds)
    second[0].stored.set()
    await settled()
    assert not third.away
    second[1].stored.set()
    third.stored.set()
    assert await asyncio.gather(*(one.writing for one in (first, *second, third))) == ["stored"] * 4


async def test_a_batch_that_does_not_come_back_holds_up_others_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    rounds = Rounds()
    stuck = Partition(rounds)
    await settled()
    other = Partition(rounds)
    other.stored.set()
    assert await other.writing == "stored"
    assert not stuck.writing.done()
    stuck.stored.set()
    assert await stuck.writing == "stored"


async def test_a_batch_that_fails_is_back_and_a_partition_that_was_closed_is_not_waited_for() -> None:
    rounds = Rounds()
    failing = Partition(rounds)
    await settled()
    closed, other = Partition(rounds), Partition(rounds)
    await settled()
    closed.writing.cancel()
    failing.writing.cancel()  # as closing does
    other.stored.set()
    assert await other.writing == "stored"
