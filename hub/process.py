"""The child's end of the pipe to the supervisor: its config comes in, beats go out, the pipe's end means stop.

A worker or follower is started as `python -m <module> <fd>`, where fd is one end of a socket pair. It reads one line of
JSON (`Config`), sends an empty line every half second from its event loop, so that a blocked loop is noticed, and the
line `ready` once it does its work. A standby is called by a second line, its index.
"""

import asyncio
import contextlib
import ctypes
import dataclasses
import json
import signal
import socket
import sys
from typing import Self

from hub.settings import Settings

BEAT_S = 0.5
READY = b"ready\n"
STANDBY = -1
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


@dataclasses.dataclass(frozen=True)
class Config:
    """What the supervisor tells a child: it is number `index` of so many `workers` (the follower: 0 of 1).

    `node` names this run of the supervisor, in the whole hub. A worker whose index is STANDBY gets ready and waits.
    """

    index: int
    workers: int
    nats_url: str
    settings: Settings
    node: str

    def name(self, pid: int) -> str:
        """The name of this node's process `pid`, which no other one has in the whole hub."""
        return f"{self.node}-{pid}"

    def encode(self) -> bytes:
        """One line of JSON."""
        return json.dumps(vars(self) | {"settings": self.settings.model_dump(mode="json")}).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """The same again. Raises ValueError."""
        fields = json.loads(line)
        return cls(**fields | {"settings": Settings.model_validate(fields["settings"])})


class Supervised:
    """A supervised process, seen from inside. `async with` it beats; `stop` is set when it has to end.

    `stop` follows SIGTERM and the end of the pipe. Leave the block only when all is drained: a process that beats no
    more is killed after 3 s.
    """

    config: Config
    stop: asyncio.Event
    index: int
    """That of the config; a standby's once it has been called."""

    def __init__(self, pipe: socket.socket) -> None:
        self.stop = asyncio.Event()
        self._called = asyncio.Event()
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
            with pipe.makefile("rb", buffering=0) as lines:  # a call may follow at once: it is for `_hear`
                config = Config.decode(lines.readline())
        except (IndexError, OSError, ValueError):
            sys.exit("this process is started by `hub up`, not by hand")
        _die_with_parent()
        if _ended(pipe):  # while this process was still being loaded: nobody will tell it to end
            sys.exit("the supervisor is gone")
        supervised = cls(pipe)
        supervised.config, supervised.index = config, config.index
        return supervised

    def ready(self) -> None:
        """Tell the supervisor that this process does its work."""
        self._send(READY)

    async def called(self) -> bool:
        """Wait, as a standby, until it is needed; False: it never was, and has to end. No standby is needed at once."""
        if self.index == STANDBY:
            called, stopped = asyncio.create_task(self._called.wait()), asyncio.create_task(self.stop.wait())
            await asyncio.wait({called, stopped}, return_when=asyncio.FIRST_COMPLETED)
            called.cancel()
            stopped.cancel()
        return not self.stop.is_set()

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
        if heard:
            self.index = int(heard)
            self._called.set()
        else:
            asyncio.get_running_loop().remove_reader(self._pipe)
            self.stop.set()


def name_process(name: str) -> None:
    """What `ps` and `top` show of this process on Linux, at most 15 characters."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def _die_with_parent() -> None:
    """Have Linux kill this process when its parent is gone, even with a blocked loop; elsewhere the pipe must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _ended(pipe: socket.socket) -> bool:
    """Whether the supervisor's end is closed. Takes nothing from the pipe."""
    try:
        return not pipe.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
