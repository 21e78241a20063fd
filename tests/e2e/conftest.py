"""A whole hub as a user runs it, with visitors as robots and WeCom's stand-in."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.demo.stage import Stage
from tests.e2e.visitors import Visitors


def unlimited(teams: dict[str, Any]) -> None:
    """Every agent has room for all visitors."""
    for agent in teams["agents"].values():
        agent["capacity"] = 200


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A running hub; all its workers are up."""
    async with Stage(tmp_path / "hub", unlimited) as stage:
        async with asyncio.timeout(60):
            while "chat page" not in stage.log.read_text(encoding="utf-8"):
                await asyncio.sleep(0.1)
        yield stage


@pytest.fixture
async def visitors(stage: Stage, http: httpx.AsyncClient) -> AsyncIterator[Visitors]:
    """Robots that write to that hub."""
    visitors = Visitors(stage, http)
    yield visitors
    await visitors.leave()


@pytest.fixture
def admin(stage: Stage) -> dict[str, str]:
    """The header with the admin token, which the hub says once at its first start."""
    found = re.search(r"admin token.*: (\S+)", stage.log.read_text(encoding="utf-8"))
    assert found is not None
    return {"authorization": f"Bearer {found[1]}"}
