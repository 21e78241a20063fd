"""What waits to be sent is told from any worker, in short turns, as of what is on disk, and all of it or nothing."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

from hub.bus.server import EmbeddedServer
from hub.contract import Capabilities, Connector, Delivery, Refused, Retry, Sent, Verdict
from hub.domain import commands as c
from hub.domain.agent.state import Agent, Note
from hub.domain.attempts import Queued
from hub.domain.ids import partition_of, platform_conversation_id
from hub.domain.messages import Block, Judgement, Limits, Profile, Reach
from hub.engine import listing, peers, wire
from hub.engine.calls import UNAVAILABLE, Denied, Listed, Wanted
from hub.engine.entities import TURN_S, Entities
from hub.engine.kinds import kinds
from hub.engine.listing import joined, newest
from hub.engine.owner import Owner
from hub.engine.router import Router
from hub.engine.slots import Slot
from hub.engine.wire import PAYLOAD_BYTES
from tests.domain.agent.test_entity import PHONE, WANG
from tests.engine.rig import EmptyHistory, Rig
from tests.engine.test_entities import Stored
from tests.engine.test_visitors_on_platforms import CHAT, OTHER, PARTITIONS, Parrot, Talk, until

ALL = Wanted(50)


def queued(at_ms: int, entity: str = "p0-mail-x", place: int = 1, text: str = "") -> Queued:
    return Queued(at_ms, entity, place, "mail", "x@example.org", text)


async def ask(rig: Rig, entity: str = "", wanted: Wanted = ALL) -> Listed | Denied:
    future: asyncio.Future[Listed | Denied] = asyncio.get_running_loop().create_future()
    rig.router.queued(entity, wanted, future.set_result)
    return await asyncio.wait_for(future, 20)


async def texts(rig: Rig, entity: str = "", wanted: Wanted = ALL) -> list[str]:
    listed = await ask(rig, entity, wanted)
    assert isinstance(listed, Listed), listed
    return [one.text for one in listed.queued]


# --- joined --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_walking_on_from_the_last_of_each_page_gives_all_in_order_however_the_lists_are_cut(seed: int) -> None:
    chance = random.Random(seed)
    whole = [queued(chance.randrange(9), f"p{n % 4}-mail-x", n) for n in range(60)]
    found, after = list[Queued](), None
    while True:
        lists = []
        for partition in range(4):
            mine = sorted((one for one in whole if partition_of(one.entity) == partition), reverse=True)
            mine = [one for one in mine if after is None or one < after]
            cut = chance.randint(1, 7)
            lists.append(Listed(tuple(mine[:cut]), len(mine) > cut))
        page = joined(lists, 5)
        assert len(page.queued) <= 5
        found += page.queued
        if not page.more:
            break
        after = page.queued[-1]
    assert found == sorted(whole, reverse=True)


def test_a_list_that_does_not_fit_into_one_payload_is_cut_and_says_so() -> None:
    long = Listed(tuple(queued(9_999 - n, text="😀" * 200) for n in range(5000)))
    (back,) = wire.decode_answers(wire.encode_answers([long]))
    assert isinstance(back, Listed)
    assert back.more
    assert back.queued == long.queued[: len(back.queued)]
    assert len(wire.encode(back)) < PAYLOAD_BYTES + 1000
    short = Listed(long.queued[:3])
    assert wire.decode_answers(wire.encode_answers([short])) == [short]


# --- in one partition ----------------------------------------------------------------------------------------------


def crowd(count: int) -> Entities:
    """A partition with many conversations of whom nobody waits, and so many agents with two notes each."""
    entities = Entities(kinds(), Stored())
    for n in range(count):
        for entity in (f"c0-{n}", f"a0-{n}"):
            slot = Slot(entity, kinds()[entity[0]])
            if isinstance(slot.state, Agent):
                slot.state.notes = [Note(f"{n}.{i}", at_ms=n * 10 + i, place=i) for i in (1, 2)]
            entities.slots[entity] = slot
            entities.note_awake(slot)
    return entities


async def test_it_is_found_in_many_turns_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "TURN_S", 0)
    entities, turns = crowd(100), 0
    finding = asyncio.ensure_future(newest(entities, "", Wanted(3), 0))
    while not finding.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 200
    listed = finding.result()
    assert ([one.text for one in listed.queued], listed.more) == (["99.2", "99.1", "98.2"], True)


async def test_a_turn_is_over_when_its_time_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that each look moves on by a tenth of a turn."""
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return looks * TURN_S / 10

    monkeypatch.setattr(time, "perf_counter", clock)
    slept, sleep = 0, asyncio.sleep

    async def counted(seconds: float) -> None:
        nonlocal slept
        slept += 1
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", counted)
    await newest(crowd(100), "", ALL, 0)
    assert slept >= 200 / 11


async def test_those_with_nothing_but_an_attempt_on_its_way_take_turns_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "TURN_S", 0)
    entities, turns = crowd(100), 0
    for name in entities.awake:
        entities.slots[name].state.notes = []
    finding = asyncio.ensure_future(newest(entities, "", ALL, 0))
    while not finding.done():
        turns += 1
        await asyncio.sleep(0)
    assert (turns >= 100, finding.result()) == (True, Listed(()))


async def test_what_is_gone_meanwhile_is_not_told_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "TURN_S", 0)
    entities = crowd(50)
    finding = asyncio.ensure_future(newest(entities, "", ALL, 0))
    await asyncio.sleep(0)
    entities.close()
    assert len((await finding).queued) < 50


async def test_one_whose_state_is_not_what_the_log_says_tells_of_nothing() -> None:
    entities = crowd(2)
    entities.slots["a0-0"].spoilt = True
    assert [one.entity for one in (await newest(entities, "", ALL, 0)).queued] == ["a0-1", "a0-1"]
    assert (await newest(entities, "a0-0", ALL, 0)).queued == ()
    assert len((await newest(entities, "a0-1", ALL, 0)).queued) == 2


async def test_what_waits_at_one_that_takes_nothing_more_says_why() -> None:
    entities = crowd(1)
    entities.slots["a0-0"].stopped = "Tick failed: by accident"
    assert {one.because for one in (await newest(entities, "", ALL, 0)).queued} == {"Tick failed: by accident"}


async def test_only_what_is_wanted_is_told() -> None:
    entities = crowd(2)
    entities.slots["a0-1"].state.settings = WANG
    assert [one.entity for one in (await newest(entities, "", Wanted(50, "wecom"), 0)).queued] == ["a0-1", "a0-1"]
    first = (await newest(entities, "", Wanted(1), 0)).queued[0]
    behind = await newest(entities, "", Wanted(50, after=(first.at_ms, first.entity, first.place)), 0)
    assert [one.text for one in behind.queued] == ["1.1", "0.2", "0.1"]


# --- among workers -------------------------------------------------------------------------------------------------

HERE = partition_of(CHAT)
REST = [partition for partition in range(PARTITIONS) if partition != HERE]
ELSEWHERE = next(
    other
    for n in range(100)
    if partition_of(other := platform_conversation_id(PARTITIONS, "parrot", "", f"wu{n}", "")) != HERE
)
OFF = msgspec.structs.replace(WANG, id=f"a{HERE}-wang", channel="off", limits=msgspec.structs.replace(PHONE, fold_ms=0))


AWAY = Retry("away", 3600)


class Off(Connector):
    """The phones of agents whom nobody reaches."""

    can = Capabilities(role="agent")

    async def deliver(self, delivery: Delivery) -> Verdict:
        return Refused("the phone is off", unreachable=True)


async def start(nats: EmbeddedServer, *partitions: int, says: Verdict = AWAY) -> Talk:
    parrot = Parrot()
    parrot.says = lambda _: says
    rig = await Talk.start(nats, partitions, {"parrot": parrot, "off": Off(None)})  # type: ignore[arg-type]
    assert isinstance(rig, Talk)
    rig.router._partitions = PARTITIONS
    return rig


async def answer(rig: Talk, entity: str, *answers: str) -> None:
    """The first is tried again in an hour, so all others wait for it."""
    await rig.write(entity, 1)
    await rig.assign(entity)
    for text in answers:
        await rig.answer(entity, text)


def owner(rig: Rig) -> Owner:
    return rig.partitions._owned[HERE].owner


async def test_every_worker_tells_what_waits_with_any_of_them(nats: EmbeddedServer) -> None:
    near, far = await start(nats, HERE), await start(nats, *REST)
    await answer(near, CHAT, "under way", "one")
    await answer(near, ELSEWHERE, "under way", "two")
    await near.answer(CHAT, "three")
    for rig in (near, far):
        every = await texts(rig)
        assert sorted(every) == ["one", "three", "two"], "within a millisecond in the order of their names"
        assert await texts(rig, CHAT) == ["three", "one"]
        assert await texts(rig, ELSEWHERE) == ["two"]
        assert await texts(rig, OTHER) == []
        assert await texts(rig, wanted=Wanted(50, "mail")) == []
        listed = await ask(rig, wanted=Wanted(2))
        assert isinstance(listed, Listed)
        assert ([one.text for one in listed.queued], listed.more) == (every[:2], True)
        last = listed.queued[-1]
        assert await texts(rig, wanted=Wanted(2, after=(last.at_ms, last.entity, last.place))) == every[2:]
    await near.stop()
    await far.stop()


async def test_without_one_of_the_owners_nothing_is_told_but_of_those_that_are_there(
    nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "HOLD_S", 0.2)
    near, far = await start(nats, HERE), await start(nats, *REST)
    await answer(near, CHAT, "under way", "one")
    await far.kill()
    denied = await ask(near)
    assert isinstance(denied, Denied)
    assert denied.code == UNAVAILABLE
    assert await texts(near, CHAT) == ["one"]
    owner(near).valid_until = 0
    denied = await ask(near, CHAT)
    assert isinstance(denied, Denied)
    assert (denied.code, denied.message) == (UNAVAILABLE, "the lease on the partition has run out")
    await near.stop()


class Leaving:
    """An owner here, who is its readers too; when it is asked, those of all partitions leave this worker."""

    def __init__(self, partition: int, router: Router) -> None:
        self.partition, self._router, self.readers = partition, router, self

    def queued(self, entity: str, wanted: Wanted, done: Callable[[Listed], None]) -> None:
        for partition in range(PARTITIONS):
            self._router.remove_owner(partition)
        done(Listed((queued(self.partition),)))


async def test_a_partition_that_leaves_while_others_are_asked_is_asked_where_it_is_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = Router("w0", None, EmptyHistory(), partitions=PARTITIONS, epoch=1)  # type: ignore[arg-type]
    asked: list[int] = []

    def ask_elsewhere(partition: int, ask: wire.Ask, done: Callable[[Listed], None]) -> None:
        asked.append(partition)
        done(Listed((queued(partition),)))

    monkeypatch.setattr(router, "_ask", ask_elsewhere)
    for partition in range(PARTITIONS - 1):
        router.add_owner(Leaving(partition, router))  # type: ignore[arg-type]
    answered: asyncio.Future[Listed | Denied] = asyncio.get_running_loop().create_future()
    router.queued("", ALL, answered.set_result)
    listed = await asyncio.wait_for(answered, 20)
    assert isinstance(listed, Listed)
    assert [one.at_ms for one in listed.queued] == list(reversed(range(PARTITIONS)))
    assert len(asked) == PARTITIONS - 1


async def test_a_partition_that_there_is_not_is_not_found(nats: EmbeddedServer) -> None:
    rig = await start(nats, *range(PARTITIONS))
    denied = await ask(rig, "a99-wang")
    assert isinstance(denied, Denied)
    assert denied.code == "not_found"
    await rig.stop()


async def test_what_is_told_is_on_disk(nats: EmbeddedServer) -> None:
    rig = await start(nats, *range(PARTITIONS))
    await answer(rig, CHAT, "under way")
    slot, logged = owner(rig).entities.slots[CHAT], list[bool]()
    writing = asyncio.ensure_future(rig.answer(CHAT, "one"))
    await asyncio.sleep(0)
    assert slot.logged < slot.state.seq
    seq = slot.state.seq
    rig.router.queued(CHAT, ALL, lambda listed: logged.append(slot.logged >= seq))
    await until(lambda: bool(logged))
    assert logged == [True]
    await writing
    await rig.stop()


async def test_what_cannot_be_told_is_said_to_be_so(nats: EmbeddedServer) -> None:
    rig = await start(nats, *range(PARTITIONS))
    await answer(rig, CHAT, "under way", "one")
    slot = owner(rig).entities.slots[CHAT]

    def by_accident(state: object, now_ms: int) -> Iterator[Queued]:
        raise ZeroDivisionError("by accident")

    slot.kind = slot.kind._replace(queued=by_accident)
    denied = await ask(rig)
    assert isinstance(denied, Denied)
    assert (denied.code, denied.message) == ("stopped", f"what waits in partition {HERE} cannot be told: by accident")
    await rig.stop()


async def test_what_waits_for_nothing_that_will_happen_by_itself_is_known_after_a_take_over(
    nats: EmbeddedServer,
) -> None:
    """The notes of an agent whom nobody reaches: no clock and no attempt calls for them, and only an image has them."""
    rig = await start(nats, *range(PARTITIONS))
    await rig.submit(OFF.id, c.ConfigureAgent(OFF))
    block = Block("c0-x", 12, 1, "张三", "在吗")
    await rig.submit(OFF.id, c.Serve("c0-x", 12, "张三", "售前", (block,)))
    await until(lambda: rig.partitions.state(OFF.id).unreachable)
    await owner(rig).settled()
    before = await ask(rig, OFF.id)
    assert isinstance(before, Listed)
    assert {one.because for one in before.queued} == {"the agent cannot be reached"}
    await rig.partitions._owned[HERE].checkpoints.make()
    for _ in range(2):
        owner(rig).entities.drop_idle()
    assert await ask(rig) == before, "it is not forgotten"
    await rig.kill()
    rig = await start(nats, *range(PARTITIONS))
    assert await ask(rig) == before
    await rig.stop()


async def test_what_waits_for_the_pace_alone_is_known_before_its_time_comes(nats: EmbeddedServer) -> None:
    rig = await start(nats, *range(PARTITIONS), says=Sent())
    reach = Reach("parrot", "zhang", Limits(per_hour=1))
    await rig.submit(CHAT, c.ReceiveMessage("m1", "在吗", 0, Profile("parrot"), reach, judgement=Judgement("在吗")))
    await rig.assign(CHAT)
    await rig.answer(CHAT, "sent")
    await until(lambda: rig.partitions.state(CHAT).outbox.answered == 1)
    await rig.answer(CHAT, "one")
    await rig.partitions._owned[HERE].checkpoints.make()
    await rig.kill()
    rig = await start(nats, *range(PARTITIONS))
    assert await texts(rig) == ["one"]
    await rig.stop()
