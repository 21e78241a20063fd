"""What is watched while the kit runs: log lines, addresses that are called, and the event loops of the workers."""

from __future__ import annotations

import contextlib
import inspect
import ipaddress
import logging
import math
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from hub.contract import Connector
from hub.kit.engine import Engine
from hub.logs import hide_secrets

LONGEST_S = 0.05
BEAT_S = 0.005
LOOKS, TIMES = 5, 2
"""So many looks in a row must find the loop in the same call of the connector, and that so many times: the machine may
be busy with others."""
TALKATIVE = ("httpx", "httpcore", "uvicorn", "uvicorn.error", "litestar")
"""Loggers that are kept quiet elsewhere."""


class Lines(logging.Handler):
    """Every log line as the hub would write it at its most talkative, with what it hides hidden."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(str(hide_secrets(None, "", {"event": self.format(record)})["event"]))


@contextlib.contextmanager
def listening() -> Generator[Lines, None, None]:
    """Hear all that is logged, by structlog or logging, and keep it off the terminal."""
    root, lines, before = logging.getLogger(), Lines(), structlog.get_config()
    level, handlers = root.level, root.handlers[:]
    talkative = {name: logging.getLogger(name).level for name in TALKATIVE}
    structlog.configure(
        processors=[structlog.stdlib.PositionalArgumentsFormatter(), structlog.processors.format_exc_info, hide_secrets,
                    structlog.processors.KeyValueRenderer(key_order=["event"])],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )  # fmt: skip
    root.handlers[:] = [lines]
    root.setLevel(logging.DEBUG)
    for name in talkative:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, known in talkative.items():
            logging.getLogger(name).setLevel(known)
        structlog.configure(**before)


NAMED = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
ADDRESSED = ("socket.connect", "socket.sendto", "socket.sendmsg")
"""What Python announces before a name is looked up, and before an address is called."""


class Fence:
    """No socket of this process reaches anything but loopback while the fence stands; `called` is who was tried."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self._stands = False
        sys.addaudithook(self._audit)  # it can never be taken away again

    @contextlib.contextmanager
    def standing(self) -> Generator[None, None, None]:
        """Put it up until the block ends."""
        self._stands = True
        try:
            yield
        finally:
            self._stands = False

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._stands or event not in NAMED + ADDRESSED:
            return
        host = args[0]
        if event in ADDRESSED:
            host = args[1][0] if isinstance(args[1], tuple) else None  # else a path in the file system, or connected
        if host is not None and not _is_here(host):
            self.called.append(str(host))
            raise PermissionError(f"{host} is not this machine: a connector under test calls its stand-in only")


def _is_here(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name in ("localhost", socket.gethostname())


FENCE = Fence()


class Pauses:
    """Looks at a worker's loop from outside; `found` says where the connector's code held it for more than 50 ms."""

    def __init__(self, connector: type[Connector]) -> None:
        self._times = Counter[str]()
        self._folders = tuple(
            f"{Path(inspect.getfile(one)).parent}{os.sep}"
            for one in connector.__mro__
            if issubclass(one, Connector) and one is not Connector
        )
        self._engine: Engine | None = None
        self._beat = 0.0
        self._over = threading.Event()

    def attend(self, engine: Engine) -> None:
        """Look at this worker from now on, and no more at the one before."""

        def beat() -> None:
            if self._engine is engine and not self._over.is_set():
                self._beat = time.monotonic()
                engine.loop.call_later(BEAT_S, beat)

        self._engine, self._beat = engine, time.monotonic()
        engine.loop.call_soon_threadsafe(beat)

    @contextlib.contextmanager
    def looking(self) -> Generator[None, None, None]:
        """Look until the block ends."""
        looker = threading.Thread(target=self._look, daemon=True)
        looker.start()
        try:
            yield
        finally:
            self._over.set()
            looker.join()

    @property
    def found(self) -> list[str]:
        """The functions, of those that the hub calls, in which it stood still."""
        return sorted(place for place, times in self._times.items() if times >= TIMES)

    def _look(self) -> None:
        looks, since, before = 0, 0.0, None
        while not self._over.wait(BEAT_S):
            call, now = self._call(), time.monotonic()
            # Many short calls in one turn of the loop are no long one, however slow the machine makes them.
            if call is None or call is not before or self._beat > since:
                looks, since, before = 0, now, call
            looks += 1
            if call is not None and looks >= LOOKS and now - since > LONGEST_S:
                self._times[f"{Path(call.f_code.co_filename).name}, {call.f_code.co_qualname}"] += 1
                since = math.inf  # once is enough

    def _call(self) -> FrameType | None:
        """The call of the connector's own code in which the loop is at this moment; None: it is in none."""
        frame: FrameType | None = None
        if self._engine is not None and self._engine.loop.is_running():
            frame = sys._current_frames().get(self._engine.thread)
        call = None
        while frame is not None:
            if frame.f_code.co_filename.startswith(self._folders):
                call = frame
            frame = frame.f_back
        return call
