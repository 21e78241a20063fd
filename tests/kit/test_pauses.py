"""A connector that holds its worker's loop is named; one whose many short calls come in one turn of it is not."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import pytest

from hub.contract import Connector
from hub.kit.engine import Engine
from hub.kit.watch import LONGEST_S, TIMES, Pauses


class Slow(Connector):
    """Its one call takes a while."""

    def take(self, seconds: float) -> None:
        """Take so long."""
        time.sleep(seconds)


class Worker:
    """An event loop in a thread of its own, all that is looked at of an Engine."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.thread = cast(int, self._thread.ident)

    def turn(self, *calls: Callable[[], None]) -> None:
        """Have all of them called in one turn of the loop."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: [*map(self.loop.call_soon, calls), self.loop.call_soon(done.set)])
        done.wait()

    def end(self) -> None:
        """Stop it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.end()


def found(worker: Worker, *calls: Callable[[], None]) -> list[str]:
    """What is said of a connector whose calls come so, in as many turns as are needed to say something."""
    pauses = Pauses(Slow)
    pauses.attend(cast(Engine, worker))
    with pauses.looking():
        for _ in range(TIMES):
            worker.turn(*calls)
    return pauses.found


def test_one_long_call_holds_the_loop(worker: Worker) -> None:
    assert len(found(worker, partial(hold, 20 * LONGEST_S))) == 1


def test_many_short_calls_do_not(worker: Worker) -> None:
    assert found(worker, *[short] * 30) == []


def hold(seconds: float) -> None:
    """What the hub calls."""
    Slow.take(cast(Slow, None), seconds)


def short() -> None:
    """A fifth of what may be."""
    hold(LONGEST_S / 5)
