"""The hub's edges while nothing can be committed: callbacks are safe, sockets are told the truth, memory stays flat."""

import asyncio
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from hub.demo.stage import Stage, free_port
from tests.e2e.conftest import unlimited
from tests.e2e.test_whole_way import WANG, answers, phone, type_on_phone, until
from tests.e2e.visitors import Visitors


@contextmanager
def nothing_is_committed(stage: Stage) -> Iterator[None]:
    """nats-server stands still, and so does the supervisor, who would replace it."""
    pids = [stage.pid, *stage.children("nats-server")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


async def test_callbacks_that_were_answered_outlive_the_whole_hub(tmp_path: Path, http: httpx.AsyncClient) -> None:
    port = free_port()
    said = [f"spooled {n}" for n in range(5)]
    async with Stage(tmp_path / "hub", unlimited, port=port) as stage:
        visitors = Visitors(stage, http)
        (visitor,) = await visitors.come(1)
        visitor.say("这款有货吗？想买一件")
        await visitor.settled()
        await type_on_phone(stage, WANG, "上班")
        await phone(stage, WANG, "这款有货吗")
        with nothing_is_committed(stage):
            calls = [stage.stand_in.say(WANG, "text", f"#1 {text}") for text in said]
            assert await asyncio.gather(*(taken for _, taken in calls)) == [True] * 5
            ledger = stage.stand_in.callbacks.ledger[-5:]  # type: ignore[attr-defined]
            assert [callback.statuses for callback in ledger] == [[200]] * 5  # none of them needed WeCom's patience
            for pid in [*stage.children(""), stage.pid]:
                os.kill(pid, signal.SIGKILL)
        assert list((stage.folder / "data" / "spool").iterdir())
    async with Stage(tmp_path / "hub", unlimited, port=port) as stage:
        await until(lambda: answers(visitor) == said, 60)
        await until(lambda: not any(file.stat().st_size for file in (stage.folder / "data" / "spool").iterdir()))
        await visitors.leave()


async def test_memory_stays_flat_while_the_log_is_silent(stage: Stage, visitors: Visitors) -> None:
    await visitors.come(30)
    writing = asyncio.create_task(visitors.chatter())
    await asyncio.sleep(2)
    before, acked = resident_bytes(stage), sum(1 for robot in visitors.robots for text in robot.sent if text.acked_at)
    with nothing_is_committed(stage):
        await asyncio.sleep(0.5)
        silent = sum(1 for robot in visitors.robots for text in robot.sent if text.acked_at)
        await asyncio.sleep(8)
        assert sum(1 for robot in visitors.robots for text in robot.sent if text.acked_at) == silent >= acked
        assert resident_bytes(stage) - before < 64 << 20
    await asyncio.sleep(1)
    writing.cancel()
    await visitors.check()


def resident_bytes(stage: Stage) -> int:
    """Of all workers."""
    statm = [Path(f"/proc/{pid}/statm").read_text().split() for pid in stage.children("hub-worker")]
    return sum(int(fields[1]) for fields in statm) * resource.getpagesize()
