"""A record that nobody can read stops its partition alone; put aside by a person, it is missing and nothing else is."""

import asyncio
from pathlib import Path

import pytest

from hub.bus.connection import Connection, connect
from hub.bus.founding import Founding, found, read
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.bus.skip import skip
from hub.domain import events as e
from hub.domain import ids
from hub.errors import BusError
from tests.engine.rig import EPOCH, FOUNDING, Rig, conversation, until
from tests.engine.test_owner import stored
from tests.engine.test_relay import WANG, on_duty, served_by

ONE = conversation(0)


async def append(connection: Connection, data: bytes) -> int:
    """Write a record into LOG-0 as an owner would."""
    log = PartitionLog(connection, 0, max_bytes=64 << 20)
    return await log.append(data, "other:1", await log.open())


@pytest.fixture
async def connection(nats: EmbeddedServer):  # type: ignore[no-untyped-def]
    made = await connect(nats.url, "person")
    yield made
    await made.close()


async def test_a_record_put_aside_is_missing_and_nothing_else(
    nats: EmbeddedServer, connection: Connection, tmp_path: Path
) -> None:
    before = await found(connection, 32)
    rig = await Rig.start(nats, [0], founding=before)
    await rig.post(ONE, "t1", 1)
    await rig.kill()
    seq = await append(connection, b"not json")
    rig = await Rig.start(nats, [0, 1], founding=before)
    assert rig.partitions.failed[0].endswith(f"hub log skip 0 {seq}")
    await rig.post(conversation(1), "t1", 1)
    await rig.kill()

    skipped = await skip(connection, 0, seq, tmp_path)
    assert skipped.file.read_bytes() == b"not json"
    assert "cannot be read" in skipped.why
    after = await read(connection)
    rig = await Rig.start(nats, [0, 1], founding=after)
    assert rig.partitions.failed == {}
    page = await rig.watch(ONE, "visitor", after=1, epoch=before.epoch)
    assert (page.resumed, page.epoch, page.tabs) == (False, before.epoch + 1, {"t1": 1})
    assert (await rig.post(ONE, "t1", 2)).denied is None
    await rig.kill()

    rig = await Rig.start(nats, [0, 1], founding=after)  # what was written behind it is read too
    assert (await rig.watch(ONE, "visitor", epoch=after.epoch)).tabs == {"t1": 2}
    await rig.stop()


@pytest.mark.parametrize("there", [True, False])
async def test_only_a_record_that_is_there_and_cannot_be_read_is_put_aside(
    nats: EmbeddedServer, connection: Connection, tmp_path: Path, there: bool
) -> None:
    before = await found(connection, 32)
    rig = await Rig.start(nats, [0], founding=before)
    await rig.post(ONE, "t1", 1)
    await rig.stop()
    because = "nothing is wrong with this record" if there else "holds no record at sequence 99"
    with pytest.raises(BusError, match=because):
        await skip(connection, 0, 2 if there else 99, tmp_path)
    assert (await read(connection), list(tmp_path.glob("skipped/*"))) == (before, [])


async def test_a_risen_epoch_repeats_nothing(nats: EmbeddedServer) -> None:
    """What owners of the epoch before have relayed already is known by those who get it again."""
    rig = await Rig.start(nats, range(4))
    await on_duty(rig)
    entities = [conversation(n % 4, f"v{n}") for n in range(8)]
    for round_ in range(3):
        await asyncio.gather(*(rig.post(entity, "t1", round_ + 1) for entity in entities))
        await rig.kill()
        rig = await Rig.start(nats, range(4), founding=Founding(32, EPOCH + round_ + 1))
    await asyncio.gather(*(rig.post(entity, "t1", 4) for entity in entities))
    await until(lambda: all(served_by(rig, entity) == WANG for entity in entities))
    await until(lambda: all(owned.relay.lag == 0 for owned in rig.partitions._owned.values()))
    shown = [record.event for record in await stored(rig, 0) if record.entity == ids.QUEUE_ID]
    for kind in (e.Enqueued, e.Chosen):
        assert sorted(event.conversation for event in shown if isinstance(event, kind)) == sorted(entities)
    serving = [record.event for record in await stored(rig, ids.partition_of(WANG)) if record.entity == WANG]
    assert sorted(ev.conversation for ev in serving if isinstance(ev, e.Serving)) == sorted(entities)
    await rig.stop()


def test_the_log_goes_on_in_a_risen_epoch_only_of_the_same_hub() -> None:
    raised = Founding(32, 102, {0: (5,), 3: (9,)})
    assert [raised.goes_on(100, epoch) for epoch in (99, 100, 101, 102, 103)] == [False, True, True, True, False]
    assert not raised.goes_on(99, 102)
    assert not FOUNDING.goes_on(EPOCH - 1, EPOCH)
