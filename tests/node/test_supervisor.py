"""A kept process: replaced when it dies, falls silent or blocks; ended in order; never left behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub import supervisor
from hub.process import Config
from hub.settings import Settings
from hub.supervisor import Kept, Restarts, ending

CHILD = "tests.node.child"


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that tells the child how to behave; it takes its notes in `notes` beside it."""
    monkeypatch.setenv("CHILD_ORDERS", str(tmp_path / "orders"))
    return tmp_path / "orders"


@pytest.fixture
async def kept(orders: Path) -> AsyncIterator[Kept]:
    config = Config(index=1, workers=3, nats_url="nats://127.0.0.1:1", settings=Settings(partitions=8))
    kept = Kept("worker 1", CHILD, config.encode())
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


async def test_a_killed_process_is_replaced_and_owns_the_same_partitions(kept: Kept, orders: Path) -> None:
    kept.start()
    first = await up(kept)
    os.kill(first, signal.SIGKILL)
    second = await successor(kept, first)
    assert notes(orders) == [f"started 1 {first} [1, 4, 7]", f"started 1 {second} [1, 4, 7]"]


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
    assert notes(orders) == [f"started 1 {first} [1, 4, 7]", "stopped 1"]
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


@pytest.mark.parametrize(("status", "words"), [(0, "exit status 0"), (7, "exit status 7"), (-9, "killed by SIGKILL")])
def test_an_ending_is_told_in_words(status: int, words: str) -> None:
    assert ending(status) == words
