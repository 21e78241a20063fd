"""SIGKILL for the hub's own processes while visitors' texts are under way."""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import Callable, Sequence

from hub.demo.stage import Stage
from hub.demo.visitors import Visitor

WORKER, NATS = "hub-worker", "nats-server"
UNDER_WAY_S = 0.003
"""A kill falls within so long after a text was handed to a socket."""
LOOK_AGAIN_S = 0.1
SPREAD = 0.8
"""The kills begin in this part of the time: one may have to wait until visitors are back."""


class Kills:
    """`count` kills of a worker and as many of nats-server, by turns, spread over the `over_s` seconds of writing.

    One counts only if texts of visitors with a line were unacknowledged at that moment; else it is not done.
    """

    def __init__(self, stage: Stage, visitors: Sequence[Visitor], count: int, rng: random.Random) -> None:
        self.done: list[str] = []
        self._stage = stage
        self._visitors = visitors
        self._count = count
        self._rng = rng
        self._strike: Callable[[], None] | None = None

    def spoken(self) -> None:
        """A visitor has just handed a text to their line."""
        if self._strike is not None:
            asyncio.get_running_loop().call_later(self._rng.uniform(0, UNDER_WAY_S), self._strike)

    async def run(self, over_s: float) -> None:
        """Do all of them; as late as it takes until one counts."""
        clock = asyncio.get_running_loop().time
        started = clock()
        for n, mark in enumerate(itertools.islice(itertools.cycle((WORKER, NATS)), 2 * self._count)):
            await asyncio.sleep(max(0.0, started + (n + 0.5) * SPREAD * over_s / (2 * self._count) - clock()))
            await self._kill(mark)

    async def _kill(self, mark: str) -> None:
        killed = asyncio.Event()
        while not killed.is_set():
            pids = self._stage.children(mark)
            if pids:
                self._arm(self._rng.choice(pids), mark, killed)
            await asyncio.sleep(LOOK_AGAIN_S)  # the process found here is gone for good reasons at times: look again
        self._strike = None

    def _arm(self, pid: int, mark: str, killed: asyncio.Event) -> None:
        def strike() -> None:
            if killed.is_set() or not any(visitor.waiting for visitor in self._visitors if visitor.client.live):
                return
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self.done.append(mark)
            killed.set()

        self._strike = strike
