"""A crowd (client.py) in a process of its own, told by name what to do."""

import asyncio
import contextlib
import multiprocessing
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from tests.bench.client import Crowd
from tests.bench.hub import core_s


class Remote:
    """A Crowd elsewhere: `call` its methods."""

    def __init__(self, pipe: Connection, pid: int) -> None:
        self._pipe, self._pid = pipe, pid

    def call(self, method: str, *arguments: Any) -> Any:
        """What the crowd's method answers; its exception is raised here as RuntimeError."""
        self._pipe.send((method, arguments))
        answer, failure = self._pipe.recv()
        if failure:
            raise RuntimeError(failure)
        return answer

    @property
    def core_s(self) -> float:
        """Seconds of core time that it has used."""
        return core_s(self._pid)


@contextlib.contextmanager
def crowd(port: int, workers: int) -> Iterator[Remote]:
    """A crowd for the hub on this port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_main, args=(theirs, port, workers), daemon=True)
    process.start()
    theirs.close()
    assert process.pid is not None
    try:
        yield Remote(ours, process.pid)
    finally:
        ours.close()
        process.join(5)
        process.kill()


def _main(pipe: Connection, port: int, workers: int) -> None:
    uvloop.run(_serve(pipe, port, workers))


async def _serve(pipe: Connection, port: int, workers: int) -> None:
    crowd = Crowd(port, workers)
    spoken = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), spoken.set)
    with contextlib.suppress(EOFError):  # that is how it ends
        while True:
            await spoken.wait()
            method, arguments = pipe.recv()
            spoken.clear()
            try:
                answer = getattr(crowd, method)(*arguments)
                pipe.send((await answer if asyncio.iscoroutine(answer) else answer, ""))
            except Exception:
                pipe.send((None, traceback.format_exc()))
