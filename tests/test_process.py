"""The child's end of the pipe: config in, beats out, stop at its end. (Whole processes: tests/node.)"""

import asyncio
import dataclasses
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import process
from hub.process import STANDBY, Config, Supervised
from hub.settings import Settings

CONFIG = Config(2, 3, "nats://127.0.0.1:4222", Settings(data=Path("d"), partitions=8), node="n")


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


async def test_one_that_is_no_standby_begins_at_once(pipe: tuple[socket.socket, Supervised]) -> None:
    _, supervised = pipe
    async with supervised:
        assert await supervised.called()
        assert supervised.index == 2


def test_one_whose_supervisor_died_while_it_was_loaded_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_die_with_parent", lambda: None)
    ours, theirs = socket.socketpair()
    ours.sendall(CONFIG.encode())
    ours.close()
    with pytest.raises(SystemExit, match="the supervisor is gone"):
        Supervised.attach([str(theirs.detach())])


@pytest.fixture
def standby(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, Supervised]]:
    """The supervisor's end, and a standby."""
    monkeypatch.setattr(process, "_die_with_parent", lambda: None)
    ours, theirs = socket.socketpair()
    ours.sendall(dataclasses.replace(CONFIG, index=STANDBY).encode())
    with ours:
        yield ours, Supervised.attach([str(theirs.detach())])


async def test_a_standby_waits_until_it_is_called_by_its_number(standby: tuple[socket.socket, Supervised]) -> None:
    ours, supervised = standby
    async with supervised:
        waiting = asyncio.create_task(supervised.called())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        ours.sendall(b"7\n")
        assert await asyncio.wait_for(waiting, 10)
        assert supervised.index == 7


async def test_a_standby_that_is_never_called_ends(standby: tuple[socket.socket, Supervised]) -> None:
    ours, supervised = standby
    async with supervised:
        waiting = asyncio.create_task(supervised.called())
        ours.close()
        assert not await asyncio.wait_for(waiting, 10)


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
