"""Images of entities on a real nats-server: all or none, by one writer, and damage is never taken for absence."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.bus.connection import Connection, connect
from hub.bus.server import EmbeddedServer
from hub.bus.snapshots import PART_BYTES, Snapshots, _Message
from hub.errors import Fenced, SnapshotDamaged


@pytest.fixture
async def connection(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    connection = await connect(nats.url, "test")
    yield connection
    await connection.close()


async def owned(connection: Connection, name: str = "w1") -> Snapshots:
    snapshots = Snapshots(connection, 4)
    await snapshots.open()
    await snapshots.claim(name)
    return snapshots


async def test_images_are_found_again_and_those_that_never_were_are_left_out(connection: Connection) -> None:
    snapshots = await owned(connection)
    await snapshots.write({f"c4-{n}": b"%d" % n for n in range(600)})
    await snapshots.write({"c4-7": b"newer"})
    again = await owned(connection, "w2")
    found = await again.load([f"c4-{n}" for n in range(700)])
    assert found == {f"c4-{n}": b"%d" % n for n in range(600)} | {"c4-7": b"newer"}


async def test_ids_are_anybodys_text_and_match_nothing_but_themselves(connection: Connection) -> None:
    snapshots = await owned(connection)
    wild = ["c4-*", "c4->", "c4-a.b", "c4-张三 李四", "c4-" + "x" * 500, "c4-\ud800"]
    await snapshots.write({"c4-a": b"a"} | {name: name.encode(errors="replace") for name in wild[2:]})
    assert await snapshots.load(wild[:2]) == {}
    assert await snapshots.load(wild) == {name: name.encode(errors="replace") for name in wild[2:]}


async def test_image_larger_than_a_message_is_whole(connection: Connection) -> None:
    snapshots = await owned(connection)
    large = bytes(range(256)) * (3 * PART_BYTES // 256) + b"end"
    await snapshots.write({"q0-main": large, "c4-a": b"small"})
    assert await snapshots.load(["q0-main", "c4-a"]) == {"q0-main": large, "c4-a": b"small"}
    await snapshots.write({"q0-main": b"short again"})
    assert await snapshots.load(["q0-main"]) == {"q0-main": b"short again"}


async def test_writer_that_was_replaced_is_refused(connection: Connection) -> None:
    zombie = await owned(connection, "w1")
    await zombie.write({"c4-a": b"1"})
    successor = await owned(connection, "w2")
    with pytest.raises(Fenced, match=r"SNAP-4 ends at .*: another owner has written"):
        await zombie.write({"c4-a": b"old", "c4-b": b"old"})
    with pytest.raises(Fenced):
        await zombie.write_checkpoint(b"old")
    await successor.write({"c4-a": b"2"})
    assert await successor.load(["c4-a", "c4-b"]) == {"c4-a": b"2"}


async def test_claims_at_the_same_moment_leave_one_writer(connection: Connection) -> None:
    several = [Snapshots(connection, 4) for _ in range(5)]
    for snapshots in several:
        await snapshots.open()
    await asyncio.gather(*(snapshots.claim(f"w{n}") for n, snapshots in enumerate(several)))
    outcomes = await asyncio.gather(*(s.write({"c4-a": b"x"}) for s in several), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(Fenced) == 4


async def test_a_claim_replaced_while_it_is_looked_at_is_nobodys_own(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, late = (Snapshots(connection, 4) for _ in range(3))
    for snapshots in (first, second, late):
        await snapshots.open()
    look, come_before = late._js.get_msg, late._write

    async def look_too_late(*place: object, **more: object) -> object:
        monkeypatch.setattr(late._js, "get_msg", look)
        await second.claim("second")
        return await look(*place, **more)  # type: ignore[arg-type]

    async def write_too_late(messages: list[_Message]) -> None:
        monkeypatch.setattr(late, "_write", come_before)
        await first.claim("first")
        await come_before(messages)

    monkeypatch.setattr(late._js, "get_msg", look_too_late)
    monkeypatch.setattr(late, "_write", write_too_late)
    await late.claim("late")
    await late.write({"c4-a": b"x"})
    with pytest.raises(Fenced):
        await second.write({"c4-a": b"y"})


async def test_writes_go_on_through_deaths_of_the_server(nats: EmbeddedServer, connection: Connection) -> None:
    snapshots = await owned(connection)
    ended = asyncio.Event()
    last = 0

    async def write() -> None:
        nonlocal last
        while not ended.is_set():
            await snapshots.write({f"c4-{n}": b"%d" % (last + 1) for n in range(20)})
            last += 1

    writing = asyncio.create_task(write())
    for _ in range(5):
        before = last
        while last < before + 3:
            await asyncio.sleep(0.005)
        nats._process.kill()  # type: ignore[union-attr]
        nats._process.wait()  # type: ignore[union-attr]
        await nats.start()
    ended.set()
    await writing
    assert set((await snapshots.load([f"c4-{n}" for n in range(20)])).values()) == {b"%d" % last}


async def test_checkpoint_counts_what_must_be_there(connection: Connection) -> None:
    snapshots = await owned(connection)
    assert await snapshots.open() is None
    await snapshots.write({f"c4-{n}": b"x" for n in range(10)})
    await snapshots.write_checkpoint(b"from here")
    assert await Snapshots(connection, 4).open() == b"from here"
    js = connection.jetstream()
    await js.purge_stream("SNAP-4", subject="snap.4.c4-3")
    with pytest.raises(SnapshotDamaged, match="SNAP-4 holds 11 messages, its checkpoint counted 12"):
        await Snapshots(connection, 4).open()


async def test_flipped_bit_is_not_taken_for_an_entity_that_never_was(
    nats: EmbeddedServer, connection: Connection
) -> None:
    snapshots = await owned(connection)
    await snapshots.write({f"c4-{n}": b"payload-%d." % n * 50 for n in range(5)})
    [block] = nats.store.glob("jetstream/*/streams/SNAP-4/msgs/1.blk")
    content = bytearray(block.read_bytes())
    content[content.index(b"payload-3.") + 3] ^= 1
    with block.open("r+b") as file:  # in place: the running server has it open
        file.write(content)
    nats_reads_anew = Snapshots(connection, 4)
    await nats_reads_anew.open()
    await nats_reads_anew.claim("w2")
    found = await nats_reads_anew.load([f"c4-{n}" for n in range(6)])
    assert "c4-5" not in found
    damaged = found["c4-3"]
    assert isinstance(damaged, SnapshotDamaged) or damaged == b"payload-3." * 50, "never wrong, never missing"
