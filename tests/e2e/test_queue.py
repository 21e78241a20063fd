"""Nobody is forgotten: more visitors than hands, agents over the API, and processes that die in between."""

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.h5.sandbox import Robot
from hub.demo.stage import Stage
from tests.e2e.test_whole_way import answers
from tests.e2e.visitors import Visitors

AGENTS = ("anna", "bob")
AGAIN_S = 0.3
DONE_S = 120


def two_agents(teams: dict[str, Any]) -> None:
    """All teams have the same two, with three hands each; nobody is on duty before they say so."""
    teams["agents"] = {name: {"display": name, "teams": list(teams["teams"]), "capacity": 3} for name in AGENTS}
    for team in teams["teams"].values():
        team.pop("lead", None)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with Stage(tmp_path / "hub", two_agents) as stage:
        yield stage


class Worker:
    """An agent over the API: asks again, with the same key, whatever dies meanwhile."""

    def __init__(self, name: str, url: str, http: httpx.AsyncClient) -> None:
        self.name, self._url, self._http = name, f"{url}/api/v1", http
        self._headers: dict[str, str] = {}

    async def enter(self, admin: dict[str, str]) -> None:
        """Get a token."""
        self._headers = admin
        token = (await self.call("POST", f"agents/{self.name}/token")).json()["token"]
        self._headers = {"authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """The hub's answer, as soon as it has one that holds."""
        headers = self._headers | {"idempotency-key": secrets.token_hex(8)}
        while True:
            with contextlib.suppress(httpx.TransportError):
                said = await self._http.request(method, f"{self._url}/{path}", json=body, headers=headers)
                if said.status_code != 503 and not (said.is_error and said.json().get("code") == "under_way"):
                    return said
            await asyncio.sleep(AGAIN_S)

    async def work(self) -> None:
        """Answer and close what one has, for ever."""
        while True:
            mine = (await self.call("GET", f"conversations?stage=served&agent={self.name}")).json()["conversations"]
            for one in mine:
                answered = await self.call(
                    "POST", f"conversations/{one['id']}/messages", {"text": f"好的 {one['name']}"}
                )
                if answered.is_success:
                    await self.call("POST", f"conversations/{one['id']}/close")
            await asyncio.sleep(AGAIN_S)


async def test_everybody_is_served_once_though_processes_die(
    stage: Stage, visitors: Visitors, http: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    robots = await visitors.come(40)
    visitors.say()
    agents = [Worker(name, stage.url, http) for name in AGENTS]
    working = []
    for agent in agents:
        await agent.enter(admin)
        await agent.call("POST", f"agents/{agent.name}/duty", {"on": True})
        working.append(asyncio.create_task(agent.work()))
    try:
        for mark in ("hub-worker", "nats-server", "hub-worker"):
            await asyncio.sleep(1)
            os.kill(stage.children(mark)[0], signal.SIGKILL)
        async with asyncio.timeout(DONE_S):
            for robot in robots:
                await robot.until(partial(shown, robot, "closed"), DONE_S)
    finally:
        for task in working:
            task.cancel()
    assert [answers(robot) for robot in robots] == [[f"好的 {robot.name}"] for robot in robots]
    lines = (await agents[0].call("GET", "queues")).json()["queues"]
    assert [(line["waiting"], line["open"]) for line in lines] == [(0, 0)] * len(lines)


async def test_of_two_who_take_at_the_same_instant_one_is_told_who_was_first(
    stage: Stage, visitors: Visitors, http: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    robots = await visitors.come(10)
    visitors.say()
    agents = [Worker(name, stage.url, http) for name in AGENTS]
    for agent in agents:
        await agent.enter(admin)
    for robot in robots:
        await robot.until(partial(shown, robot, "waiting"))
        path = f"conversations/{robot.conversation}/take"
        said = await asyncio.gather(*(agent.call("POST", path) for agent in agents))
        (first,) = [one.json() for one in said if one.is_success]
        (second,) = [one.json() for one in said if one.status_code == 409]
        assert (second["code"], second["by"]) == ("taken", first["display"])
        assert second["since"] > 0


def shown(robot: Robot, kind: str) -> bool:
    """Whether the visitor has been told of something of this kind."""
    return any(event["kind"] == kind for event in robot.history.shown)
