"""The scripted demo's visitors: each writes an opener and small talk, and half of them lose their line half-way."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, cast

import httpx

from hub.demo.ledgers import Sent, VisitorLedger
from hub.demo.sentences import Opener
from hub.demo.stage import VISITORS

Break = Literal["", "cut", "reload"]
"""How a visitor loses their line: not at all, the network goes away, or the page is loaded anew."""
BACK_S = 120.0
"""Long enough for a hub that is killed again and again."""
MINT_AGAIN_S = 0.5


class SentText(Protocol):
    """A text as the robot's own ledger has it; times are `time.monotonic()` seconds, `acked_at` is 0 until then."""

    text: str
    sent_at: float
    acked_at: float


class Robot(Protocol):
    """What the demo needs of a visitor's robot: connectors/<channel>/sandbox.py, Robot."""

    sent: list[SentText]
    history: Any

    @property
    def live(self) -> bool:
        """Whether it has a line to the hub."""

    async def start(self) -> None:
        """Open the page."""

    async def stop(self) -> None:
        """Leave it."""

    async def reload(self) -> None:
        """Load it anew."""

    def say(self, text: str) -> SentText:
        """Write a text."""

    def cut(self) -> None:
        """Lose the network."""

    async def until(self, true: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait until `true()`."""


class Visitor:
    """One visitor; `ledger` is kept by `note`."""

    def __init__(
        self,
        name: str,
        url: str,
        http: httpx.AsyncClient,
        opener: Opener,
        talk: Sequence[str],
        serials: Sequence[str],
        rng: random.Random,
    ) -> None:
        labels = [opener.label] + [""] * len(talk)
        texts = zip(serials, (opener.text, *talk), labels, strict=True)
        self.plan = [Sent(serial, f"{text} {serial}", cast(Any, label)) for serial, text, label in texts]
        self.ledger = VisitorLedger(opener.team)
        robot = importlib.import_module(f"connectors.{VISITORS}.sandbox").Robot
        self.robot = cast(Robot, robot(url, http=http, rng=rng, name=name))
        self._offline: tuple[float, float] | None = None
        """From when until when their own line was broken."""

    @property
    def waiting(self) -> int:
        """How many texts are sent and not acknowledged."""
        return sum(not one.acked_at for one in self.robot.sent)

    async def write(self, starts_s: float, step_s: float, broken: Break, spoken: Callable[[], None]) -> None:
        """Write all texts, `step_s` apart, the first after `starts_s`; `spoken` is called after each.

        The line breaks right after the middle one was handed to it.
        """
        clock = asyncio.get_running_loop().time
        first = clock() + starts_s
        breaking: asyncio.Task[None] | None = None
        for n, one in enumerate(self.plan):
            await asyncio.sleep(max(0.0, first + n * step_s - clock()))
            if n == 0:
                await self._open()
            self.robot.say(one.text)
            self.ledger.sent.append(one)
            if broken and n == len(self.plan) // 2:
                breaking = asyncio.create_task(self._break(broken))
                await asyncio.sleep(0)
            spoken()
        if breaking:
            await breaking

    async def _open(self) -> None:
        """Open the page; again, as a person would, while the hub gives no answer."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                await self.robot.start()
                break
            await asyncio.sleep(MINT_AGAIN_S)
        await self.robot.until(lambda: self.robot.live, BACK_S)

    async def _break(self, how: Break) -> None:
        since = time.monotonic()
        if how == "cut":
            self.robot.cut()
            while self.robot.live:  # the robot notices a moment later
                await asyncio.sleep(0)
        else:
            await self.robot.reload()
        await self.robot.until(lambda: self.robot.live, BACK_S)
        self._offline = since, time.monotonic()

    def note(self) -> None:
        """Bring the ledger to what the robot knows now."""
        self.ledger.shown = [str(event.get("text", "")) for event in self.robot.history.shown]
        self.ledger.acked = {plan.serial for plan, one in self._both() if one.acked_at}
        self.ledger.latencies_ms = [
            (one.acked_at - one.sent_at) * 1000 for _, one in self._both() if one.acked_at and not self._delayed(one)
        ]

    def _both(self) -> list[tuple[Sent, SentText]]:
        return list(zip(self.ledger.sent, self.robot.sent, strict=True))

    def _delayed(self, one: SentText) -> bool:
        """Their own broken line stood between sending and acknowledgement."""
        return self._offline is not None and one.sent_at < self._offline[1] and one.acked_at > self._offline[0]

    async def leave(self) -> None:
        """Close the page."""
        await self.robot.stop()
