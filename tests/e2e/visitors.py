"""A crowd of robot visitors and what must be true of it at the end."""

import asyncio
import random
from functools import partial
from operator import attrgetter

import httpx

from connectors.h5.sandbox import Robot
from hub.demo.stage import Stage


class Visitors:
    """Robots on one hub; `check` compares what each sent with what the hub and its own page have of it."""

    def __init__(self, stage: Stage, http: httpx.AsyncClient) -> None:
        self._stage, self._http = stage, http
        self.robots: list[Robot] = []

    async def come(self, count: int) -> list[Robot]:
        """So many more, connected."""
        new = [
            Robot(self._stage.url, http=self._http, rng=random.Random(n), name=f"访客{n}")
            for n in range(len(self.robots), len(self.robots) + count)
        ]
        self.robots += new
        for robot in new:
            await robot.start()
        for robot in new:
            await robot.until(partial(attrgetter("live"), robot))
        return new

    def say(self) -> None:
        """Everybody writes one text."""
        for robot in self.robots:
            robot.say(f"{robot.name}-{len(robot.sent)}")

    async def chatter(self) -> None:
        """Everybody writes, one text after the other, until this is cancelled."""
        while True:
            self.say()
            await asyncio.sleep(0.05)

    @property
    def unacknowledged(self) -> int:
        return sum(1 for robot in self.robots for text in robot.sent if not text.acked_at)

    async def check(self) -> None:
        """Everything was acknowledged, and stands in history and on each page once and in order."""
        for robot in self.robots:
            await robot.settled(60)
            sent = [text.text for text in robot.sent]
            shown = [event["text"] for event in robot.history.shown if event["kind"] == "message"]
            assert shown == sent
            async with asyncio.timeout(60):  # the history catches up, or this fails
                assert await self.stored(robot) == sent

    async def stored(self, robot: Robot) -> list[str]:
        """What the API says that this visitor wrote."""
        texts: list[str] = []
        before: int | None = None
        while True:
            params = {} if before is None else {"before": before}
            answer = await self._http.get(
                f"{self._stage.url}/api/v1/conversations/{robot.conversation}/messages",
                params=params,
                headers={"authorization": f"Bearer {robot._token}"},
            )
            if answer.status_code == 503:  # the history has not got that far yet
                await asyncio.sleep(0.5)
                continue
            page = answer.raise_for_status().json()
            texts[:0] = [event["text"] for event in page["events"] if event["kind"] == "message"]
            if not page["more"]:
                return texts
            before = page["events"][0]["seq"]

    async def leave(self) -> None:
        """All close their pages."""
        for robot in self.robots:
            await robot.stop()
