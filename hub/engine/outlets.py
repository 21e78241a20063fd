"""The ways out of one worker: a connector's `deliver`, with its limits kept, its faults contained, and counted.

What the hub knows of a far side as a whole is here, once a worker; what it knows of one recipient is in the entity.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec
import structlog

from hub.contract import Connector, Delivery, Refused, Retry, Sent, Unknown, Verdict
from hub.engine.circuit import Circuit, Rate

CALL_S = 10.0
"""A connector that has not answered by then has an unknown outcome."""
AT_ONCE = 256
"""So many calls of one channel are under way in a worker."""
LONGEST_WAIT_S = 2.0
"""A call that would have to wait longer for its turn goes back to where it came from."""

logger = structlog.get_logger("outlets")


class Counts(msgspec.Struct, frozen=True):
    """Of one channel in one worker, since it started: verdicts by kind, and faults of the connector itself."""

    verdicts: dict[str, int]
    faults: int
    waits_because: str
    """Why nobody calls the platform at this moment; empty: they do."""


class Outlet:
    """One channel's way out. `workers` says among how many the channel's common limit is divided."""

    def __init__(
        self, name: str, connector: Connector, workers: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._connector, self._workers, self._clock = name, connector, workers, clock
        self._circuit, self._rate = Circuit(), Rate(connector.can.per_second)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._verdicts: Counter[str] = Counter()
        self._faults = 0
        self._stopping = asyncio.Event()

    async def deliver(self, delivery: Delivery) -> Verdict:
        """What became of it. Retry, without a call, where the platform is left alone or its limit is used up."""
        async with self._places:
            verdict = await self._held_back() or await self._call(delivery)
        self._verdicts[type(verdict).__name__.lower()] += 1
        return verdict

    def stop(self) -> None:
        """Begin no more calls: what waits for its turn has certainly not been sent."""
        self._stopping.set()

    def counts(self) -> Counts:
        """What has happened so far."""
        return Counts(dict(self._verdicts), self._faults, self._circuit.because)

    async def _held_back(self) -> Retry | None:
        """Why there can be no call now; None when there can, after a short wait perhaps."""
        pause_s = self._circuit.wait_s(self._clock())
        if pause_s:
            return Retry(self._circuit.because, pause_s)
        wait_s = self._rate.take(self._clock(), self._workers(), LONGEST_WAIT_S)
        if wait_s > LONGEST_WAIT_S:
            return Retry(f"the limit of {self._connector.can.per_second:g} calls a second is used up", wait_s)
        if wait_s:
            try:
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()
            except TimeoutError:
                return None
        return Retry("the hub is stopping", 0.1) if self._stopping.is_set() else None

    async def _call(self, delivery: Delivery) -> Verdict:
        try:
            async with asyncio.timeout(CALL_S):
                verdict = await self._connector.deliver(delivery)
        except TimeoutError:
            verdict = Unknown(f"no answer within {CALL_S:.0f} s")
        except Exception as error:  # a connector's fault is an unknown outcome, never a lost one
            self._faults += 1
            logger.exception("connector failed", channel=self._name)
            verdict = Unknown(f"{type(error).__name__}: {error}")
        match verdict:
            case Sent() | Refused() | Retry(everyone=False):
                self._circuit.answered()
            case Retry(because=because, after_s=after_s):
                self._circuit.failed(because, self._clock(), after_s)
            case Unknown(because=because):
                self._circuit.failed(because, self._clock())
            case _:
                self._faults += 1
                logger.error("connector gave no verdict", channel=self._name, gave=type(verdict).__name__)
                verdict = Unknown(f"the connector answered {type(verdict).__name__} instead of a verdict")
        return verdict


def outlets(connectors: Mapping[str, Connector], workers: Callable[[], int]) -> dict[str, Outlet]:
    """One for each channel, by name."""
    return {name: Outlet(name, connector, workers) for name, connector in connectors.items()}
