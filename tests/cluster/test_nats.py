"""Three servers under `hub nats run`: one that dies, fills its disk or has lost its end stops nobody."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from nats.js.api import StreamInfo

from hub.bus import founding
from hub.bus.bucket import Bucket
from hub.bus.connection import Connection, connect, insist
from hub.bus.lease_stream import LeaseStream
from hub.bus.log import PartitionLog
from hub.bus.snapshots import Snapshots
from hub.errors import LogWentBack, SettingsError
from hub.node import nats_of
from hub.settings import Settings
from tests.cluster import NATS, Cluster
from tests.cluster.installed import missing
from tests.small_disk import Filler, small_disk

FIRST, SECOND, _ = NATS


@pytest.fixture
def folders() -> dict[str, Path]:
    """Where a server's data are, if not beside the others'."""
    return {}


@pytest.fixture
def cluster(tmp_path: Path, folders: dict[str, Path]) -> Iterator[Cluster]:
    """The NATS servers alone."""
    if reason := missing():
        pytest.skip(reason)
    made = Cluster(tmp_path / "cluster", folders=folders)
    for name in NATS:
        made[name].start()
    yield made
    made.stop()


@pytest.fixture
async def connection(cluster: Cluster) -> AsyncIterator[Connection]:
    made = await connect(cluster.nats_url, "test")
    yield made
    await made.close()


class Writer:
    """Writes batches one after the other, until cancelled."""

    def __init__(self, connection: Connection) -> None:
        self.log = PartitionLog(connection, 0, max_bytes=1 << 28)
        self.seq = 0

    async def run(self) -> None:
        self.seq = await self.log.open()
        while True:
            self.seq = await self.log.append(os.urandom(4000), f"w:{self.seq}", self.seq)
            await asyncio.sleep(0.01)


@pytest.fixture
async def writer(connection: Connection) -> AsyncIterator[Writer]:
    writer = Writer(connection)
    running = asyncio.create_task(writer.run())
    await until(lambda: more(writer, 50))
    yield writer
    assert not running.done()
    running.cancel()
    await asyncio.wait({running})


async def more(writer: Writer, than: int) -> bool:
    return writer.seq > than


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 90) -> None:
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.1)


async def stream(connection: Connection) -> StreamInfo:
    """What the cluster says of the log; while it elects a leader nobody answers, and it is asked again."""
    return await insist(connection, lambda: connection.jetstream().stream_info("LOG-0"))


async def all_current(connection: Connection) -> bool:
    """Whether all three servers hold the log, up to its end."""
    cluster = (await stream(connection)).cluster
    return cluster is not None and len([one for one in cluster.replicas or () if one.current]) == 2


async def still_writes(writer: Writer) -> None:
    seq = writer.seq
    await until(lambda: more(writer, seq + 20))


async def test_a_server_that_dies_is_started_again_and_catches_up(
    cluster: Cluster, connection: Connection, writer: Writer
) -> None:
    await until(lambda: all_current(connection))
    (server,) = cluster[SECOND].pids("nats-server -c")
    os.kill(server, signal.SIGKILL)
    await still_writes(writer)
    await until(lambda: all_current(connection))
    assert cluster[SECOND].pids("nats-server -c") != [server]
    cluster[SECOND].kill()  # with its keeper, as a machine dies
    await still_writes(writer)
    cluster[SECOND].start()
    await until(lambda: all_current(connection))
    data = cluster[SECOND].described.data
    assert data is not None
    reached = writer.seq
    await until(lambda: noted(data, reached))


async def test_nodes_that_found_a_hub_at_the_same_moment_agree(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hub in range(200):
        monkeypatch.setattr(founding, "KEY", f"founding{hub}")
        founded = await asyncio.gather(*(founding.found(connection, 1 + node) for node in range(10)))
        assert len(set(map(repr, founded))) == 1


async def noted(data: Path, seq: int) -> bool:
    file = data / "watermark.json"
    if not file.exists():  # the first keeper died before there was anything to note
        return False
    marks = msgspec.json.decode(file.read_bytes(), type=dict[str, int])
    return marks.get("LOG-0", 0) >= seq


async def test_what_was_begun_on_one_server_is_kept_by_three_when_three_are_named(
    cluster: Cluster, connection: Connection
) -> None:
    async def open_all(by: Connection) -> bytes:
        await PartitionLog(by, 7, max_bytes=1 << 20).open()
        await Snapshots(by, 7).open()
        await LeaseStream(by).open()
        return (await Bucket(by, "GROWS").get("key")).value

    async def replicas() -> set[int]:
        infos = [
            await connection.jetstream().stream_info(name) for name in ("LOG-7", "SNAP-7", "KV_LEASES", "KV_GROWS")
        ]
        return {int(info.config.num_replicas or 0) for info in infos}

    alone = await connect(cluster.nats_url.split(",")[0], "alone")
    await Bucket(alone, "GROWS").put("key", b"value")
    await open_all(alone)
    assert await replicas() == {1}
    await alone.close()
    assert await open_all(connection) == b"value"
    assert await replicas() == {3}


async def test_a_server_that_has_lost_its_end_is_stopped_and_the_others_go_on(
    cluster: Cluster, connection: Connection, writer: Writer
) -> None:
    await until(lambda: all_current(connection))
    cluster[FIRST].stop()
    data = cluster[FIRST].described.data
    assert data is not None
    (data / "watermark.json").write_bytes(msgspec.json.encode({"LOG-0": 1_000_000_000}))
    cluster[FIRST].start()
    await until(lambda: ended(cluster))
    said = cluster[FIRST].log_text()
    assert "it is known to have reached 1000000000" in said
    assert "move the folder store aside" in said
    assert (data / "store").exists()
    await still_writes(writer)


async def ended(cluster: Cluster) -> bool:
    return not cluster[FIRST].pid


async def test_a_store_that_was_moved_aside_is_filled_by_the_others(
    cluster: Cluster, connection: Connection, writer: Writer
) -> None:
    await until(lambda: all_current(connection))
    cluster[FIRST].stop()
    data = cluster[FIRST].described.data
    assert data is not None
    (data / "store").rename(data / "aside")
    cluster[FIRST].start()
    await still_writes(writer)
    await until(lambda: all_current(connection))
    assert cluster[FIRST].pid, cluster[FIRST].log_text()


class TestFullDisk:
    @pytest.fixture
    def folders(self, tmp_path: Path) -> Iterator[dict[str, Path]]:
        with small_disk(tmp_path / "small", 48) as folder:
            yield {SECOND: folder}

    async def test_one_full_disk_stops_nobody_and_heals_when_there_is_room(
        self, cluster: Cluster, connection: Connection, writer: Writer, folders: dict[str, Path]
    ) -> None:
        await until(lambda: all_current(connection))
        filler = Filler(folders[SECOND])
        while "waits for room" not in cluster[SECOND].log_text():
            filler.leave(0)
            await still_writes(writer)
        filler.go()
        await until(lambda: all_current(connection))
        await still_writes(writer)


async def test_a_node_that_joins_knows_how_far_the_cluster_was(
    cluster: Cluster, connection: Connection, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.kept_nats.SETTLE_S", 1.0)
    settings = Settings(data=tmp_path, nats={"url": cluster.nats_url}, history={"url": "postgresql://u:p@h/d"})
    joined = nats_of(settings)
    await joined.start()
    keeping = asyncio.create_task(joined.keep())
    await until(lambda: noted_at(tmp_path / "watermark.json", 50))
    keeping.cancel()
    await asyncio.wait({keeping})
    await joined.stop()
    (tmp_path / "watermark.json").write_bytes(msgspec.json.encode({"LOG-0": 1_000_000_000}))
    short = nats_of(settings)
    with pytest.raises(LogWentBack, match="known to have reached 1000000000"):
        await short.start()
    await short.stop()
    await still_writes(writer)


async def noted_at(file: Path, seq: int) -> bool:
    return file.exists() and await noted(file.parent, seq)


async def test_a_node_that_names_one_server_of_a_cluster_is_told_to_name_all(cluster: Cluster, tmp_path: Path) -> None:
    one = cluster.nats_url.partition(",")[0]
    settings = Settings(data=tmp_path, nats={"url": one}, history={"url": "postgresql://u:p@h/d"})
    joined = nats_of(settings)
    with pytest.raises(SettingsError, match=r"nats\.url: names one server of a cluster; name all"):
        await joined.start()
    await joined.stop()
