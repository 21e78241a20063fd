"""Processes die and stall while visitors write; nothing acknowledged is lost, doubled or out of order."""

import asyncio
import os
import signal
from pathlib import Path

import httpx

from hub.demo.stage import Stage, free_port
from tests.e2e.conftest import unlimited
from tests.e2e.visitors import Visitors


async def strike(stage: Stage, visitors: Visitors, faults: list[tuple[str, signal.Signals]]) -> None:
    """Visitors write all the time; the faults hit in turn, each while something is unacknowledged."""
    writing = asyncio.create_task(visitors.chatter())
    async with asyncio.timeout(60):
        for mark, signum in faults:
            await asyncio.sleep(0.4)
            while not (visitors.unacknowledged and stage.children(mark)):
                await asyncio.sleep(0.002)
            os.kill(stage.children(mark)[0], signum)
        await asyncio.sleep(0.4)
    writing.cancel()


async def test_workers_are_killed(stage: Stage, visitors: Visitors) -> None:
    await visitors.come(20)
    before = set(stage.children("hub-worker"))
    await strike(stage, visitors, [("hub-worker", signal.SIGKILL)] * 4)
    await visitors.check()
    assert len(set(stage.children("hub-worker")) - before) == 2


async def test_nats_server_is_killed(stage: Stage, visitors: Visitors) -> None:
    await visitors.come(20)
    await strike(stage, visitors, [("nats-server", signal.SIGKILL)] * 4)
    await visitors.check()


async def test_a_worker_that_stands_still_is_replaced(stage: Stage, visitors: Visitors) -> None:
    await visitors.come(10)
    before = stage.children("hub-worker")
    await strike(stage, visitors, [("hub-worker", signal.SIGSTOP)])
    await visitors.check()
    assert before[0] not in stage.children("hub-worker")


async def test_nats_server_that_stands_still_is_replaced(stage: Stage, visitors: Visitors) -> None:
    await visitors.come(10)
    await strike(stage, visitors, [("nats-server", signal.SIGSTOP)])
    await visitors.check()


async def test_everything_is_killed_at_once(stage: Stage, visitors: Visitors) -> None:
    await visitors.come(10)
    faults = [("hub-worker", signal.SIGKILL), ("nats-server", signal.SIGKILL), ("follower", signal.SIGKILL)] * 2
    await strike(stage, visitors, faults)
    await visitors.check()


async def test_a_restarted_hub_knows_its_visitors(tmp_path: Path, http: httpx.AsyncClient) -> None:
    port = free_port()
    async with Stage(tmp_path / "hub", unlimited, port=port) as stage:
        visitors = Visitors(stage, http)
        await visitors.come(5)
        for _ in range(60):
            visitors.say()
        for robot in visitors.robots:
            await robot.settled()
    async with Stage(tmp_path / "hub", unlimited, port=port) as stage:
        visitors.say()
        await visitors.check()
        await visitors.leave()
        pids = [*stage.children(""), stage.pid]
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "something was left running"


async def test_a_killed_supervisor_leaves_nothing_running(tmp_path: Path, http: httpx.AsyncClient) -> None:
    port = free_port()
    async with Stage(tmp_path / "hub", unlimited, port=port) as stage:
        visitors = Visitors(stage, http)
        await visitors.come(5)
        visitors.say()
        pids = stage.children("")
        os.kill(stage.pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while [pid for pid in pids if Path(f"/proc/{pid}/exe").is_symlink() and _runs(pid)]:
                await asyncio.sleep(0.05)
    async with Stage(tmp_path / "hub", unlimited, port=port):
        await visitors.check()
        await visitors.leave()


def _runs(pid: int) -> bool:
    """A zombie that waits for its parent does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
