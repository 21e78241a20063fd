"""A whole hub with the real nats-server and stand-ins for worker and follower: start, heal, refuse, drain."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.bus.connection import connect
from hub.bus.leases import WORKERS, Leases
from hub.bus.server import EmbeddedServer
from hub.bus.shared_secrets import share
from hub.errors import HubError, LogWentBack, SettingsError
from hub.kept_nats import KeptNats
from hub.node import Node, reserve
from hub.settings import Settings

CHILD = "tests.node.child"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CHILD_ORDERS", str(tmp_path / "orders"))
    return Settings(data=tmp_path / "data", listen="127.0.0.1:0", workers=2, partitions=4)


class Said(list[str]):
    """The lines that a person got to read."""

    def __call__(self, line: str) -> None:
        self.append(line)


def new_node(settings: Settings) -> Node:
    return Node(settings, Said(), worker=CHILD, follower=CHILD)


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[Node]:
    node = new_node(settings)
    await node.start()
    await asyncio.wait_for(node.ready(), 30)
    yield node
    await node.stop()


async def write(node: Node, stream: str = "LOG-0") -> int:
    """Put one message into a stream of the running server."""
    connection = await connect(node.nats.url, "test")
    js = connection.jetstream()
    await js.add_stream(name=stream, subjects=[f"to.{stream}"])
    sequence = (await js.publish(f"to.{stream}", b"x")).seq
    await connection.close()
    return sequence


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def drained(folder: Path) -> int:
    """So many processes have ended in order; a standby that was not needed does not count."""
    lines = (folder / "notes").read_text().splitlines()
    return sum(line.startswith("stopped") and line[-1].isdigit() for line in lines)


def server(node: Node) -> EmbeddedServer:
    """The one that it keeps itself."""
    assert isinstance(node.nats, KeptNats)
    return node.nats.server


def pids(node: Node) -> list[int]:
    return [server(node).pid, *(kept.pid for kept in (*node.workers, *node.followers))]


async def test_all_processes_run_and_know_the_port(node: Node, tmp_path: Path) -> None:
    started = [line.rpartition(" ")[0] for line in (tmp_path / "notes").read_text().splitlines()]
    assert sorted(line for line in started if line != "standing by") == ["started 0", "started 0", "started 1"]
    assert node.settings.port != 0
    assert node.settings.public_url == f"http://127.0.0.1:{node.settings.port}"


async def test_the_admin_token_is_said_when_it_is_made(settings: Settings) -> None:
    said, shared = [], []
    for renew in (False, False, True):
        say = Said()
        node = Node(settings, say, worker=CHILD, follower=CHILD, new_admin_token=renew)
        await node.start()
        connection = await connect(node.nats.url, "test")
        shared.append((await share(connection)).secrets)
        await connection.close()
        await node.stop()
        said.append([line.removeprefix("admin token, shown only this once: ") for line in say])
    (first,), none, (second,) = said
    assert none == []
    assert [shared[1].is_admin(token) for token in (first, second, "")] == [True, False, False]
    assert [shared[2].is_admin(token) for token in (first, second)] == [False, True]
    assert len({secrets.signing_key for secrets in shared}) == 1, "tokens stay valid"


async def test_a_second_hub_on_the_same_folder_is_told_who_has_it(node: Node) -> None:
    with pytest.raises(HubError, match=f"data: in use by pid {os.getpid()}; stop that hub first"):
        await new_node(node.settings).start()


async def test_a_used_port_is_refused_before_anything_starts(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = other.getsockname()[1]
        node = new_node(settings.listening_on(port))
        with pytest.raises(HubError, match=f"listen 127.0.0.1:{port}: address already in use; stop what uses it"):
            await node.start()
        await node.stop()
    assert not (settings.data / "nats").exists()


def test_a_reserved_port_is_ours_to_share_and_nobody_elses() -> None:
    with reserve("127.0.0.1", 0) as ours, socket.socket() as worker, socket.socket() as stranger:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind(ours.getsockname())
        with pytest.raises(OSError, match="in use"):
            stranger.bind(ours.getsockname())


async def test_another_number_of_partitions_is_refused(settings: Settings) -> None:
    first = new_node(settings)
    await first.start()
    await first.stop()
    second = new_node(settings.model_copy(update={"partitions": 5}))
    with pytest.raises(SettingsError, match=r"partitions: 5 does not fit .* begun with 4; set it to 4"):
        await second.start()
    await second.stop()


async def test_what_a_dead_worker_held_is_revoked(node: Node) -> None:
    connection = await connect(node.nats.url, "test")
    dead, alive = (Leases(connection, f"{WORKERS}.{node._config.name(node.workers[index].pid)}") for index in range(2))
    for leases, key in ((dead, "k"), (alive, "l")):
        leases.ttl_s = 600
        await leases.start()
        assert await leases.take(key)
    os.kill(node.workers[0].pid, signal.SIGKILL)
    await asyncio.wait_for(dead.lost("k"), 20)
    assert alive.held.keys() == {"l"}
    for leases in (dead, alive):
        await leases.close()
    await connection.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_nats_server_is_started_again_where_it_was(node: Node, number: signal.Signals) -> None:
    running = asyncio.create_task(node.run())
    first, url = server(node).pid, node.nats.url
    workers = [worker.pid for worker in node.workers]
    sequence = await write(node)
    os.kill(first, number)
    async with asyncio.timeout(30):
        while server(node).pid in (0, first) or await server(node).healthz():
            await asyncio.sleep(0.02)
    assert node.nats.url == url
    assert await write(node) == sequence + 1
    assert [worker.pid for worker in node.workers] == workers
    assert not running.done()
    running.cancel()


async def test_nats_server_killed_while_it_starts_is_started_once_more(node: Node) -> None:
    running = asyncio.create_task(node.run())
    sequence = await write(node)
    killed = {0}
    async with asyncio.timeout(40):
        while len(killed) < 4:
            pid = server(node).pid if server(node).alive else 0
            if pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            await asyncio.sleep(0.001)
        while not server(node).alive or await server(node).healthz():
            await asyncio.sleep(0.02)
    assert not running.done()
    assert await write(node) == sequence + 1
    running.cancel()


async def test_a_log_that_went_back_stops_the_hub(node: Node) -> None:
    running = asyncio.create_task(node.run())
    await write(node)
    async with asyncio.timeout(10):
        while node.nats.watermark.marks.get("LOG-0") != 1:
            await asyncio.sleep(0.05)
    shutil.rmtree(next(server(node).store.rglob("LOG-0")))
    os.kill(server(node).pid, signal.SIGKILL)
    with pytest.raises(LogWentBack, match="LOG-0 is missing, it is known to have reached sequence 1"):
        await asyncio.wait_for(running, 30)


async def test_the_watermark_outlives_the_hub(settings: Settings) -> None:
    node = new_node(settings)
    await node.start()
    await write(node)
    await node.stop()
    shutil.rmtree(next(server(node).store.rglob("LOG-0")))
    second = new_node(settings)
    with pytest.raises(LogWentBack, match="LOG-0 is missing"):
        await second.start()
    assert second.workers == []
    await second.stop()


async def test_a_drain_leaves_nothing_running(settings: Settings, tmp_path: Path) -> None:
    node = new_node(settings)
    await node.start()
    await asyncio.wait_for(node.ready(), 30)
    running = pids(node)
    await node.stop()
    assert not any(map(lives, running))
    assert drained(tmp_path) == 3
    assert "Exiting" in (settings.data / "nats" / "nats.log").read_text()


class Up:
    """`hub up` as a process of its own."""

    process: asyncio.subprocess.Process

    async def start(self, settings: Settings) -> list[int]:
        """Start it, wait until it is ready, and return the pids of its children."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.node.up", str(settings.data), stdout=asyncio.subprocess.PIPE
        )
        await self.line("Ctrl-C stops the hub")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    async def line(self, starts: str) -> None:
        assert self.process.stdout
        async with asyncio.timeout(30):
            while not (await self.process.stdout.readline()).decode().startswith(starts):
                assert not self.process.stdout.at_eof()


async def test_hub_up_drains_on_ctrl_c_and_exits_with_0(settings: Settings, tmp_path: Path) -> None:
    up = Up()
    children = await up.start(settings)
    assert len(children) in (4, 5), "nats-server, two workers, the follower, and the standby if it has got so far"
    up.process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(up.process.wait(), 30) == 0
    assert not any(map(lives, children))
    assert drained(tmp_path) == 3


async def test_a_second_ctrl_c_hurries(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("linger")
    up = Up()
    children = await up.start(settings)
    up.process.send_signal(signal.SIGINT)
    await up.line("stopping")
    up.process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(up.process.wait(), 8) == 0  # a drain would take 10 s and more
    assert not any(map(lives, children))


async def test_nothing_outlives_a_killed_hub(settings: Settings) -> None:
    up = Up()
    children = await up.start(settings)
    up.process.kill()
    await up.process.wait()
    async with asyncio.timeout(15):
        while any(map(lives, children)):
            await asyncio.sleep(0.05)
