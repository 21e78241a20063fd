"""The crowd: shares of it (client.py) in processes of their own, told by name what to do."""

import asyncio
import contextlib
import multiprocessing
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import uvloop

from tests.bench.client import ANSWER_S, Counts, Share
from tests.bench.hub import core_s

PROCESSES = max(1, len(os.sched_getaffinity(0)) // 2)
"""On two cores one: the other one is the worker's."""
SETTLE_S = 3

Addresses = Sequence[tuple[str, int]]


class _Process(NamedTuple):
    pipe: Connection
    pid: int


class Crowd:
    """All visitors and agents of a run, spread evenly over the processes."""

    def __init__(self, processes: Sequence[_Process], workers: int) -> None:
        self._processes = processes
        self._has_desks = False
        self.homes: list[int] = self._call_one(processes[0], "find_homes", workers)
        """The partition in which each worker opens conversations."""
        self._call("know_homes", self.homes)

    # --- coming ------------------------------------------------------------------------------------------------------

    def employ(self, admin_token: str, agents_a_team: int) -> None:
        """Put every agent on duty and open their desks."""
        count = len(self._processes)
        self._each("employ", [(admin_token, range(n, agents_a_team, count)) for n in range(count)])
        self._has_desks = True

    def dismiss(self) -> None:
        """Close all desks; the agents stay on duty."""
        self._call("dismiss")
        self._has_desks = False

    def arrive(self, count: int, crossing: bool = False) -> None:
        """Open the sockets of so many visitors more; `crossing`: each conversation is owned by another worker."""
        self._each("arrive", [(part, crossing) for part in self._parts(count)])

    def open(self) -> None:
        """Everybody's first message, until an agent has it: from then on each message is received by one desk."""
        self._call("each_sends", 1)
        time.sleep(SETTLE_S)
        self._call("forget_counts")

    def shake(self, count: int) -> float:
        """Let visitors come back: `count` times TCP, upgrade, hello, welcome; the seconds it took."""
        begun = time.monotonic()
        self._each("shake", [(part,) for part in self._parts(count)])
        return time.monotonic() - begun

    # --- writing -----------------------------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """What has been sent, acknowledged and received."""
        return Counts(*map(sum, zip(*self._call("counts"), strict=True)))

    def flow(self, in_flight: int) -> None:
        """Keep so many messages under way, until `drain`."""
        self._each("flow", [(part,) for part in self._parts(in_flight)])

    def pace(self, per_s: float, seconds: float) -> list[float]:
        """Send at a steady rate until all is acknowledged and received; the seconds from each send to its ack."""
        took = self._call("pace", per_s / len(self._processes), seconds)
        self.drain()
        return [one for part in took for one in part]

    def each_sends(self, times: int) -> None:
        """Everybody writes so many messages, one after the other; returns when all are acknowledged."""
        self._call("each_sends", times)

    def drain(self) -> None:
        """Send no more, and wait until everything is acknowledged and has reached a desk, if there is one.

        Raises RuntimeError when one message is missing.
        """
        self._call("stop")
        seen, moved_at = Counts(), time.monotonic()
        while True:
            now = self.counts()
            if now.acked == now.sent and (now.received == now.sent or not self._has_desks):
                return
            if now != seen:
                seen, moved_at = now, time.monotonic()
            if time.monotonic() - moved_at > ANSWER_S:
                raise RuntimeError(f"nothing has come for {ANSWER_S} s, and not all is here: {now}")
            time.sleep(0.01)

    # --- their processes ---------------------------------------------------------------------------------------------

    @property
    def core_s(self) -> float:
        """Seconds of core time that the processes have used."""
        return sum(core_s(process.pid) for process in self._processes)

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [process.pid for process in self._processes]

    def _parts(self, count: int) -> list[int]:
        processes = len(self._processes)
        return [count // processes + (n < count % processes) for n in range(processes)]

    def _call_one(self, process: _Process, method: str, *arguments: Any) -> Any:
        process.pipe.send((method, arguments))
        return _answer(process)

    def _call(self, method: str, *arguments: Any) -> list[Any]:
        return self._each(method, [arguments] * len(self._processes))

    def _each(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """What the method of each process's share answers; its exception is raised here as RuntimeError."""
        for process, those in zip(self._processes, arguments, strict=True):
            process.pipe.send((method, those))
        return [_answer(process) for process in self._processes]


def _answer(process: _Process) -> Any:
    answer, failure = process.pipe.recv()
    if failure:
        raise RuntimeError(failure)
    return answer


@contextlib.contextmanager
def crowd(workers: int, *addresses: tuple[str, int]) -> Iterator[Crowd]:
    """A crowd for the hub that listens there, with so many workers in all."""
    with contextlib.ExitStack() as stack:
        yield Crowd([stack.enter_context(_process(addresses, number)) for number in range(PROCESSES)], workers)


@contextlib.contextmanager
def _process(addresses: Addresses, number: int) -> Iterator[_Process]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_main, args=(theirs, addresses, number), daemon=True)
    process.start()
    theirs.close()
    assert process.pid is not None
    try:
        yield _Process(ours, process.pid)
    finally:
        ours.close()
        process.join(5)
        process.kill()


def _main(pipe: Connection, addresses: Addresses, number: int) -> None:
    uvloop.run(_serve(pipe, addresses, number))


async def _serve(pipe: Connection, addresses: Addresses, number: int) -> None:
    share = Share(addresses, number)
    spoken = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), spoken.set)
    with contextlib.suppress(EOFError):  # that is how it ends
        while True:
            await spoken.wait()
            method, arguments = pipe.recv()
            spoken.clear()
            try:
                answer = getattr(share, method)(*arguments)
                pipe.send((await answer if asyncio.iscoroutine(answer) else answer, ""))
            except Exception:
                pipe.send((None, traceback.format_exc()))
