"""`hub log` and what `hub doctor` says of a hub that runs, as a person types them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from hub.bus.connection import Connection, connect
from hub.bus.founding import found, read
from hub.bus.log import PartitionLog
from hub.bus.positions import Positions
from hub.bus.requests import serve
from hub.bus.server import EmbeddedServer
from hub.bus.watermark import Watermark
from hub.cli.doctor import examine
from hub.cli.log import restore, skip, status
from hub.data_folder import DataFolder
from hub.engine.calls import HEALTH_SUBJECT, Health
from hub.errors import BusError, HubError
from hub.kept_nats import WATERMARK

ROOT = Path(__file__).parents[2]


class Hub:
    """A data folder in use, with a nats-server and no workers."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.config = folder / "hub.yaml"
        self.config.write_text(
            json.dumps(
                {"data": str(self.data), "listen": "127.0.0.1:0", "rules": str(ROOT / "rules"), "channels": {"h5": {}}}
            )
        )
        self.nats = EmbeddedServer(self.data / "nats")
        self.connection: Connection

    async def start(self) -> None:
        self._folder = DataFolder.take(self.data)
        await self.nats.start()
        self.connection = await connect(self.nats.url, "test")

    async def stop(self) -> None:
        await self.connection.close()
        await self.nats.stop()
        self._folder.release()


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    hub = Hub(tmp_path)
    await hub.start()
    yield hub
    if hub.nats.alive:
        await hub.stop()


async def write(hub: Hub, partition: int, *contents: bytes) -> None:
    log = PartitionLog(hub.connection, partition)
    last = await log.open()
    for content in contents:
        last = await log.append(content, f"w:{last}", last)


def lines(said: str, word: str) -> list[list[str]]:
    """The rows of a table that begin with `word`, as cells."""
    rows = ([cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines())
    return [row for row in rows if row and row[0].startswith(word)]


async def test_status_tells_of_a_log_that_runs_and_of_one_that_stands_still(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    await write(hub, 2, b"one", b"two", b"three")
    await write(hub, 10, b"one")
    await hub.connection.jetstream().purge_stream("LOG-2", seq=2)
    await Positions(hub.connection).tell({2: 3})
    marks = Watermark(hub.data / WATERMARK)
    marks.note("LOG-2", 3)
    marks.save()
    await asyncio.to_thread(status, config=hub.config)
    said = lines(capsys.readouterr().out, "LOG-")
    assert [[*row[:4], *row[5:]] for row in said] == [
        ["LOG-2", "2", "3", "0", "3", "3"],
        ["LOG-10", "1", "1", "0", "", "0"],
    ]
    await hub.stop()
    await asyncio.to_thread(status, config=hub.config)
    assert [(row[0], row[5]) for row in lines(capsys.readouterr().out, "LOG-")] == [("LOG-2", "3"), ("LOG-10", "")]


async def test_restore_needs_a_hub_that_stands_still_and_deletes_nothing(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    await write(hub, 0, b"one")
    with pytest.raises(HubError, match=r"in use by pid .*; stop that hub first"):
        restore(config=hub.config)
    await hub.stop()
    await hub.start()  # with this start the files are kept
    await write(hub, 0, b"two")
    with pytest.raises(BusError, match="works on this folder: stop the hub first"):
        await asyncio.to_thread(restore, server=hub.data / "nats")
    await hub.stop()
    with pytest.raises(BusError, match="no such generation was kept"):
        restore(generation=2, config=hub.config)
    restore(config=hub.config)
    said = capsys.readouterr().out
    aside = hub.data / "nats/store.aside-1"
    assert f"What was there is now {aside}" in said
    assert [*aside.rglob("LOG-0")]
    await hub.start()
    assert await PartitionLog(hub.connection, 0).open() == 1


async def test_skip_is_meant_and_possible_or_refused(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    before = await found(hub.connection, 32)
    await write(hub, 3, b"not json", b"neither")
    with pytest.raises(HubError, match="what LOG-3 holds at sequence 1 will reach nobody: say --yes"):
        skip(3, 1, config=hub.config)
    await Positions(hub.connection).tell({3: 1})
    with pytest.raises(HubError, match="the history has what LOG-3 holds at sequence 1"):
        await asyncio.to_thread(skip, 3, 1, yes=True, config=hub.config)
    await asyncio.to_thread(skip, 3, 2, yes=True, config=hub.config)
    assert (hub.data / "skipped/LOG-3-2").read_bytes() == b"neither"
    after = await read(hub.connection)
    assert (after.skipped, after.epoch) == ({3: (2,)}, before.epoch + 1)
    assert f"The log's epoch is now {after.epoch}." in capsys.readouterr().out
    await hub.stop()
    with pytest.raises(HubError, match="no hub runs on"):
        skip(3, 1, yes=True, config=hub.config)


async def test_the_doctor_asks_all_workers(hub: Hub) -> None:
    healths = [
        Health("w0", partitions={3: "LOG-3 is damaged"}, warnings=("LOG-1 is 81 % full",)),
        Health("w1", entities={"c7-a": "PostMessage failed"}, warnings=("LOG-1 is 81 % full",)),
    ]
    for health in healths:

        async def tell(_: bytes, health: Health = health) -> bytes:
            return msgspec.json.encode(health)

        await serve(hub.connection, HEALTH_SUBJECT, tell)
    said = [f"{f.subject}: {f.says}" for f in await asyncio.to_thread(lambda: [*examine(hub.config)]) if f.cure]
    assert said == ["partition: 3 is not taken: LOG-3 is damaged", "entity: c7-a has stopped: PostMessage failed",
                    "room: LOG-1 is 81 % full"]  # fmt: skip


async def test_the_doctor_hears_no_worker(hub: Hub) -> None:
    findings = await asyncio.to_thread(lambda: [*examine(hub.config)])
    assert [finding.says for finding in findings if finding.subject == "workers"] == ["0 answer"]
