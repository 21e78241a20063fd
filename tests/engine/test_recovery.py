"""Checkpoints on a real log: whoever takes over reads the tail alone, knows all, and the log can be trimmed."""

import asyncio
import random

import msgspec
import pytest

from hub.bus.connection import Connection
from hub.bus.log import PartitionLog
from hub.bus.positions import Positions
from hub.bus.server import EmbeddedServer
from hub.contract import Capabilities, Delivery, Sent, Verdict
from hub.domain import commands as c
from hub.domain import conversation as conversation_kind
from hub.domain import ids
from hub.domain.batch import decode_batch, encode_entry
from hub.domain.commands import Origin
from hub.domain.ids import kind_of
from hub.domain.messages import Limits
from hub.domain.teams import AgentSettings
from hub.engine import checkpoints
from hub.engine.calls import STOPPED, Denied, Page
from hub.engine.checkpoints import Checkpoints
from hub.engine.kinds import kinds
from hub.engine.owner import Owner
from hub.engine.slots import PAGE_BYTES, RECENT, Slot
from tests.engine.rig import Rig, conversation, until
from tests.engine.test_relay import PARTITIONS, TEAMS, WANG

ONE, TWO = conversation(0, "one"), conversation(0, "two")


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0)
    monkeypatch.setattr(checkpoints, "LOOK_S", 3600)  # the tests make them by hand


def made_by(rig: Rig, partition: int = 0) -> Checkpoints:
    return rig.partitions._owned[partition].checkpoints


def owner_in(rig: Rig, partition: int = 0) -> Owner:
    return rig.partitions._owned[partition].owner


async def whole_log(connection: Connection, partition: int) -> dict[str, Slot]:
    """Every entity of the partition as the whole log tells it."""
    slots: dict[str, Slot] = {}
    async for batch in PartitionLog(connection, partition, max_bytes=64 << 20).read(0):
        for entry in decode_batch(batch.data).entries:
            entity = entry.record.entity
            slots.setdefault(entity, Slot(entity, kinds()[kind_of(entity)])).replay(entry, encode_entry(entry))
    return slots


async def test_successor_knows_what_only_an_image_tells(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    first = [await rig.post(ONE, "t1", n, f"text {n}") for n in range(1, 4)]
    await made_by(rig).make()
    await rig.post(TWO, "t1", 1)
    await rig.kill()
    rig = await Rig.start(nats, [0])
    assert ONE not in owner_in(rig).entities.slots, "it is loaded when somebody needs it"
    for n, outcome in enumerate(first, 1):
        denied = (await rig.post(ONE, "t1", n)).denied
        assert (denied.code, denied.seq) == ("repeated", outcome.records[-1].seq if n > 1 else 2)  # type: ignore[union-attr]
    assert [r.seq for r in (await rig.post(ONE, "t1", 4)).records] == [first[-1].records[-1].seq + 1]
    page = await rig.watch(ONE, "visitor")
    frames = [msgspec.json.decode(frame) for frame in page.frames]
    assert [f["text"] for f in frames if f["kind"] == "message"] == ["text 1", "text 2", "text 3", "在吗"]
    assert (await rig.post(TWO, "t1", 1)).denied.code == "repeated"  # type: ignore[union-attr]
    await rig.stop()


async def test_only_the_tail_is_read(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    for n in range(20):
        await rig.post(conversation(0, f"v{n}"), "t1", 1)
    await until(lambda: rig.partitions._owned[0].relay.lag == 0)
    await made_by(rig).make()
    await rig.post(ONE, "t1", 1)
    await rig.kill()
    rig = await Rig.start(nats, [0])
    assert owner_in(rig).uncovered < 10
    assert list(owner_in(rig).entities.in_tail) == [ONE]
    await rig.stop()


@pytest.mark.parametrize("seed", range(8))
async def test_any_history_with_checkpoints_and_deaths_is_the_whole_log(nats: EmbeddedServer, seed: int) -> None:
    dice = random.Random(seed)
    entities = [conversation(p, f"v{n}") for n in range(6) for p in (0, 1)]
    last = dict.fromkeys(entities, 0)
    rig = await Rig.start(nats, [0, 1])
    for _ in range(12):
        posting = []
        for entity in dice.choices(entities, k=dice.randrange(1, 12)):
            last[entity] += 1
            posting.append(asyncio.ensure_future(rig.post(entity, "t1", last[entity])))
        making = [asyncio.ensure_future(made_by(rig, p).make()) for p in (0, 1) if dice.random() < 0.5]
        await asyncio.sleep(dice.choice((0, 0.001, 0.003, 0.01, 0.03)))
        if dice.random() < 0.2:
            for owned in rig.partitions._owned.values():
                owned.owner.entities.drop_idle()
        if dice.random() < 0.6:
            for task in making:
                task.cancel()
            await asyncio.gather(*making, return_exceptions=True)
            await rig.kill()
            outcomes = await asyncio.gather(*posting)
            rig = await Rig.start(nats, [0, 1])
            if any(outcome.denied is not None for outcome in outcomes):  # in doubt: send them again
                for entity in entities:
                    denied = (await rig.post(entity, "t1", last[entity] + 1)).denied
                    last[entity] = denied.resend_from - 1 if denied is not None else last[entity] + 1
        else:
            await asyncio.gather(*posting, *making)
    for partition in (0, 1):
        expected = await whole_log(rig.connection, partition)
        owner = owner_in(rig, partition)
        await owner.entities.fetched(expected)
        for entity, slot in expected.items():
            assert owner.entities.slots[entity].state == slot.state
            assert owner.entities.slots[entity].recent.last(RECENT) == slot.recent.last(RECENT)
    await rig.stop()


async def test_no_image_runs_ahead_of_the_log(nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await Rig.start(nats, [0])
    await rig.post(ONE, "t1", 1)
    append = owner_in(rig)._log.append
    written = asyncio.Event()

    async def slow(data: bytes, batch: str, expected: int) -> int:
        await written.wait()
        return await append(data, batch, expected)

    monkeypatch.setattr(owner_in(rig)._log, "append", slow)
    posting = asyncio.ensure_future(rig.post(ONE, "t1", 2))
    await asyncio.sleep(0)
    making = asyncio.ensure_future(made_by(rig).make())
    await asyncio.sleep(0.1)
    assert await owner_in(rig)._snapshots.load([ONE]) == {}
    written.set()
    await asyncio.gather(posting, making)
    slot = Slot(ONE, kinds()["c"])
    list(slot.restore((await owner_in(rig)._snapshots.load([ONE]))[ONE]))  # type: ignore[arg-type]
    assert slot.state.tabs["t1"].n == 2
    await rig.stop()


async def test_log_is_trimmed_only_where_the_history_has_been_and_a_checkpoint_stands(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    log = PartitionLog(rig.connection, 0, max_bytes=64 << 20)

    async def first() -> int:
        return (await log._state()).first_seq

    seqs = []
    for n in range(1, 4):
        await rig.post(ONE, "t1", n)
        await made_by(rig).make()
        await made_by(rig).trim()
        seqs.append(owner_in(rig).committed)
    assert await first() == 1, "the history has told nothing yet"
    await Positions(rig.connection).tell({0: seqs[0] - 1})
    await made_by(rig).trim()
    assert await first() == seqs[0]
    await Positions(rig.connection).tell({0: seqs[2]})
    await made_by(rig).trim()
    assert await first() == seqs[1] + 1, "up to the last checkpoint but one"
    await rig.kill()
    rig = await Rig.start(nats, [0])
    assert (await rig.post(ONE, "t1", 3)).denied.code == "repeated"  # type: ignore[union-attr]
    assert (await rig.post(ONE, "t1", 4)).denied is None
    await rig.stop()


async def test_log_is_kept_as_far_as_the_checkpoint_says_that_it_is_relayed(nats: EmbeddedServer) -> None:
    """An owner relays on after its checkpoint; a successor begins where the checkpoint had come to."""
    rig = await Rig.start(nats, [0])
    owner = owner_in(rig)
    for n in range(1, 4):
        await rig.post(ONE, "t1", n)
        await until(lambda: rig.partitions._owned[0].relay.lag == 0)
        relayed, owner.relayed = owner.relayed, 1  # as if one command of the second batch had not arrived yet
        await made_by(rig).make()
        owner.relayed = relayed
        await Positions(rig.connection).tell({0: owner.committed})
        await made_by(rig).trim()
    await rig.kill()
    rig = await Rig.start(nats, [0])
    assert rig.partitions.failed == {}
    assert (await rig.post(ONE, "t1", 3)).denied.code == "repeated"  # type: ignore[union-attr]
    await rig.stop()


async def test_owner_that_ends_ends_a_checkpoint_that_is_being_made(nats: EmbeddedServer) -> None:
    """Its entities are gone then; nothing of that may surface in whoever clears up."""
    rig = await Rig.start(nats, [0])
    for n in range(100):
        await rig.post(conversation(0, f"v{n}"), "t1", 1)
    for turns in (0, 3, 20, 60):
        making = asyncio.ensure_future(made_by(rig).make())
        for _ in range(turns):
            await asyncio.sleep(0)
        owner_in(rig).close("lost")
        await asyncio.sleep(0.05)
        making.cancel()
        assert isinstance((await asyncio.gather(making, return_exceptions=True))[0], None | asyncio.CancelledError)
        await rig.kill()
        rig = await Rig.start(nats, [0])
    assert (await rig.post(conversation(0, "v7"), "t1", 1)).denied.code == "repeated"  # type: ignore[union-attr]
    await rig.stop()


async def test_page_that_lies_before_the_image_is_the_historys(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    for n in range(1, 71):
        await rig.post(ONE, "t1", n)
    await made_by(rig).make()
    await rig.kill()
    rig = await Rig.start(nats, [0])
    page = await rig.page(ONE, "visitor", 0, 10)
    assert isinstance(page, Denied), "the history is empty here: never a short page"
    assert page.code == "unavailable"
    await rig.stop()


async def test_lost_images_are_not_taken_for_empty_conversations(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    for n in range(1, 4):
        await rig.post(ONE, "t1", n)
        await made_by(rig).make()
    await Positions(rig.connection).tell({0: owner_in(rig).committed})
    await made_by(rig).trim()
    await rig.connection.jetstream().delete_stream("SNAP-0")
    await rig.kill()
    rig = await Rig.start(nats, [0])
    assert "has been trimmed" in rig.partitions.failed[0]
    await rig.stop()


async def test_damaged_image_stops_its_conversation_alone_and_the_log_is_kept(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    await rig.post(ONE, "t1", 1)
    await rig.post(TWO, "t1", 1)
    await made_by(rig).make()
    await rig.kill()
    rig = await Rig.start(nats, [0])
    owner = owner_in(rig)
    await owner._snapshots.write({ONE: b'{"schema":1,"entity":"c0-other","state":{},"recent":[]}'})
    denied = (await rig.post(ONE, "t1", 2)).denied
    assert denied is not None
    assert denied.code == STOPPED
    assert "it is the image of c0-other" in rig.partitions.stopped[ONE]
    assert (await rig.post(TWO, "t1", 2)).denied is None
    before = owner.checkpoint
    await made_by(rig).make()
    assert made_by(rig)._checkpoint == before, "what the log still holds of it must not be trimmed"
    await rig.stop()


async def test_state_that_evolve_has_spoilt_is_never_stored(
    nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    evolve = conversation_kind.evolve

    def poisoned(state: object, record: object, origin: Origin | None = None) -> None:
        evolve(state, record, origin)  # type: ignore[arg-type]
        if getattr(record.event, "text", "") == "poison":  # type: ignore[attr-defined]
            raise ZeroDivisionError("by accident")

    monkeypatch.setattr(conversation_kind, "evolve", poisoned)
    rig = await Rig.start(nats, [0])
    await rig.post(ONE, "t1", 1)
    await rig.post(ONE, "t1", 2, "poison")
    await made_by(rig).make()
    await rig.kill()
    monkeypatch.setattr(conversation_kind, "evolve", evolve)
    rig = await Rig.start(nats, [0])
    assert (await rig.post(ONE, "t1", 2, "fine")).denied is None
    await rig.stop()


async def test_idle_conversations_leave_the_memory_and_come_back(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    entities = owner_in(rig).entities
    await rig.post(ONE, "t1", 1)
    await rig.post(TWO, "t1", 1)
    await until(lambda: rig.partitions._owned[0].relay.lag == 0)
    await rig.watch(TWO, "visitor")
    entities.drop_idle()
    entities.drop_idle()
    assert ONE in entities.slots, "its events are in no image yet"
    await made_by(rig).make()
    entities.drop_idle()
    entities.drop_idle()
    assert ONE not in entities.slots
    assert TWO in entities.slots, "somebody watches it"
    outcomes = await asyncio.gather(*(rig.post(ONE, "t1", n) for n in (1, 2, 3, 2, 4)))
    assert [o.denied.code if o.denied else o.records[0].seq for o in outcomes] == ["repeated", 5, 6, "repeated", 7]
    await rig.stop()


class Silent:
    """A channel whose platform says nothing until it may; `got` are the texts it was given."""

    can = Capabilities(role="agent")

    def __init__(self) -> None:
        self.got: list[str] = []
        self.may_answer = asyncio.Event()

    async def deliver(self, delivery: Delivery) -> Verdict:
        self.got.append(delivery.text)
        await self.may_answer.wait()
        return Sent()


async def to_phone(nats: EmbeddedServer, silent: Silent) -> Rig:
    """A hub that has handed a visitor's message to the agent's phone, and waits for the platform's answer."""
    wang = AgentSettings(WANG, "wang", "小王", ("sales",), 500, "wecom", "WangFang", Limits(resend_ms=3_600_000))
    rig = await Rig.start(nats, range(PARTITIONS), {"wecom": silent})  # type: ignore[dict-item]
    await rig.submit(ids.QUEUE_ID, c.ChangeTeams(msgspec.structs.replace(TEAMS, agents=(wang,))))
    await until(lambda: rig.partitions.state(WANG) is not None)
    await rig.submit(WANG, c.SetDuty(WANG, True))
    await rig.post(ONE, "t1", 1)
    await until(lambda: len(silent.got) == 1)
    return rig


async def test_a_verdict_that_comes_while_the_lease_is_in_doubt_is_not_forgotten(nats: EmbeddedServer) -> None:
    """While a cluster elects its leader no lease can be renewed; the same owner goes on afterwards."""
    silent = Silent()
    rig = await to_phone(nats, silent)
    owner = owner_in(rig, ids.partition_of(WANG))
    valid_until, owner.valid_until = owner.valid_until, 0.0
    silent.may_answer.set()
    await asyncio.sleep(0.3)
    assert rig.partitions.state(WANG).attempt is not None
    owner.valid_until = valid_until
    await until(lambda: rig.partitions.state(WANG).attempt is None)
    await rig.stop()


async def test_attempt_without_verdict_is_repeated_though_only_an_image_tells_of_it(nats: EmbeddedServer) -> None:
    """Nobody asks for the agent entity after the take-over, and the log's tail does not name it."""
    silent = Silent()
    rig = await to_phone(nats, silent)
    for partition in range(PARTITIONS):
        await made_by(rig, partition).make()
    await rig.kill()
    rig = await Rig.start(nats, range(PARTITIONS), {"wecom": silent})  # type: ignore[dict-item]
    assert WANG not in owner_in(rig, ids.partition_of(WANG)).entities.in_tail
    await until(lambda: len(silent.got) == 2)
    assert silent.got[0] == silent.got[1]
    await rig.kill()


async def test_poison_of_one_does_not_hold_up_fetches_of_others(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    await rig.post(ONE, "t1", 1)
    await made_by(rig).make()
    await rig.kill()
    rig = await Rig.start(nats, [0])
    answers: list[Denied] = []

    def bad(_: object) -> None:
        raise ZeroDivisionError("a caller's fault")

    rig.router.page(ONE, "visitor", 0, 9, bad)
    rig.router.page(ONE, "visitor", 0, 9, answers.append)  # type: ignore[arg-type]
    await until(lambda: bool(answers))
    await rig.stop()


async def test_whoever_waits_for_a_commit_hears_it_when_the_owner_ends(
    nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals, pages and welcomes wait for the decisions before them; a partition that is lost answers them too."""
    rig = await Rig.start(nats, [0])
    await rig.post(ONE, "t1", 1)

    async def never(data: bytes, batch: str, expected: int) -> int:
        await asyncio.sleep(3600)
        return 0

    monkeypatch.setattr(owner_in(rig)._log, "append", never)
    heard: list[object] = []
    posting = asyncio.ensure_future(rig.post(ONE, "t1", 2))
    repeating = asyncio.ensure_future(rig.post(ONE, "t1", 1))
    await asyncio.sleep(0.02)
    rig.router.page(ONE, "visitor", 0, 9, heard.append)
    rig.router.watch(ONE, "agent", 0, 0, heard.append)
    assert heard == []
    owner_in(rig).close("taken over")
    denied = Denied("unavailable", "taken over")
    assert [(await posting).denied, (await repeating).denied, *heard] == [denied] * 4
    await rig.kill()


async def test_page_of_long_messages_is_cut_by_bytes_and_says_so(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    long = "长" * 4000
    for n in range(1, 46):
        await rig.post(ONE, "t1", n, f"{n:02}{long}")
    seen: list[int] = []
    before = 1 << 53
    while True:
        page = await rig.page(ONE, "visitor", 0, before)
        assert isinstance(page, Page)
        assert 0 < sum(map(len, page.frames)) <= PAGE_BYTES
        frames = [msgspec.json.decode(frame) for frame in page.frames]
        seen[:0] = [int(f["text"][:2]) for f in frames if f["kind"] == "message"]
        if not page.more:
            break
        before = frames[0]["seq"]
    assert seen == list(range(1, 46))
    await rig.stop()
