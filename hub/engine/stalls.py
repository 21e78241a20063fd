"""Ends a connector's code that holds up the whole worker: a loop without end, a call that blocks.

A timer of the operating system rings when the event loop has not come round for a while. Where the code that runs at
that moment was called by a connector, `Stalled` is raised inside it; everything else is left to the supervisor.
"""

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from types import FrameType

import structlog

from hub.contract import Connector

BEAT_S = 0.25
PATIENCE_S = 1.25
"""A connector holds up the loop no longer than this; the supervisor replaces a worker that is silent for 3 s."""

logger = structlog.get_logger("stalls")


class Stalled(Exception):
    """A connector's code has held up the worker, and was ended."""


class Stalls:
    """Watches the connectors' code in the main thread. `counts`: how often each channel's was ended."""

    def __init__(self, connectors: Mapping[str, Connector]) -> None:
        self.counts: Counter[str] = Counter()
        self._channels = {type(connector).__module__.rpartition(".")[0] or type(connector).__module__: name
                          for name, connector in connectors.items()}  # fmt: skip
        self._beating: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch from now on; does nothing outside of the main thread, where no signal arrives."""
        if threading.current_thread() is threading.main_thread() and self._channels:
            signal.signal(signal.SIGALRM, self._ring)
            self._beat()

    def stop(self) -> None:
        """Watch no more."""
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _beat(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
        self._beating = asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def _ring(self, _: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)  # it may go on after the first one
        while frame is not None:
            channel = self._channel(str(frame.f_globals.get("__name__", "")))
            if channel:
                self.counts[channel] += 1
                logger.error("connector held up the worker", channel=channel, function=frame.f_code.co_qualname)
                raise Stalled(f"{frame.f_code.co_qualname} held up the worker for {PATIENCE_S:g} s, and was ended")
            frame = frame.f_back

    def _channel(self, module: str) -> str:
        """The channel whose connector the module belongs to; empty: none's."""
        return next(
            (name for package, name in self._channels.items() if module == package or module.startswith(package + ".")),
            "",
        )
