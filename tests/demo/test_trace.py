"""The trace in the README is what `hub trace` prints of such a message: the same events, with the same reasons."""

import asyncio
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from connectors.h5.sandbox import Robot
from hub.demo.cast import arrange
from hub.demo.stage import Stage

ROOT = Path(__file__).parents[2]
WIDTH = "118"
DECISIONS = ("MessagePosted", "QueueJoined", "Enqueued", "Chosen", "Assigned")
"""What follows shows when the phone had time for it, alone or with other texts."""
VARIES = [
    (r"\b[a-z]\d+-[a-z0-9]+(/\d+)?", "ENTITY"),
    (r"(rules|id|receipt):[0-9a-z.]+", r"\1"),
]
"""Ids that are new each time."""


async def trace(stage: Stage) -> str:
    """What is printed of a visitor's first message that the queue gives to 周洋, for 李雷 has somebody already."""
    async with httpx.AsyncClient(trust_env=False) as http:
        other, visitor = (Robot(stage.url, http=http, rng=random.Random(name), name=name) for name in ("李四", "张三"))
        await begin(stage, "lilei")
        await say(other, "东西坏了")
        await shown(stage, "lilei", "东西坏了")
        await begin(stage, "zhouyang")
        await say(visitor, "衣服穿了两天就起球了")
        await shown(stage, "zhouyang", "衣服穿了两天就起球了")
        await asyncio.gather(other.stop(), visitor.stop())
    command = [sys.executable, "-m", "hub", "trace", f"{visitor.conversation}/2", "--url", stage.url]
    environ = os.environ | {"HUB_ADMIN_TOKEN": stage.admin_token, "COLUMNS": WIDTH}
    async with asyncio.timeout(30):
        while True:  # the history is a moment behind, and each partition by itself
            asked = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=30)
            if {"Chosen", "Assigned", "AttemptSent"} <= {row.split()[0] for row in steps(asked.stdout)}:
                return asked.stdout
            await asyncio.sleep(0.2)


async def begin(stage: Stage, user: str) -> None:
    assert await stage.stand_in.say(user, "text", "上班")[1]
    await shown(stage, user, "已上班")


async def say(robot: Robot, text: str) -> None:
    await robot.start()
    robot.say(text)
    await robot.settled()


async def shown(stage: Stage, user: str, text: str) -> None:
    async with asyncio.timeout(30):
        while not any(text in bubble.text for bubble in await stage.stand_in.texts(user)):
            await asyncio.sleep(0.1)


def steps(printed: str) -> list[str]:
    """Each row's event and what it says, without what differs from run to run: ids, and the order within a moment."""
    rows: list[str] = []
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        if len(cells) == 4 and cells[1]:
            rows.append(f"{cells[1]} ")
        if len(cells) == 4:
            rows[-1] += re.sub(r"\s", "", cells[3])
    for pattern, instead in VARIES:
        rows = [re.sub(pattern, instead, row) for row in rows]
    return sorted(rows)


def decisions(printed: str) -> list[str]:
    return [row for row in steps(printed) if row.startswith(DECISIONS)]


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_both_readmes_show_a_trace(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert {"MessagePosted", "QueueJoined", "Chosen", "Assigned"} <= {row.split()[0] for row in steps(text)}


async def test_the_trace_of_the_readme_is_the_one_that_is_printed(tmp_path: Path) -> None:
    async with Stage(tmp_path, arrange) as stage:
        printed = await trace(stage)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert decisions(printed) == decisions(readme)
    assert {row.split()[0] for row in steps(printed)} == {row.split()[0] for row in steps(readme)}
    assert "least loaded" in printed
