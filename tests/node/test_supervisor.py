"""A kept process: replaced when it dies, falls silent or blocks; ended in order; never left behind."""

import asyncio
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub import supervisor
from hub.process import STANDBY, Config
from hub.settings import Settings
from hub.supervisor import Kept, Restarts, Standby, ending

CHILD = "tests.node.child"
CONFIG = Config(1, 3, "nats://127.0.0.1:1", Settings(), "n")


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that tells the child how to behave; it takes its notes in `notes` beside it."""
    monkeypatch.setenv("CHILD_ORDERS", str(tmp_path / "orders"))
    return tmp_path / "orders"


@pytest.fixture
async def kept(orders: Path) -> AsyncIterator[Kept]:
    kept = Kept("worker 1", CHILD, CONFIG.encode())
    yield kept
    kept.kill()
    await kept.stop(within_s=10)


async def up(kept: Kept) -> int:
    """The pid of the process, once it works."""
    await asyncio.wait_for(kept.ready.wait(), 30)
    return kept.pid


async def successor(kept: Kept, before: int) -> int:
    async with asyncio.timeout(30):
        while kept.pid in (0, before) or not kept.ready.is_set():
            await asyncio.sleep(0.01)
    return kept.pid


def notes(orders: Path) -> list[str]:
    return orders.with_name("notes").read_text().splitlines()


def lives(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_killed_process_is_replaced(kept: Kept, orders: Path) -> None:
    kept.start()
    first = await up(kept)
    os.kill(first, signal.SIGKILL)
    second = await successor(kept, first)
    assert notes(orders) == [f"started 1 {first}", f"started 1 {second}"]


async def test_a_stopped_process_is_silent_and_is_killed_and_replaced(kept: Kept) -> None:
    kept.start()
    first = await up(kept)
    os.kill(first, signal.SIGSTOP)
    assert await successor(kept, first) != first
    assert not lives(first)


async def test_a_process_whose_event_loop_is_blocked_is_replaced(kept: Kept, orders: Path) -> None:
    orders.write_text("block")
    kept.start()
    first = await up(kept)
    assert await successor(kept, first) != first
    assert not lives(first)


async def test_a_process_that_never_beats_is_replaced(
    kept: Kept, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "START_S", 5.0)
    orders.write_text("hang")
    kept.start()
    async with asyncio.timeout(30):
        while kept.pid == 0:
            await asyncio.sleep(0.01)
    first = kept.pid
    await successor(kept, first)
    assert not lives(first)


async def test_sigterm_ends_a_process_in_order(kept: Kept, orders: Path) -> None:
    kept.start()
    first = await up(kept)
    await kept.stop(within_s=20)
    assert notes(orders) == [f"started 1 {first}", "stopped 1"]
    assert not lives(first)


async def test_a_process_that_lingers_is_killed_in_the_end(kept: Kept, orders: Path) -> None:
    orders.write_text("linger")
    kept.start()
    first = await up(kept)
    await kept.stop(within_s=0.3)
    assert not lives(first)
    assert "stopped 1" not in notes(orders)


async def test_a_process_that_ends_by_raising_sigterm_again_is_not_replaced(kept: Kept, orders: Path) -> None:
    orders.write_text("raise")
    kept.start()
    await up(kept)
    await kept.stop(within_s=20)
    assert notes(orders)[1:] == ["stopped 1"]
    assert kept.pid == 0


async def test_a_process_that_dies_again_and_again_is_started_slower_each_time(
    kept: Kept, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    pause_after = Restarts.pause_after

    def note_pause(self: Restarts, lived_s: float) -> float:
        pauses.append(pause_after(self, 0.1))
        return 0.0

    monkeypatch.setattr(Restarts, "pause_after", note_pause)
    orders.write_text("fall")
    kept.start()
    async with asyncio.timeout(30):
        while len(pauses) < 5:
            await asyncio.sleep(0.01)
    assert pauses[:5] == [0.0, 0.0, 0.5, 1.0, 2.0]
    assert not kept.ready.is_set()


def test_a_pause_is_bounded_and_forgotten_after_a_long_life() -> None:
    restarts = Restarts()
    assert [restarts.pause_after(0.0) for _ in range(9)][-2:] == [10.0, 10.0]
    assert restarts.pause_after(Restarts.YOUNG_S) == 0.0
    assert restarts.young == 0


async def test_a_process_ends_when_its_supervisor_is_killed(orders: Path, tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.node.parent", CHILD, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    child = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    assert lives(child)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while lives(child):
            await asyncio.sleep(0.02)


class Pair:
    """Two kept processes with one standby, and who was told to be gone."""

    def __init__(self, orders: Path) -> None:
        self.gone: list[int] = []
        self._orders = orders
        self.standby = Standby(CHILD, dataclasses.replace(CONFIG, index=STANDBY).encode())
        self.kept = [
            Kept(
                f"worker {index}",
                CHILD,
                dataclasses.replace(CONFIG, index=index).encode(),
                gone=self.gone.append,
                standby=self.standby,
                call=b"%d\n" % index,
            )
            for index in range(2)
        ]

    async def warm(self, but: int = 0) -> int:
        """The pid of the standby, once it waits."""
        async with asyncio.timeout(30):
            while self.standby.pid in (0, but) or f"standing by {self.standby.pid}" not in notes(self._orders):
                await asyncio.sleep(0.01)
        return self.standby.pid


@pytest.fixture
async def pair(orders: Path) -> AsyncIterator[Pair]:
    pair = Pair(orders)
    for kept in pair.kept:
        kept.start()
    pair.standby.start(pair.kept)
    yield pair
    processes: list[Standby | Kept] = [pair.standby, *pair.kept]
    for process in processes:
        process.kill()
        await process.stop(within_s=10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_standby_takes_the_place_of_the_first_that_dies(
    pair: Pair, orders: Path, number: signal.Signals
) -> None:
    warm = await pair.warm()
    dead = pair.kept[1].pid
    os.kill(dead, number)
    assert await successor(pair.kept[1], dead) == warm
    assert pair.gone == [dead]
    assert notes(orders)[-1] == f"started 1 {warm}"
    second = await pair.warm(but=warm)
    os.kill(pair.kept[0].pid, signal.SIGKILL)
    assert await successor(pair.kept[0], pair.kept[0].pid) == second


async def test_a_standby_starts_when_all_others_work(pair: Pair, orders: Path) -> None:
    await pair.warm()
    assert [line.split()[0] for line in notes(orders)] == ["started", "started", "standing"]


async def test_a_standby_that_dies_is_replaced(pair: Pair) -> None:
    first = await pair.warm()
    os.kill(first, signal.SIGKILL)
    assert lives(await pair.warm(but=first))


async def test_a_standby_that_is_only_half_ready_is_called_all_the_same(pair: Pair, orders: Path) -> None:
    async with asyncio.timeout(30):
        while pair.standby.pid == 0:
            await asyncio.sleep(0.001)
    half, dead = pair.standby.pid, pair.kept[0].pid
    os.kill(half, signal.SIGSTOP)
    os.kill(dead, signal.SIGKILL)
    async with asyncio.timeout(10):
        while pair.kept[0].pid != half:
            await asyncio.sleep(0.01)
    assert not pair.kept[0].ready.is_set()
    os.kill(half, signal.SIGCONT)
    assert await successor(pair.kept[0], dead) == half
    assert notes(orders)[-1] == f"started 0 {half}"


async def test_without_a_standby_a_new_process_is_started(pair: Pair) -> None:
    first = await up(pair.kept[0])
    await pair.standby.stop(within_s=10)
    os.kill(first, signal.SIGKILL)
    assert lives(await successor(pair.kept[0], first))


async def test_a_standby_that_is_not_needed_ends_in_order(pair: Pair, orders: Path) -> None:
    pid = await pair.warm()
    await pair.standby.stop(within_s=20)
    assert not lives(pid)
    assert notes(orders)[-1] == "stopped standing by"


@pytest.mark.parametrize(("status", "words"), [(0, "exit status 0"), (7, "exit status 7"), (-9, "killed by SIGKILL")])
def test_an_ending_is_told_in_words(status: int, words: str) -> None:
    assert ending(status) == words
