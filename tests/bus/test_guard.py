"""What the guard keeps; how guard and watermark notice and heal what nats-server does to damaged files."""

from pathlib import Path

import pytest

from hub.bus import guard, watermark
from hub.bus.connection import Connection
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.errors import BusError, LogWentBack
from tests.bus.faults import blocks, kill


def make_store(folder: Path, *blocks: str) -> Path:
    store = folder / "store"
    (store / "S" / "msgs").mkdir(parents=True)
    (store / "S" / "meta.inf").write_text("meta")
    for number, text in enumerate(blocks, start=9):
        (store / "S" / "msgs" / f"{number}.blk").write_text(text)
    return store


def test_full_blocks_are_linked_and_what_still_changes_is_copied(tmp_path: Path) -> None:
    store, kept = make_store(tmp_path, "nine", "ten"), tmp_path / "guard"
    guard.keep(store, kept)
    copy = kept / "1" / "store" / "S"
    assert (copy / "msgs" / "9.blk").samefile(store / "S" / "msgs" / "9.blk")
    for name in ("msgs/10.blk", "meta.inf"):
        assert (copy / name).read_bytes() == (store / "S" / name).read_bytes()
        assert not (copy / name).samefile(store / "S" / name)


def test_a_new_generation_is_made_only_after_a_start_found_good(tmp_path: Path) -> None:
    store, kept = make_store(tmp_path, "first"), tmp_path / "guard"
    block = "store/S/msgs/9.blk"
    guard.keep(store, kept)
    (store / "S" / "msgs" / "9.blk").write_text("lost")
    guard.keep(store, kept)
    assert (kept / "1" / block).read_text() == "first"
    guard.confirm(kept)
    for text in ("second", "third"):
        (store / "S" / "msgs" / "9.blk").write_text(text)
        guard.keep(store, kept)
        guard.confirm(kept)
    assert [(kept / g / block).read_text() for g in ("1", "2")] == ["third", "second"]
    assert sorted(path.name for path in kept.iterdir()) == ["1", "2"]


def test_restore_puts_a_generation_back_and_deletes_nothing(tmp_path: Path) -> None:
    store, kept = make_store(tmp_path, "full", "open"), tmp_path / "guard"
    guard.keep(store, kept)
    (store / "S" / "meta.inf").write_text("damaged")
    aside = guard.restore(store, kept)
    assert aside is not None
    assert (aside / "S" / "meta.inf").read_text() == "damaged"
    assert (store / "S" / "meta.inf").read_text() == "meta"
    assert not (store / "S" / "msgs" / "9.blk").samefile(kept / "1" / "store" / "S" / "msgs" / "9.blk")
    assert guard.restore(store, kept) != aside
    with pytest.raises(BusError, match="no such generation"):
        guard.restore(store, kept, generation=2)


def test_nothing_to_keep_before_the_first_start(tmp_path: Path) -> None:
    guard.keep(tmp_path / "store", tmp_path / "guard")
    guard.confirm(tmp_path / "guard")
    assert not (tmp_path / "guard").exists()


async def fill(log: PartitionLog, count: int = 20) -> int:
    last = 0
    for n in range(count):
        last = await log.append(bytes([n]) * 1_000_000, f"w:{n}", last)
    return last


async def test_stream_deleted_by_the_server_is_noticed_and_put_back(
    log: PartitionLog, connection: Connection, nats: EmbeddedServer
) -> None:
    last = await fill(log)
    marks = {"LOG-3": last}
    await watermark.check(connection, marks)
    await kill(nats)
    guard.keep(nats.store, nats.kept)  # as the start does, before a disk has one bad moment
    block = blocks(nats, "LOG-3")[1]
    block.rename(nats.data_dir / "unreadable")
    block.mkdir()
    await nats.start()
    assert blocks(nats, "LOG-3") == []
    gone = rf"LOG-3 is missing, it is known to have reached sequence {last}\n.*hub log restore"
    with pytest.raises(LogWentBack, match=gone):
        await watermark.check(connection, marks)
    await nats.stop()
    guard.restore(nats.store, nats.kept)
    await nats.start()
    await watermark.check(connection, marks)
    assert [stored.seq async for stored in log.read(0)] == list(range(1, last + 1))


async def test_log_that_lost_its_last_block_is_noticed(
    log: PartitionLog, connection: Connection, nats: EmbeddedServer
) -> None:
    last = await fill(log)
    await kill(nats)
    blocks(nats, "LOG-3")[-1].unlink()
    await nats.start()
    with pytest.raises(LogWentBack, match=rf"LOG-3 ends at sequence 1\d, it is known to have reached {last}"):
        await watermark.check(connection, {"LOG-3": last})


async def test_a_stream_whose_making_was_cut_short_does_not_stop_the_next_start(
    nats: EmbeddedServer, connection: Connection
) -> None:
    await PartitionLog(connection, 0).open()
    await PartitionLog(connection, 0).append(b"kept", "a:1", 0)
    await PartitionLog(connection, 1).open()
    await nats.stop()
    (half,) = nats.store.glob("jetstream/*/streams/LOG-1")
    (half / "meta.sum").unlink()
    (half / "msgs" / "index.db").unlink()
    await nats.start()
    assert not half.exists()
    assert [stored.data async for stored in PartitionLog(connection, 0).read(0)] == [b"kept"]


async def test_a_stream_that_held_messages_is_never_dropped(nats: EmbeddedServer, connection: Connection) -> None:
    await PartitionLog(connection, 0).open()
    await PartitionLog(connection, 0).append(b"kept", "a:1", 0)
    await nats.stop()
    (stream,) = nats.store.glob("jetstream/*/streams/LOG-0")
    (stream / "meta.sum").unlink()
    assert guard.drop_half_made(nats.store) == []
    assert stream.exists()
