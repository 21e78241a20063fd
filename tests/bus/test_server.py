"""The embedded server: its folder, its address, its end."""

import asyncio
import json
import os
import signal
import stat
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest

from hub.bus.bucket import Bucket
from hub.bus.connection import Connection, connect, insist
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.errors import BusError, LogWentBack
from tests.bus.faults import kill
from tests.chaos_store.damage import flip_meta, folder_of

ORPHAN_MAKER = """
import asyncio, pathlib, sys
from hub.bus.server import EmbeddedServer
async def main():
    server = EmbeddedServer(pathlib.Path(sys.argv[1]))
    await server.start()
    print(server.pid, server.url, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_server_keeps_its_address_and_data_over_a_kill(nats: EmbeddedServer, connection: Connection) -> None:
    url, pid, js = nats.url, nats.pid, connection.jetstream()
    await js.add_stream(name="S", subjects=["s"])
    await js.publish("s", b"kept")
    await kill(nats)
    assert nats.pid == 0
    assert await nats.healthz() == "nats-server is not running"
    await nats.start()
    assert (nats.url, await nats.healthz()) == (url, "")
    assert nats.pid != pid
    assert (await insist(connection, lambda: js.get_msg("S", 1))).data == b"kept"


async def test_nobody_connects_without_the_token(nats: EmbeddedServer) -> None:
    port = nats.url.rpartition(":")[2]
    with pytest.raises(BusError, match=r"did not let x in within 0.5 s"):
        await connect(f"nats://127.0.0.1:{port}", "x", timeout_s=0.5)
    for name in ("token", "nats.conf"):
        assert stat.S_IMODE((nats.data_dir / name).stat().st_mode) == 0o600


async def test_server_answers_a_write_only_when_it_is_on_disk(nats: EmbeddedServer) -> None:
    monitor_port = json.loads((nats.data_dir / "ports.json").read_text())[1]
    async with httpx.AsyncClient() as http:
        varz = (await http.get(f"http://127.0.0.1:{monitor_port}/varz")).json()
    assert varz["jetstream"]["config"]["sync_always"] is True
    assert varz["host"] == varz["http_host"] == "127.0.0.1"
    assert varz["auth_required"] is True


async def test_stopped_server_is_gone_and_starts_again(nats: EmbeddedServer) -> None:
    pid = nats.pid
    await nats.stop()
    assert not is_running(pid)
    await nats.stop()
    await nats.start()
    assert nats.alive


async def test_frozen_server_is_ended_by_force(nats: EmbeddedServer) -> None:
    os.kill(nats.pid, signal.SIGSTOP)
    while Path(f"/proc/{nats.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        await asyncio.sleep(0.01)  # its threads stop one by one
    assert "does not answer /healthz" in await nats.healthz()
    await nats.stop(timeout_s=0.2)
    assert not nats.alive


async def test_second_server_on_a_folder_is_refused(nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.bus.server.LOCK_WAIT_S", 0.1)
    with pytest.raises(BusError, match=rf"process {nats.pid}\) works on this folder"):
        await EmbeddedServer(nats.data_dir).start()
    with pytest.raises(BusError, match="already runs"):
        await nats.start()


async def test_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(BusError, match="ended at its start"):
        await EmbeddedServer(tmp_path).start()


async def test_killed_parent_leaves_no_server_and_a_folder_that_starts_at_once(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", ORPHAN_MAKER, str(tmp_path), stdout=PIPE)
    assert parent.stdout is not None
    pid, url = (await parent.stdout.readline()).decode().split()
    assert is_running(int(pid))
    parent.kill()
    await parent.wait()
    server = EmbeddedServer(tmp_path)
    await server.start()
    assert server.url == url
    assert not is_running(int(pid))
    await server.stop()


def is_running(pid: int) -> bool:
    """Whether a nats-server has this process id (a dead one that nobody has waited for has no command line)."""
    path = Path(f"/proc/{pid}/cmdline")
    return path.exists() and "nats-server" in path.read_text()


async def test_a_stream_that_cannot_be_loaded_is_named_and_one_that_is_expendable_is_put_aside(
    nats: EmbeddedServer, connection: Connection
) -> None:
    await PartitionLog(connection, 0).open()
    await Bucket(connection, "TOKENS").swap("a", b"x", 0)
    await nats.stop()
    flip_meta(nats.store, "KV_TOKENS")
    await nats.start()
    assert {stream.name for stream in await nats.streams() or []} == {"LOG-0"}
    assert (nats.data_dir / "KV_TOKENS.aside-1/meta.inf").exists()
    await nats.stop()
    flip_meta(nats.store, "LOG-0")
    with pytest.raises(LogWentBack, match=r"cannot load LOG-0 from its files: they are damaged\..*hub log restore"):
        await nats.start()
    assert folder_of(nats.store, "LOG-0").exists()
    assert not nats.alive
