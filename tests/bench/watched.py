"""A hub with a watch on its worker's event loop: the longest time in which the loop had no turn for anybody.

`python -m tests.bench.watched up` is `hub up` whose workers are this module too. The worker itself is unchanged; beside
it a timer asks to be called every millisecond, and what it is late is how long the loop's turn took. That holds all
that one turn does: callbacks, garbage collection, waiting for the kernel. (A ping from outside would also measure its
sender, and how the kernel shares out the other cores.)
"""

import asyncio
import contextlib
import functools
import mmap
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvloop

import hub.node
from hub import logs
from hub import worker as hub_worker
from hub.cli import main as cli
from hub.errors import HubError
from hub.process import STANDBY, Supervised
from tests.bench import hub as bench_hub
from tests.bench.hub import Hub

MODULE = "tests.bench.watched"
FILE = "BENCH_WATCH"
"""The variable that names the file which bench and worker share."""
TICK_S = 0.001


class Watch:
    """The longest turn so far, in a page of memory that the worker writes and the bench reads."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._longest_s = memoryview(mmap.mmap(opened.fileno(), 8)).cast("d")

    def begin(self) -> None:
        """Forget what was."""
        self._longest_s[0] = 0.0

    @property
    def longest_s(self) -> float:
        """Since `begin`."""
        return self._longest_s[0]

    def note(self, late_s: float) -> None:
        """The worker's side: a turn was so late."""
        self._longest_s[0] = max(self._longest_s[0], late_s)

    def tick(self, last_s: float) -> None:
        """The worker's side: note how late this call is, and ask for the next one."""
        now_s = time.perf_counter()
        self.note(now_s - last_s - TICK_S)
        asyncio.get_running_loop().call_later(TICK_S, self.tick, now_s)


def longest_pause_s(core: int, seconds: float) -> float:
    """How long a process on that core that only looks at the clock is kept from it at most: what no program can beat.

    The kernel deals with the others' packets there, and a virtual machine's host takes its share.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        longest_s, last_s = 0.0, time.perf_counter()
        end_s = last_s + seconds
        while last_s < end_s:
            now_s = time.perf_counter()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s
        return longest_s
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def running(agents_a_team: int) -> Iterator[tuple[Hub, Watch]]:
    """As tests.bench.hub.running with one worker, and the watch on it."""
    with bench_hub.folder() as place:
        file = place / "watch"
        file.write_bytes(bytes(8))
        with bench_hub.running(1, agents_a_team, place=place, module=MODULE, environment={FILE: str(file)}) as node:
            yield node, Watch(file)


async def _work(supervised: Supervised) -> None:
    if supervised.index != STANDBY:
        Watch(Path(os.environ[FILE])).tick(time.perf_counter())
    await hub_worker.run(supervised)


def _worker() -> None:
    supervised = Supervised.attach()
    logs.configure(f"worker-{supervised.index}")
    try:
        uvloop.run(_work(supervised))
    except HubError as error:
        structlog.get_logger("worker").error("worker stopped", because=str(error))
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1].isdecimal():
        _worker()
    else:
        hub.node.Node = functools.partial(hub.node.Node, worker=MODULE)  # type: ignore[misc,assignment]
        cli()
