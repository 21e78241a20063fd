"""Visitors on the hub's own chat page: robots over real WebSockets, whose lines break."""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import Any

import httpx

from connectors.h5.sandbox import Robot, SentText
from hub.demo.channels import Break, Channel, Client

BACK_S = 120.0
"""Long enough for a hub that is killed again and again."""
MINT_AGAIN_S = 0.5


class PageVisitor(Client):
    """One visitor's page. Its robot keeps the ledger: `shown` is what the page shows at last, of both sides."""

    def __init__(self, robot: Robot) -> None:
        super().__init__()
        self._robot = robot
        self._offline: tuple[float, float] | None = None
        """From when until when their own line was broken."""

    @property
    def live(self) -> bool:
        return self._robot.live

    async def open(self) -> None:
        """Open the page; again, as a person would, while the hub gives no answer."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                await self._robot.start()
                break
            await asyncio.sleep(MINT_AGAIN_S)
        await self._robot.until(lambda: self.live, BACK_S)

    def say(self, text: str) -> None:
        self.texts.append(text)
        self._robot.say(text)

    def taken(self) -> Sequence[bool]:
        return [one.acked_at > 0 for one in self._robot.sent]

    def answers(self) -> Sequence[str]:
        return [str(event.get("text", "")) for event in self._robot.history.shown if event["kind"] == "answer"]

    def shown(self) -> Sequence[str]:
        return [str(event.get("text", "")) for event in self._robot.history.shown]

    def latencies_ms(self) -> Sequence[float]:
        acked = (one for one in self._robot.sent if one.acked_at and not self._delayed(one))
        return [(one.acked_at - one.sent_at) * 1000 for one in acked]

    def _delayed(self, one: SentText) -> bool:
        """Their own broken line stood between sending and acknowledgement."""
        return self._offline is not None and one.sent_at < self._offline[1] and one.acked_at > self._offline[0]

    async def lose_line(self, how: Break) -> None:
        since = time.monotonic()
        if how == "cut":
            self._robot.cut()
            while self.live:  # the robot notices a moment later
                await asyncio.sleep(0)
        else:
            await self._robot.reload()
        await self._robot.until(lambda: self.live, BACK_S)
        self._offline = since, time.monotonic()

    async def leave(self) -> None:
        await self._robot.stop()


class H5(Channel):
    """The chat page."""

    title, title_en = "网页聊天", "Web chat"
    hint, hint_en = "像在自己手机上一样打字", "Type as you would on your own phone"

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(trust_env=False, timeout=10)
        super().__init__(self._http)

    def settings(self) -> dict[str, Any]:
        return {}

    def client(self, hub_url: str, name: str, tag: str, rng: random.Random) -> Client:
        return PageVisitor(Robot(hub_url, http=self._http, rng=rng, name=name))

    def join(self, hub_url: str) -> None:
        """There is no platform."""

    def trouble(self) -> None:
        """There is no platform; their lines break in `PageVisitor.lose_line`."""

    def page(self, hub_url: str) -> str:
        return f"{hub_url}/chat"


CHANNEL = H5
