"""A small hub of one worker as a process of its own, and its visitors: what they know of it must stay true."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import httpx

from connectors.h5.sandbox import Robot
from hub.demo.stage import free_port

ROOT = Path(__file__).parents[2]
PARTITIONS = 4
READY, REFUSED = "Ctrl-C stops the hub", "hub: "
START_S, STOP_S = 60.0, 30.0


class Hub:
    """`hub up` on a data folder. `start` it; it may refuse, and then `said` has why."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        self.store = folder / "data/nats/store"
        self._log = folder / "hub.log"
        self._process: asyncio.subprocess.Process | None = None
        self._config = {
            "data": str(folder / "data"),
            "listen": f"127.0.0.1:{port}",
            "rules": str(ROOT / "rules"),
            "workers": 1,
            "partitions": PARTITIONS,
            "visitors_per_minute": 10_000,
            "disk_free_min_percent": 0,
            "channels": {"h5": {}},
        }

    @property
    def said(self) -> str:
        """What it wrote to the terminal since its last start."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def start(self, *, checkpoints: bool = False) -> bool:
        """Whether it came up; False: it refused. TimeoutError: neither. With `checkpoints` it makes one a second."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "hub.yaml"
        config.write_text(json.dumps(self._config), encoding="utf-8")  # JSON is YAML
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        command = ["tests.chaos_store.up"] if checkpoints else ["hub", "up"]
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *command, cwd=ROOT, env=environ | {"HUB_CONFIG": str(config)},
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        async with asyncio.timeout(START_S):
            while self._process.returncode is None and READY not in self.said:
                await asyncio.sleep(0.05)
        return self._process.returncode is None

    async def up(self, *, checkpoints: bool = False) -> None:
        """Start it; AssertionError with its words when it refuses."""
        if not await self.start(checkpoints=checkpoints):
            raise AssertionError(self.said)

    async def stop(self) -> None:
        """End it in order, if it runs."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            self._process.kill()  # its children end with it
            await self._process.wait()

    async def kill(self) -> None:
        """All its processes die at once; nats-server must not have the time to end in order."""
        assert self._process is not None
        nats = int((self.folder / "data/nats/lock").read_text())
        self._process.send_signal(signal.SIGSTOP)  # else it would start the next one
        os.kill(nats, signal.SIGKILL)
        self._process.kill()
        await self._process.wait()
        while Path(f"/proc/{nats}/exe").is_symlink():
            await asyncio.sleep(0.02)

    async def health(self, http: httpx.AsyncClient) -> dict[str, Any]:
        """What it says of itself."""
        answer: dict[str, Any] = (await http.get(f"{self.url}/api/v1/health")).json()
        return answer


class Visitors:
    """Visitors with conversations of several texts; `come_back` is their pages loaded anew, on a copy of the hub."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url, self._http = url, http
        self.robots: list[Robot] = []

    async def come(self, count: int) -> None:
        """So many, none of whom has been here before."""
        for n in range(count):
            robot = Robot(self._url, http=self._http, rng=random.Random(n), name=f"访客{n}")
            await robot.start()
            self.robots.append(robot)

    async def talk(self, texts: int, size: int) -> None:
        """Each writes so many texts of `size` characters; all of it is acknowledged on return."""
        for robot in self.robots:
            for _ in range(texts):
                robot.say(f"{robot.name} {len(robot.sent)} ".ljust(size, "话"))
        for robot in self.robots:
            await robot.settled(120)

    @property
    def partition(self) -> int:
        """Where they live: a worker opens new conversations in one place."""
        (found,) = {int(robot.conversation[1:].partition("-")[0]) for robot in self.robots}
        return found

    def come_back(self) -> Visitors:
        """The same visitors with their tokens and outboxes, who have yet to load what was said."""
        back = Visitors(self._url, self._http)
        for n, before in enumerate(self.robots):
            robot = Robot(self._url, http=self._http, rng=random.Random(n), name=before.name)
            robot.conversation, robot._token, robot._tab = before.conversation, before._token, before._tab
            robot.sent = copy.deepcopy(before.sent)
            robot._running = asyncio.create_task(robot._run())
            back.robots.append(robot)
        return back

    async def leave(self) -> None:
        """All close their pages."""
        await asyncio.gather(*(robot.stop() for robot in self.robots), return_exceptions=True)


def new_port() -> int:
    """Used by all hubs of a run, one after the other: the visitors know its address."""
    return free_port()
