"""Rounds: when the partitions of one worker write to their logs."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 0.005
"""So long a batch is waited for: a log in trouble must not hold up the others."""


class Rounds:
    """Lets the batches of several partitions set out together, and others wait until these are back.

    The messages of platforms lie in all partitions, a few in each. A partition that wrote whenever it has something
    would write them one by one, each with a publish, an answer and an fsync of its own; while a round is away, the
    batches of the next one grow. A partition that writes alone waits for nobody.
    """

    def __init__(self) -> None:
        self._away: set[object] = set()
        self._waiting: list[asyncio.Future[None]] = []

    async def turn(self) -> None:
        """Return when a round begins."""
        if self._away:
            begun = asyncio.get_running_loop().create_future()
            self._waiting.append(begun)
            await begun

    async def carry(self, write: Awaitable[T]) -> T:
        """The result of `write`, for which others wait meanwhile."""
        batch = object()
        self._away.add(batch)
        patience = asyncio.get_running_loop().call_later(PATIENCE_S, self._back, batch)
        try:
            return await write
        finally:
            patience.cancel()
            self._back(batch)

    def _back(self, batch: object) -> None:
        self._away.discard(batch)
        if not self._away:
            waiting, self._waiting = self._waiting, []
            for begun in waiting:
                if not begun.done():  # its partition was closed meanwhile
                    begun.set_result(None)
