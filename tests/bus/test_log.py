"""A partition's log on the real server: order, fence, doubt, fuse, chain."""

import asyncio
import itertools
import os
import random
import signal
import sys
import zlib
from collections.abc import Iterator

import pytest
from nats.aio.msg import Msg
from nats.js import JetStreamContext

import hub.bus.log
from hub.bus.connection import Connection, connect
from hub.bus.log import MAX_BATCH_BYTES, PartitionLog, Stored
from hub.bus.server import EmbeddedServer
from hub.errors import ChainBroken, Fenced, InDoubt, LogFull, LogWentBack
from tests.bus.faults import blocks, frozen, kill


async def read_all(log: PartitionLog, after: int = 0) -> list[Stored]:
    return [stored async for stored in log.read(after)]


async def append_all(log: PartitionLog, last: int, *batches: bytes) -> int:
    for data in batches:
        last = await log.append(data, f"w:{last + 1}", last)
    return last


def headers(batch: str, expected: int, data: bytes) -> dict[str, str]:
    return {
        "Kefu-Batch": batch,
        "Nats-Msg-Id": batch,
        "Nats-Expected-Last-Sequence": str(expected),
        "Kefu-Crc": format(zlib.crc32(data), "08x"),
    }


async def test_what_was_appended_is_read_in_order(log: PartitionLog, connection: Connection) -> None:
    assert await append_all(log, 0, b"one", b"two", b"three") == 3
    assert await read_all(log) == [
        Stored(1, "w:1", b"one", 0), Stored(2, "w:2", b"two", 1), Stored(3, "w:3", b"three", 2),
    ]  # fmt: skip
    assert [stored.seq for stored in await read_all(log, after=2)] == [3]
    assert await read_all(log, after=3) == []
    assert await PartitionLog(connection, 3).open() == 3


async def test_reading_goes_over_many_fetches(log: PartitionLog) -> None:
    last = await append_all(log, 0, *(b"%d" % n for n in range(1, 351)))
    assert [int(stored.data) for stored in await read_all(log)] == list(range(1, last + 1))


async def test_second_writer_is_fenced_and_the_first_after_a_take_over(
    log: PartitionLog, connection: Connection
) -> None:
    await append_all(log, 0, b"one")
    other = PartitionLog(connection, 3)
    with pytest.raises(Fenced, match="LOG-3: after sequence 0 stands w:1, not v:1: another owner has written"):
        await other.append(b"stale", "v:1", 0)
    assert await other.append(b"taken", "v:1", await other.open()) == 2
    with pytest.raises(Fenced, match="after sequence 1 stands v:1, not w:2"):
        await log.append(b"zombie", "w:2", 1)
    await other.append(b"more", "v:2", 2)
    with pytest.raises(Fenced, match="stands more than one batch"):
        await log.append(b"zombie", "w:3", 1)
    assert [stored.batch for stored in await read_all(log)] == ["w:1", "v:1", "v:2"]


async def test_batch_whose_answer_was_lost_is_found_in_the_log(log: PartitionLog, connection: Connection) -> None:
    await append_all(log, 0, b"one")
    await connection.jetstream().publish(log.subject, b"two", headers=headers("w:2", 1, b"two"))
    assert await log.append(b"two", "w:2", 1) == 2
    assert [stored.batch for stored in await read_all(log)] == ["w:1", "w:2"]


async def test_append_waits_for_a_frozen_server_and_stores_once(log: PartitionLog, nats: EmbeddedServer) -> None:
    with frozen(nats):
        pending = asyncio.create_task(log.append(b"one", "w:1", 0))
        _, still = await asyncio.wait([pending], timeout=4.5)  # longer than a try, and than the connection lives
        assert still
    assert await pending == 1
    await asyncio.sleep(0.2)  # for what was left in the old connection's socket
    assert await read_all(log) == [Stored(1, "w:1", b"one", 0)]


class Writer:
    """An owner of one partition that never stops writing, and a reader that follows it."""

    def __init__(self, connection: Connection, partition: int, chance: random.Random) -> None:
        self.log = PartitionLog(connection, partition)
        self.found_stored, self.sent_again = 0, 0
        """How often a batch in doubt was in the log, and how often it was not."""
        self.last = 0
        self._chance = chance
        is_stored = self.log._is_stored

        async def counted(batch: str, expected: int) -> bool:
            stored = await is_stored(batch, expected)
            self.found_stored += stored
            self.sent_again += not stored
            return stored

        self.log._is_stored = counted  # type: ignore[method-assign]

    async def write_while(self, killing: asyncio.Task[None], stop: bytes) -> None:
        await self.log.open()
        following = asyncio.create_task(follow_until_told(self.log, stop))
        while not killing.done():
            data = b"%d " % (self.last + 1) + self._chance.randbytes(self._chance.randrange(4_000))
            self.last = await append_all(self.log, self.last, data)
        self.last = await append_all(self.log, self.last, stop)
        stored = await read_all(self.log)
        assert [s.seq for s in stored] == list(range(1, self.last + 1))
        assert all(s.data.startswith((b"%d " % s.seq, b"stop")) for s in stored)
        async with asyncio.timeout(30):
            assert await following == stored


async def test_fifty_kills_under_the_writes_of_three_partitions_leave_exactly_what_was_appended(
    connection: Connection, nats: EmbeddedServer
) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    writers = [Writer(connection, partition, random.Random(seed + partition)) for partition in range(3)]
    for round_ in range(4):  # seldom does none of fifty kills come between the disk and the answer
        killing = asyncio.create_task(kill_often(nats, random.Random(seed - round_), times=50))
        async with asyncio.TaskGroup() as tasks:
            for writer in writers:
                tasks.create_task(writer.write_while(killing, b"stop %d" % round_))
        if any(writer.found_stored for writer in writers):
            break
    assert sum(writer.found_stored for writer in writers), "no kill came between the disk and the answer"
    for writer in writers:
        with pytest.raises(Fenced):
            await PartitionLog(connection, int(writer.log.stream[4:])).append(b"late", "v:1", writer.last - 1)


async def kill_often(server: EmbeddedServer, chance: random.Random, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(chance.uniform(0.02, 0.15))
        await kill(server)
        await server.start()


async def follow_until_told(log: PartitionLog, word: bytes) -> list[Stored]:
    seen = []
    async for stored in log.follow(0):
        seen.append(stored)
        if stored.data == word:
            break
    return seen


@pytest.mark.parametrize("round_", range(4))
async def test_a_process_stopped_while_it_writes_is_refused_when_another_has_taken_over(
    nats: EmbeddedServer, log: PartitionLog, round_: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bus.appender", nats.url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    await process.stdout.readline()  # it has begun
    await asyncio.sleep(0.013 * round_)
    process.send_signal(signal.SIGSTOP)
    last = await log.open()
    while True:  # what the stopped process had sent may still be on its way to the disk
        try:
            last = await log.append(b"of the successor", f"successor:{last}", last)
            break
        except Fenced:
            last = await log.open()
    process.send_signal(signal.SIGCONT)
    *_, said = (await asyncio.wait_for(process.stdout.read(), 30)).decode().splitlines()
    assert said.startswith(f"refused LOG-3: after sequence {last - 1} stands successor:")
    stored = await read_all(log)
    assert [s.seq for s in stored] == list(range(1, last + 1))
    assert stored[-1].data == b"of the successor"
    await process.wait()


async def test_a_trimmed_log_goes_on_and_keeps_its_fence(log: PartitionLog, nats: EmbeddedServer) -> None:
    last = await append_all(log, 0, *(b"%d" % n for n in range(1, 31)))
    for purged in (20, last):  # up to a checkpoint; then all but the last, which nothing may trim
        await log._js.purge_stream(log.stream, seq=purged)
        assert await log.open() == last
        assert [s.seq for s in await read_all(log, after=purged - 1)] == list(range(purged, last + 1))
        with pytest.raises(ChainBroken, match=f"LOG-3 begins at sequence {purged}, {purged - 1} has been trimmed"):
            await read_all(log, after=purged - 2)
        with pytest.raises(Fenced):
            await log.append(b"zombie", f"zombie:{purged}", last - 1)
        with pytest.raises(Fenced):
            await log.append(b"zombie", f"zombie-from-0:{purged}", 0)
        await kill(nats)
        await nats.start()
        last = await append_all(log, last, b"next")
    assert [s.previous for s in await read_all(log, after=29)] == [29, 30, 31]


async def test_records_put_aside_are_left_out_wherever_they_stand(log: PartitionLog, connection: Connection) -> None:
    await append_all(log, 0, *(b"%d" % n for n in range(1, 8)))
    await connection.jetstream().publish(log.subject, b"foreign")
    for skipped, left in (((1, 4, 8), [2, 3, 5, 6, 7]), ((6, 7, 8), [1, 2, 3, 4, 5]), (range(1, 9), [])):
        reader = PartitionLog(connection, 3, skipped=skipped)
        assert [s.seq for s in await read_all(reader)] == left
    following = PartitionLog(connection, 3, skipped=(7, 8)).follow(5)
    assert (await anext(following)).seq == 6
    assert await append_all(log, 8, b"9") == 9
    assert (await anext(following)).seq == 9


async def test_full_log_refuses_and_goes_on_after_a_purge(connection: Connection) -> None:
    log = PartitionLog(connection, 3, max_bytes=50_000)
    last = await log.open()
    for _ in range(40):
        last = await append_all(log, last, bytes(1_000))
    with pytest.raises(LogFull, match="LOG-3 has reached its limit of 50000 bytes at sequence 40"):
        await append_all(log, last, bytes(9_000))
    assert len(await read_all(log)) == 40
    await connection.jetstream().purge_stream(log.stream, seq=last + 1)
    assert await log.append(b"room", "w:room", last) == last + 1
    with pytest.raises(ChainBroken, match=f"LOG-3 begins at sequence {last + 1}, 1 has been trimmed"):
        await read_all(log)
    assert [stored.data for stored in await read_all(log, after=last)] == [b"room"]


async def test_open_gives_an_old_log_the_new_limit(log: PartitionLog, connection: Connection) -> None:
    await append_all(log, 0, b"one")
    assert await PartitionLog(connection, 3, max_bytes=77_777).open() == 1
    assert (await connection.jetstream().stream_info("LOG-3")).config.max_bytes == 77_777


async def test_too_large_a_batch_is_refused_before_it_is_sent(log: PartitionLog) -> None:
    with pytest.raises(ValueError, match=f"batch of {MAX_BATCH_BYTES + 1} bytes exceeds limit of {MAX_BATCH_BYTES}"):
        await log.append(bytes(MAX_BATCH_BYTES + 1), "w:1", 0)
    assert await log.append(bytes(MAX_BATCH_BYTES), "w:1", 0) == 1


async def test_append_on_a_closed_connection_is_in_doubt(nats: EmbeddedServer) -> None:
    connection = await connect(nats.url, "short")
    log = PartitionLog(connection, 3)
    await log.open()
    with frozen(nats):
        pending = asyncio.create_task(log.append(b"one", "w:1", 0))
        await asyncio.sleep(0.05)
        await connection.close()
        with pytest.raises(InDoubt, match="LOG-3: whether w:1 is stored cannot be found out"):
            await pending


async def test_cancelled_append_ends(log: PartitionLog, nats: EmbeddedServer) -> None:
    with frozen(nats):
        pending = asyncio.create_task(log.append(b"one", "w:1", 0))
        await asyncio.sleep(0.05)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending


async def test_deleted_stream_is_not_mistaken_for_another_owner(log: PartitionLog, connection: Connection) -> None:
    await append_all(log, 0, b"one", b"two")
    await connection.jetstream().delete_stream(log.stream)
    with pytest.raises(LogWentBack, match="the server does not know LOG-3"):
        await log.append(b"three", "w:3", 2)
    assert await log.open() == 0
    with pytest.raises(LogWentBack, match="LOG-3 ends at sequence 0, it is known to have reached 2"):
        await log.append(b"three", "w:3", 2)
    with pytest.raises(LogWentBack, match="LOG-3 ends at sequence 0, it is known to have reached 2"):
        await anext(log.follow(2))
    with pytest.raises(LogWentBack, match="LOG-3 ends at sequence 0, it is known to have reached 2"):
        await read_all(log, after=2)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "LOG-3: after sequence 1 follows sequence 2, which no owner has written"),
        (headers("x:1", 1, b"other"), r"after sequence 1 follows sequence 2, whose content is damaged \(CRC-32\)"),
    ],
)
async def test_what_is_no_batch_breaks_the_chain(
    log: PartitionLog, connection: Connection, sent: dict[str, str], message: str
) -> None:
    await append_all(log, 0, b"one")
    await connection.jetstream().publish(log.subject, b"foreign", headers=sent)
    reader = log.read(0)
    assert (await anext(reader)).data == b"one"
    with pytest.raises(ChainBroken, match=message):
        await anext(reader)
    with pytest.raises(ChainBroken, match=message):
        await anext(log.follow(1))


async def fill_blocks(log: PartitionLog, count: int) -> int:
    """Batches of 1 MB: a block file holds 8."""
    return await append_all(log, 0, *(bytes([n]) * 1_000_000 for n in range(count)))


async def test_missing_middle_block_breaks_the_chain(log: PartitionLog, nats: EmbeddedServer) -> None:
    await fill_blocks(log, 20)
    await kill(nats)
    blocks(nats, "LOG-3")[1].unlink()
    await nats.start()
    with pytest.raises(ChainBroken, match=r"after sequence \d+ follows one that cannot be read from the disk"):
        await read_all(log)


async def test_missing_last_block_is_noticed_by_the_reader_though_the_server_keeps_the_number(
    log: PartitionLog, nats: EmbeddedServer
) -> None:
    last = await fill_blocks(log, 20)
    await nats.stop()
    blocks(nats, "LOG-3")[-1].unlink()
    await nats.start()
    assert await log.open() == last
    with pytest.raises(ChainBroken, match="follows one that cannot be read from the disk"):
        await read_all(log)


class Careless:
    """What `consumer` delivers, but the first message of every second of all `fetches` is lost on its way."""

    def __init__(self, consumer: JetStreamContext.PullSubscription, fetches: Iterator[int]) -> None:
        self._consumer, self._fetches = consumer, fetches

    async def fetch(self, batch: int, timeout: float) -> list[Msg]:
        return (await self._consumer.fetch(batch, timeout))[next(self._fetches) % 2 :]

    def __getattr__(self, name: str) -> object:
        return getattr(self._consumer, name)


async def test_what_a_consumer_has_not_delivered_is_asked_for_again(
    log: PartitionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken connection takes with it what was on its way; the log itself is whole."""
    consume = log._consume
    starts = iter([3, 0, 4])  # where consumers on a server that lags may begin
    fetches = itertools.count(1)

    async def careless(after: int) -> object:
        return Careless(await consume(next(starts, after)), fetches)

    monkeypatch.setattr(log, "_consume", careless)
    monkeypatch.setattr(hub.bus.log, "FETCH", 4)
    said = [b"%d" % n for n in range(30)]
    await append_all(log, 0, *said)
    assert [stored.data for stored in await read_all(log)] == said
    follower = log.follow(0)
    assert [(await anext(follower)).data for _ in said] == said
    await follower.aclose()


async def test_a_block_that_cannot_be_read_breaks_the_chain_for_all_who_wait_for_it(
    log: PartitionLog, nats: EmbeddedServer
) -> None:
    """After a stop in order the server knows its index, and finds out only when it is asked for the block."""
    await fill_blocks(log, 20)
    await nats.stop()
    block = blocks(nats, "LOG-3")[1]
    block.unlink()
    block.mkdir()
    await nats.start()
    because = r"after sequence \d+ follows one that cannot be read from the disk"
    with pytest.raises(ChainBroken, match=because):
        await read_all(log)
    with pytest.raises(ChainBroken, match=because):
        async for _ in log.follow(0):
            pass


async def test_follower_hears_what_comes_and_outlives_restarts(log: PartitionLog, nats: EmbeddedServer) -> None:
    follower = log.follow(0)
    last = 0
    for _ in range(3):
        waiting = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0.05)
        last = await append_all(log, last, b"%d" % last)
        assert (await asyncio.wait_for(waiting, 10)).seq == last
        await nats.stop()
        await nats.start()
    await follower.aclose()
