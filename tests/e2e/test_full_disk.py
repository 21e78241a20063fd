"""The disk of a whole hub fills up: it says so and takes nothing, and goes on by itself when there is room."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from hub.demo.stage import Stage
from tests.e2e.conftest import unlimited
from tests.e2e.visitors import Visitors
from tests.small_disk import Filler, small_disk

SIZE_MB = 128


@pytest.fixture
async def small_stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A running hub all of whose files are on a small disk."""
    with small_disk(tmp_path / "disk", SIZE_MB) as folder:
        async with Stage(folder / "hub", unlimited) as stage:
            yield stage


async def status(stage: Stage, http: httpx.AsyncClient, wanted: str) -> httpx.Response:
    """Its health, once every worker that answers says `wanted`."""
    times = 0
    async with asyncio.timeout(60):
        while True:
            answer = await http.get(f"{stage.url}/api/v1/health", headers={"connection": "close"})
            times = times + 1 if answer.json()["status"] == wanted else 0
            if times == 10:
                return answer
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("free_mb", [6, 0])
async def test_a_hub_without_room_takes_nothing_and_loses_nothing(
    small_stage: Stage, http: httpx.AsyncClient, free_mb: int
) -> None:
    visitors, filler = Visitors(small_stage, http), Filler(small_stage.folder)
    await visitors.come(5)
    visitors.say()
    for robot in visitors.robots:
        await robot.settled()
    filler.leave(free_mb << 20)
    answer = await status(small_stage, http, "refusing")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
    assert "10 % are needed: make room" in answer.json()["reasons"][0]
    for _ in range(3):
        visitors.say()
        await asyncio.sleep(1)
    assert visitors.unacknowledged == 15
    filler.go()
    assert (await status(small_stage, http, "ok")).status_code == 200
    visitors.say()
    await visitors.check()
    await visitors.leave()
