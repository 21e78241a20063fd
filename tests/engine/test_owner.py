"""One partition's owner on a real log: what is acknowledged is stored, once, in order; whoever takes over knows it."""

import asyncio
import os
import signal

import msgspec
import pytest

from hub.bus.connection import connect
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.domain import commands as c
from hub.domain import conversation as conversation_kind
from hub.domain.batch import decode_batch
from hub.domain.conversation import Conversation
from hub.domain.events import AnyEvent, MessagePosted, Record
from hub.domain.messages import Judgement, Profile
from hub.domain.views import Audience
from hub.engine.calls import STOPPED, Denied, Outcome
from hub.engine.owner import Owner
from tests.engine.rig import EPOCH, Heard, Rig, conversation, until

ONE = conversation(0)


async def stored(rig: Rig, partition: int) -> list[Record]:
    """Every record of the partition's log."""
    log = PartitionLog(rig.connection, partition, max_bytes=64 << 20)
    return [entry.record async for batch in log.read(0) for entry in decode_batch(batch.data).entries]


def seqs(outcome: Outcome) -> list[int]:
    assert outcome.denied is None, outcome.denied
    return [record.seq for record in outcome.records]


async def test_what_is_acknowledged_is_in_the_log(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, range(2))
    outcome = await rig.post(ONE, "t1", 1, "你好")
    assert seqs(outcome) == [1, 2, 3]
    assert [r for r in await stored(rig, 0) if r.entity == ONE][:3] == list(outcome.records)
    await rig.stop()


async def test_a_successor_knows_every_number_that_was_acknowledged(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, range(2))
    first = [await rig.post(ONE, "t1", n) for n in range(1, 4)]
    await rig.kill()
    rig = await Rig.start(nats, range(2))
    for n, outcome in enumerate(first, 1):
        denied = (await rig.post(ONE, "t1", n)).denied
        posted = [r.seq for r in outcome.records if isinstance(r.event, MessagePosted)]
        assert denied is not None
        assert (denied.code, [denied.seq]) == ("repeated", posted)
    assert (await rig.post(ONE, "t1", 9)).denied == Denied(
        "resend", "messages are missing: send again from 4", resend_from=4
    )
    await rig.stop()


async def test_an_owner_that_was_replaced_acknowledges_nothing_and_steps_down(nats: EmbeddedServer) -> None:
    old = await Rig.start(nats, [0])
    await old.post(ONE, "t1", 1)
    old.deafen()
    await old.revoke()
    new = await Rig.start(nats, [0])
    denied = (await old.post(ONE, "t1", 2, "from the old one")).denied
    assert denied is not None
    assert denied.code == "unavailable"
    assert not old.partitions.owns(0)
    assert seqs(await new.post(ONE, "t1", 2, "from the new one"))
    texts = [r.event.text for r in await stored(new, 0) if isinstance(r.event, MessagePosted)]
    assert texts == ["在吗", "from the new one"]
    await old.kill()
    await new.stop()


async def test_nothing_acknowledged_is_lost_or_doubled_when_nats_is_killed(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, range(2))
    entities = [conversation(p % 2, f"v{p}") for p in range(8)]
    acked: dict[str, list[int]] = {entity: [] for entity in entities}
    running = True

    async def visitor(entity: str) -> None:
        n = 0
        while running:
            n += 1
            outcome = await rig.post(entity, "t1", n, f"{n}")
            acked[entity] += [r.seq for r in outcome.records if isinstance(r.event, MessagePosted)]

    async with asyncio.TaskGroup() as group:
        for entity in entities:
            group.create_task(visitor(entity))
        for _ in range(5):
            await asyncio.sleep(0.25)
            os.kill(nats.pid, signal.SIGKILL)
            await until(lambda: not nats.alive)
            await nats.start()
        await asyncio.sleep(0.2)
        running = False
    records = await stored(rig, 0) + await stored(rig, 1)
    for entity in entities:
        mine = [r for r in records if r.entity == entity]
        assert [r.seq for r in mine] == list(range(1, len(mine) + 1))
        posted = [r for r in mine if isinstance(r.event, MessagePosted)]
        assert [r.seq for r in posted] == acked[entity]
        assert [r.event.text for r in posted] == [str(n) for n in range(1, len(posted) + 1)]  # type: ignore[union-attr]
        assert len(posted) > 5
    assert rig.partitions.owns(0)
    assert rig.partitions.owns(1)
    await rig.stop()


async def test_a_watcher_gets_a_page_and_then_each_event_but_not_its_own(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, range(2))
    me = object()
    await rig.post(ONE, "t1", 1, "before")
    page = await rig.watch(ONE, "visitor")
    assert [msgspec.json.decode(f)["text"] for f in page.frames if b'"message"' in bytes(f)] == ["before"]
    assert (page.resumed, page.epoch, page.tabs) == (True, EPOCH, {"t1": 1})
    rig.router.submit(ONE, c.PostMessage("t1", 2, "mine", Profile(channel="h5")), lambda o: None, me)
    await rig.post(ONE, "t2", 1, "of another tab")
    pushed = [msgspec.json.decode(frame) for entity, _, _, frame, _ in rig.heard.frames if entity == ONE]
    assert [(f["text"], f["prev"] < f["seq"]) for f in pushed if f["kind"] == "message"] == [
        ("mine", True),
        ("of another tab", True),
    ]
    assert [but for *_, frame, but in rig.heard.frames if b"mine" in frame] == [me]
    known = page.seq
    for frame in pushed:
        if frame["seq"] > known:
            assert frame["prev"] == known
            known = frame["seq"]
    await rig.stop()


async def test_what_does_not_belong_to_this_log_starts_anew(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, range(2))
    await rig.post(ONE, "t1", 1)
    future = await rig.watch(ONE, "visitor", after=999)
    other = await rig.watch(ONE, "visitor", after=2, epoch=EPOCH + 1)
    assert [(p.resumed, len(p.frames) > 0) for p in (future, other)] == [(False, True)] * 2
    same = await rig.watch(ONE, "visitor", after=future.seq)
    assert same.resumed
    assert all(msgspec.json.decode(f)["seq"] > future.seq for f in same.frames)
    await rig.stop()


async def test_a_page_holds_only_what_was_asked_for(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    for n in range(1, 71):
        await rig.post(ONE, "t1", n, f"{n}")
    page = await rig.page(ONE, "agent", 40, 60)
    assert not isinstance(page, Denied)
    assert [msgspec.json.decode(f)["seq"] for f in page.frames] == list(range(41, 60))
    assert not page.more
    top = await rig.page(ONE, "agent", 0, 60)
    assert not isinstance(top, Denied)
    assert top.more
    older = await rig.page(ONE, "agent", 0, 10)
    assert isinstance(older, Denied), "a page that the history does not have yet is never short"
    assert older.code == "unavailable"
    await rig.stop()


async def test_an_entity_whose_decision_fails_stops_alone(
    nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = conversation_kind.post

    def poisoned(state: Conversation, command: c.PostMessage, judged: Judgement) -> list[AnyEvent]:
        if command.text == "poison":
            raise ZeroDivisionError("by accident")
        return post(state, command, judged)

    monkeypatch.setattr(conversation_kind, "post", poisoned)
    rig = await Rig.start(nats, range(2))
    other = conversation(0, "other")
    await rig.post(ONE, "t1", 1)
    denied = (await rig.post(ONE, "t1", 2, "poison")).denied
    assert denied is not None
    assert denied.code == STOPPED
    assert (await rig.post(ONE, "t1", 2, "fine")).denied is not None
    assert rig.partitions.stopped == {ONE: "PostMessage failed: ZeroDivisionError: by accident"}
    assert seqs(await rig.post(other, "t1", 1)) == [1, 2, 3]
    await rig.stop()


async def test_ids_that_nobody_writes_to_take_no_memory(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    for n in range(50):
        await rig.page(conversation(0, f"x{n}"), "visitor", 0, 10)
        await rig.post(conversation(0, f"y{n}"), "t1", 5)
    (owned,) = rig.partitions._owned.values()
    assert len(owned.owner._slots) <= 1  # the queue's, at most
    await rig.stop()


async def test_an_id_of_no_partition_is_told_so(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    denied = (await rig.post(conversation(999), "t1", 1)).denied
    assert denied is not None
    assert denied.code == "not_found"
    page = await rig.page(conversation(999), "visitor", 0, 9)
    assert isinstance(page, Denied)
    await rig.stop()


@pytest.mark.parametrize(
    ("data", "because"),
    [(b'{"schema":2,"epoch":7,"owner":"x","n":1,"relayed":0}', "schema is 2"), (b"not json", "cannot be read")],
)
async def test_a_partition_whose_log_cannot_be_read_stops_alone(
    nats: EmbeddedServer, data: bytes, because: str
) -> None:
    rig = await Rig.start(nats, [0])
    await rig.kill()
    connection = await connect(nats.url, "newer")
    log = PartitionLog(connection, 0)
    await log.append(data, "newer:1", await log.open())
    await connection.close()
    rig = await Rig.start(nats, [0, 1])
    assert list(rig.partitions.failed) == [0]
    assert rig.partitions.failed[0].startswith("LOG-0, sequence 2: ")
    assert because in rig.partitions.failed[0]
    assert rig.partitions.home == 1
    assert seqs(await rig.post(conversation(1), "t1", 1)) == [1, 2, 3]
    await rig.stop()


class Leaving(Heard):
    """A gateway whose only socket is closed by what is pushed to it."""

    def __init__(self, owner: Owner) -> None:
        super().__init__()
        self.owner = owner

    def push(self, entity: str, audience: Audience, seq: int, frame: bytes, but: object) -> None:
        super().push(entity, audience, seq, frame, but)
        self.owner.readers.unwatch(entity, audience, self)


async def test_gateway_that_leaves_during_a_push_takes_nothing_from_the_others(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    owner = rig.partitions._owned[0].owner
    leaving, staying = [Leaving(owner) for _ in range(3)], [Heard() for _ in range(3)]
    for audience in ("agent", "visitor"):
        for heard in (*leaving, *staying):
            owner.readers.watch(ONE, audience, 0, EPOCH, heard, lambda page: None)
    outcome = await rig.post(ONE, "t1", 1)
    posted = next(r.seq for r in outcome.records if isinstance(r.event, MessagePosted))
    for heard in (*leaving, *staying):
        assert [seq for _, audience, seq, *_ in heard.frames if audience == "visitor"][:1] == [posted]
    for heard in staying:
        assert [seq for _, audience, seq, *_ in heard.frames if audience == "agent"] == seqs(outcome)
    await rig.stop()
