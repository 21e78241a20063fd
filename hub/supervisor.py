"""Keeps a process running: starts it, listens for its beats, replaces it when it dies or falls silent.

The other end of hub/process.py's pipe.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Sequence

import structlog

from hub.process import READY

SILENCE_S = 3.0
"""So long a process that has ever beaten may be silent."""
START_S = 30.0
"""So long a new process may take until its first beat."""
TICK_S = 0.25
CRASH_LOOP = 3

log = structlog.get_logger("hub.supervisor")


class Restarts:
    """How long to wait before a process is started again: not at all, unless it dies young again and again."""

    YOUNG_S = 5.0
    LONGEST_S = 10.0

    def __init__(self) -> None:
        self.young = 0
        """Deaths in a row within YOUNG_S of a start."""

    def pause_after(self, lived_s: float) -> float:
        """Seconds to wait after a process that lived for so long."""
        self.young = self.young + 1 if lived_s < self.YOUNG_S else 0
        if self.young < CRASH_LOOP:
            return 0.0
        return float(min(0.5 * 2 ** (self.young - CRASH_LOOP), self.LONGEST_S))


class Child(asyncio.Protocol):
    """One run of a process."""

    def __init__(self, ready: asyncio.Event) -> None:
        self.process: asyncio.subprocess.Process
        self._pipe: asyncio.Transport
        self._ready = ready
        self._beats = 0
        self._line = b""

    @classmethod
    async def start(cls, module: str, config: bytes, ready: asyncio.Event) -> "Child":
        """Run `module` with one line of `config` on its pipe; `ready` is set when it says so.

        It has a session of its own, so that Ctrl-C on the terminal does not reach it.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            transport, child = await asyncio.get_running_loop().create_connection(lambda: cls(ready), sock=ours)
            try:
                child.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", module, str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL, stdout=sys.__stderr__, pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )  # fmt: skip
            except BaseException:
                transport.close()
                raise
        child._pipe = transport
        transport.write(config)
        return child

    def call(self, line: bytes, ready: asyncio.Event) -> None:
        """Tell a standby that it is needed; `ready` is set when it does its work."""
        self._ready = ready
        self._pipe.write(line)

    def data_received(self, data: bytes) -> None:
        self._beats += 1
        *lines, self._line = (self._line + data).split(b"\n")
        if READY.strip() in lines:
            self._ready.set()

    async def gone(self) -> str:
        """How it ended, once it has. One that falls silent is killed.

        Silence is counted in ticks, not by the clock: a supervisor that was itself stopped for a while must not take
        its own pause for the child's.
        """
        ended = asyncio.ensure_future(self.process.wait())
        quiet_s, heard = 0.0, 0
        while True:
            await asyncio.wait({ended}, timeout=TICK_S)
            if ended.done():
                return ending(ended.result())
            quiet_s = 0.0 if self._beats > heard else quiet_s + TICK_S
            heard = self._beats
            if quiet_s >= (SILENCE_S if heard else START_S):
                self.signal(signal.SIGKILL)
                await ended
                return f"silent for {quiet_s:g} s and killed"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


class Kept:
    """A process that is replaced whenever it is gone, until it is stopped.

    `gone` gets the pid of each one that is. The `standby`, if there is one, takes its place, called by `call`.
    """

    def __init__(
        self,
        name: str,
        module: str,
        config: bytes,
        *,
        gone: Callable[[int], None] = lambda pid: None,
        standby: "Standby | None" = None,
        call: bytes = b"",
    ) -> None:
        self.name = name
        self.child: Child | None = None
        self.ready = asyncio.Event()
        """Set while a process runs that has said that it does its work."""
        self._module, self._config = module, config
        self._gone, self._standby, self._call = gone, standby, call
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now; 0 for none."""
        return self.child.process.pid if self.child else 0

    def start(self) -> None:
        """Run it from now on."""
        self._running = asyncio.create_task(self._run(), name=self.name)

    async def stop(self, within_s: float) -> None:
        """End it by SIGTERM; what still runs after `within_s` seconds is killed."""
        self._stopping.set()
        if not self._running:
            return
        if self.child:
            self.child.signal(signal.SIGTERM)
        await asyncio.wait({self._running}, timeout=within_s)
        if not self._running.done():
            log.warning("killed: it did not stop in time", child=self.name, within_s=within_s)
            self.kill()
        await self._running

    def kill(self) -> None:
        """End it at once."""
        self._stopping.set()
        if self.child:
            self.child.signal(signal.SIGKILL)

    async def _run(self) -> None:
        restarts, clock = Restarts(), asyncio.get_running_loop().time
        while not self._stopping.is_set():
            started = clock()
            how = await self._run_once()
            if self._stopping.is_set():
                return
            pause_s = restarts.pause_after(clock() - started)
            if restarts.young < CRASH_LOOP:
                log.warning("replaced", child=self.name, how=how)
            elif restarts.young == CRASH_LOOP:
                log.error(
                    "dies again and again right after its start; its own lines above say why",
                    child=self.name, how=how, next_try_in_s=pause_s,
                )  # fmt: skip
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()

    async def _run_once(self) -> str:
        """Run a process to its end and return how it ended."""
        try:
            self.child = self._promoted() or await Child.start(self._module, self._config, self.ready)
        except OSError as error:
            return f"could not be started: {error}"
        if self._stopping.is_set():
            self.child.signal(signal.SIGTERM)
        how = await self.child.gone()
        pid, self.child = self.pid, None
        self.ready.clear()
        self._gone(pid)
        return f"{how} (pid {pid})"

    def give(self) -> Child | None:
        """Its process, if it runs; from now on it is another's to keep."""
        child, self.child = self.child, None
        if child and self._running:
            self._running.cancel()
        return child

    def _promoted(self) -> Child | None:
        child = self._standby.give() if self._standby else None
        if child:
            child.call(self._call, self.ready)
        return child


class Standby:
    """A process that has done everything but begin: it takes the place of the first of the `kept` that dies.

    It is started when they are all ready, so that it takes no time from them while they need it most. One that is only
    half ready when it is needed is still ahead of a new one.
    """

    def __init__(self, module: str, config: bytes) -> None:
        self._module, self._config = module, config
        self._waiting: Kept | None = None
        self._kept: Sequence[Kept] = ()
        self._starting: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of the process that waits; 0 for none."""
        return self._waiting.pid if self._waiting else 0

    def start(self, kept: Sequence[Kept]) -> None:
        """Have one ready for these from now on."""
        self._kept = kept
        self._starting = asyncio.create_task(self._start(), name="standby")

    def give(self) -> Child | None:
        """The process, if it runs; another one is started in its stead."""
        child = self._waiting.give() if self._waiting else None
        if child:
            self._waiting = None
            self.start(self._kept)
        return child

    async def stop(self, within_s: float) -> None:
        """End it by SIGTERM; what still runs after `within_s` seconds is killed."""
        if self._starting:
            self._starting.cancel()
        if self._waiting:
            await self._waiting.stop(within_s)

    def kill(self) -> None:
        """End it at once."""
        if self._starting:
            self._starting.cancel()
        if self._waiting:
            self._waiting.kill()

    async def _start(self) -> None:
        for kept in self._kept:
            await kept.ready.wait()
        self._waiting = Kept("standby", self._module, self._config)
        self._waiting.start()


def ending(status: int) -> str:
    """A process's return code in words."""
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
