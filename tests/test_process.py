"""The child's end of the pipe: config in, beats out, stop at its end. (Whole processes: tests/node.)"""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import process
from hub.process import Config, Supervised
from hub.settings import Settings

CONFIG = Config(index=2, workers=3, nats_url="nats://127.0.0.1:4222", settings=Settings(data=Path("d"), partitions=8))


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, Supervised]]:
    """The supervisor's end, and a child attached to the other one."""
    monkeypatch.setattr(process, "_die_with_parent", lambda: None)  # else the test run would die with its shell
    ours, theirs = socket.socketpair()
    ours.sendall(CONFIG.encode())
    with ours:
        yield ours, Supervised.attach([str(theirs.detach())])


def test_a_config_arrives_as_it_was_sent() -> None:
    assert Config.decode(CONFIG.encode()) == CONFIG
    assert CONFIG.encode().count(b"\n") == 1


@pytest.mark.parametrize(
    ("workers", "owned"), [(1, [[0, 1, 2, 3, 4]]), (2, [[0, 2, 4], [1, 3]]), (5, [[0], [1], [2], [3], [4]])]
)
def test_each_partition_has_one_worker(workers: int, owned: list[list[int]]) -> None:
    settings = Settings(partitions=5)
    assert [list(Config(index, workers, "", settings).partitions) for index in range(workers)] == owned


async def test_it_beats_as_long_as_its_loop_runs(
    pipe: tuple[socket.socket, Supervised], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "BEAT_S", 0.01)
    ours, supervised = pipe
    assert supervised.config == CONFIG
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    async with supervised, asyncio.timeout(10):
        assert await loop.sock_recv(ours, 1) == b"\n"
        supervised.ready()
        heard = b""
        while heard.count(b"\n") < 5:
            heard += await loop.sock_recv(ours, 64)
        assert heard.count(b"ready\n") == 1
        assert not supervised.stop.is_set()


async def test_it_stops_when_the_pipe_ends(pipe: tuple[socket.socket, Supervised]) -> None:
    ours, supervised = pipe
    async with supervised:
        ours.close()
        await asyncio.wait_for(supervised.stop.wait(), 10)


async def test_it_stops_at_sigterm(pipe: tuple[socket.socket, Supervised]) -> None:
    _, supervised = pipe
    async with supervised:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(supervised.stop.wait(), 10)


async def test_a_supervisor_that_does_not_listen_blocks_nobody(pipe: tuple[socket.socket, Supervised]) -> None:
    _, supervised = pipe
    async with supervised:
        for _ in range(100_000):
            supervised.ready()
        assert not supervised.stop.is_set()


@pytest.mark.parametrize("arguments", [[], ["seven"], ["9999"]])
def test_started_by_hand_it_says_so(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="this process is started by `hub up`, not by hand"):
        Supervised.attach(arguments)
