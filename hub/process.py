"""The child's end of the pipe to the supervisor: its config comes in, beats go out, the pipe's end means stop.

A worker or follower is started as `python -m <module> <fd>`, where fd is one end of a socket pair. It reads one line of
JSON (`Config`), sends an empty line every half second from its event loop, so that a blocked loop is noticed, and the
line `ready` once it does its work.
"""

import asyncio
import contextlib
import ctypes
import dataclasses
import json
import os
import signal
import socket
import sys
from typing import Self

from hub.settings import Settings

BEAT_S = 0.5
READY = b"ready\n"
PR_SET_PDEATHSIG = 1


@dataclasses.dataclass(frozen=True)
class Config:
    """What the supervisor tells a child: it is number `index` of so many `workers` (the follower: 0 of 1)."""

    index: int
    workers: int
    nats_url: str
    settings: Settings

    @property
    def partitions(self) -> range:
        """The partitions that are this worker's; its successor gets the same."""
        return range(self.index, self.settings.partitions, self.workers)

    def encode(self) -> bytes:
        """One line of JSON."""
        fields = {"index": self.index, "workers": self.workers, "nats_url": self.nats_url}
        return json.dumps(fields | {"settings": self.settings.model_dump(mode="json")}).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """The same again. Raises ValueError."""
        fields = json.loads(line)
        return cls(
            index=fields["index"],
            workers=fields["workers"],
            nats_url=fields["nats_url"],
            settings=Settings.model_validate(fields["settings"]),
        )


class Supervised:
    """A supervised process, seen from inside. `async with` it beats; `stop` is set when it has to end.

    `stop` follows SIGTERM and the end of the pipe. Leave the block only when all is drained: a process that beats no
    more is killed after 3 s.
    """

    config: Config
    stop: asyncio.Event

    def __init__(self, pipe: socket.socket) -> None:
        self.stop = asyncio.Event()
        self._pipe = pipe
        self._beating: asyncio.Task[None] | None = None

    @classmethod
    def attach(cls, arguments: list[str] | None = None) -> Self:
        """Take the pipe whose number is the first argument (of this process) and read the config from it.

        From now on the process does not outlive its supervisor. Exits with status 2 where nobody supervises it.
        """
        arguments = sys.argv[1:] if arguments is None else arguments
        try:
            pipe = socket.socket(fileno=int(arguments[0]))
            with pipe.makefile("rb") as lines:
                config = Config.decode(lines.readline())
        except (IndexError, OSError, ValueError):
            sys.exit("this process is started by `hub up`, not by hand")
        _die_with_parent()
        supervised = cls(pipe)
        supervised.config = config
        return supervised

    def ready(self) -> None:
        """Tell the supervisor that this process does its work."""
        self._send(READY)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._pipe.setblocking(False)
        loop.add_reader(self._pipe, self._hear)
        loop.add_signal_handler(signal.SIGTERM, self.stop.set)
        self._beating = loop.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe)
        if self._beating:
            self._beating.cancel()

    async def _beat(self) -> None:
        while True:
            self._send(b"\n")
            await asyncio.sleep(BEAT_S)

    def _send(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # full: the supervisor sleeps; broken: `_hear` sees the end
            self._pipe.send(line)

    def _hear(self) -> None:
        try:
            heard = self._pipe.recv(64)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            asyncio.get_running_loop().remove_reader(self._pipe)
            self.stop.set()


def _die_with_parent() -> None:
    """Have Linux kill this process when its parent is gone, even with a blocked loop; elsewhere the pipe must do."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the supervisor is gone")
