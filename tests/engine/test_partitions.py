"""Partitions go from worker to worker: shares are fair, nothing moves in vain, and no message is lost or doubled."""

import asyncio
import contextlib

import pytest

from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.domain.events import MessagePosted
from hub.engine import peers
from hub.engine.calls import UNAVAILABLE, Outcome
from hub.errors import BusError
from tests.engine.rig import Rig, conversation, until
from tests.engine.test_owner import stored

ALL = 32


def owned(rig: Rig) -> set[int]:
    return {partition for partition in range(ALL) if rig.partitions.owns(partition)}


async def spread(*rigs: Rig) -> list[set[int]]:
    """What each of them owns, once all is owned and the shares are fair."""

    def fair() -> bool:
        counts = [len(owned(rig)) for rig in rigs]
        return sum(counts) == ALL and max(counts) - min(counts) <= 1

    await until(fair, 30)
    shares = [owned(rig) for rig in rigs]
    assert set.union(*shares) == set(range(ALL)), "one partition has two owners"
    return shares


async def test_workers_that_start_together_share_at_once(nats: EmbeddedServer) -> None:
    rigs = await asyncio.gather(*(Rig.join(nats, together=3) for _ in range(3)))
    assert sorted(map(len, await spread(*rigs))) == [10, 11, 11]
    assert [rig.handed_over for rig in rigs] == [[], [], []]
    for rig in rigs:
        await rig.kill()


async def test_a_worker_that_waits_in_vain_for_another_begins_alone(nats: EmbeddedServer) -> None:
    rig = await Rig.join(nats, together=2)
    for _ in range(3):  # it hears of something, but nobody comes
        rig.partitions._leases_changed()
        await asyncio.sleep(0.05)
    await spread(rig)
    await rig.kill()


async def test_a_partition_that_nats_refuses_is_taken_as_soon_as_it_does_no_more(
    nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_log, refused = PartitionLog.open, set[str]()

    async def refuse(self: PartitionLog, known: int = 0) -> int:
        if self.stream not in refused and len(refused) < 8:
            refused.add(self.stream)
            raise BusError("NATS refuses: no room (code 10049)")
        return await open_log(self, known)

    monkeypatch.setattr(PartitionLog, "open", refuse)
    rig = await Rig.join(nats)
    await until(lambda: len(rig.partitions.failed) == 8)
    assert all("no room" in why for why in rig.partitions.failed.values())
    await spread(rig)
    assert rig.partitions.failed == {}
    await rig.kill()


async def test_shares_stay_fair_when_workers_come_and_go_and_nothing_moves_in_vain(nats: EmbeddedServer) -> None:
    first = await Rig.join(nats)
    (all_,) = await spread(first)
    home = first.partitions.home
    second = await Rig.join(nats)
    left, right = await spread(first, second)
    assert (len(left), len(right)) == (16, 16)
    assert home in left
    third = await Rig.join(nats)
    three = await spread(first, second, third)
    assert three[0] < left
    assert three[1] < right
    await second.stop()
    two = await spread(first, third)
    assert three[0] < two[0]
    assert three[2] < two[1]
    await third.kill()
    assert await spread(first) == [all_]
    assert first.partitions.home == home
    await first.stop()


async def test_a_replacement_takes_what_is_free_and_the_others_keep_what_they_have(nats: EmbeddedServer) -> None:
    rigs = await asyncio.gather(*(Rig.join(nats, together=2) for _ in range(2)))
    stays, dies = await spread(*rigs)
    successor = await Rig.join(nats)
    await rigs[1].kill()
    assert await spread(rigs[0], successor) == [stays, dies]
    assert rigs[0].handed_over == []
    await rigs[0].kill()
    await successor.kill()


async def test_what_a_worker_held_whose_death_nobody_saw_is_taken_when_its_session_has_run_out(
    nats: EmbeddedServer,
) -> None:
    rigs = await asyncio.gather(*(Rig.join(nats, together=2, ttl_s=2) for _ in range(2)))
    await spread(*rigs)
    lost = next(iter(owned(rigs[1])))
    await rigs[1].kill(seen=False)
    assert (await rigs[0].post(conversation(lost), "t1", 1)).denied is None, "it is held until there is an owner again"
    await spread(rigs[0])
    await rigs[0].kill()


class Visitor:
    """Writes one message after the other through any of the workers, each until it is acknowledged."""

    def __init__(self, entity: str) -> None:
        self.entity = entity
        self.acked: list[int] = []
        self.denied: list[str] = []

    async def write(self, rigs: list[Rig], running: asyncio.Event) -> None:
        n = 0
        while running.is_set():
            n += 1
            self.acked.append(await self._one(rigs, n))

    async def _one(self, rigs: list[Rig], n: int) -> int:
        while True:
            outcome: Outcome = await rigs[n % len(rigs)].post(self.entity, "t1", n, f"{n}")
            if outcome.denied is None:
                return next(r.seq for r in outcome.records if isinstance(r.event, MessagePosted))
            if outcome.denied.code == "repeated":
                return outcome.denied.seq
            self.denied.append(outcome.denied.code)
            await asyncio.sleep(0.01)


async def exactly_once(rig: Rig, visitors: list[Visitor]) -> None:
    """What was acknowledged is in the log, in order; and no two batches of a partition ever had the same mark."""
    for partition in range(ALL):
        marks = [batch.batch async for batch in PartitionLog(rig.connection, partition).read(0)]
        assert len(set(marks)) == len(marks)
    records = [record for partition in range(ALL) for record in await stored(rig, partition)]
    for visitor in visitors:
        mine = [r for r in records if r.entity == visitor.entity]
        assert [r.seq for r in mine] == list(range(1, len(mine) + 1))
        posted = [r for r in mine if isinstance(r.event, MessagePosted)]
        assert [r.seq for r in posted] == visitor.acked
        assert [r.event.text for r in posted] == [str(n) for n in range(1, len(posted) + 1)]  # type: ignore[union-attr]
        assert len(posted) > 10


async def test_a_hand_over_under_load_refuses_nothing_and_loses_and_doubles_nothing(nats: EmbeddedServer) -> None:
    first = await Rig.join(nats)
    await spread(first)
    visitors = [Visitor(conversation(partition, "v")) for partition in range(ALL)]
    running = asyncio.Event()
    running.set()
    async with asyncio.TaskGroup() as group:
        for visitor in visitors:
            group.create_task(visitor.write([first], running))
        await asyncio.sleep(0.3)
        second = await Rig.join(nats)
        await spread(first, second)
        third = await Rig.join(nats)
        await spread(first, second, third)
        await second.stop()
        await spread(first, third)
        await asyncio.sleep(0.3)
        running.clear()
    assert {code for visitor in visitors for code in visitor.denied} == set()
    assert len(first.handed_over) >= 16
    await exactly_once(first, visitors)
    await third.stop()
    await first.stop()


async def test_a_session_that_ends_costs_its_partitions_but_not_the_process(nats: EmbeddedServer) -> None:
    rigs = list(await asyncio.gather(*(Rig.join(nats, together=2) for _ in range(2))))
    await spread(*rigs)
    visitors = [Visitor(conversation(partition, "v")) for partition in range(0, ALL, 4)]
    running = asyncio.Event()
    running.set()
    async with asyncio.TaskGroup() as group:
        for visitor in visitors:
            group.create_task(visitor.write(rigs, running))
        for _ in range(3):
            await asyncio.sleep(0.3)
            session = rigs[0].partitions.leases.session
            await rigs[0].revoke()
            await until(lambda session=session: rigs[0].partitions.leases.session not in ("", session))
            await spread(*rigs)
        running.clear()
    await exactly_once(rigs[0], visitors)
    for rig in rigs:
        await rig.stop()


async def test_an_owner_before_is_never_addressed_again(nats: EmbeddedServer) -> None:
    old, asker = await Rig.start(nats, [0]), await Rig.start(nats, [1])
    one = conversation(0)
    await asker.post(one, "t1", 1)
    asked = []
    answer = old.router.answer

    async def noted(partition: int, payload: bytes) -> bytes:
        asked.append(partition)
        return await answer(partition, payload)

    old.router.answer = noted  # type: ignore[method-assign]
    await asker.post(one, "t1", 2)
    assert asked == [0]
    old.deafen()
    await old.revoke()
    new = await Rig.start(nats, [0])
    assert [r.seq for r in (await asker.post(one, "t1", 3)).records]
    assert asked == [0]
    for rig in (old, new, asker):
        await rig.kill()


async def test_commands_are_held_until_there_is_an_owner(nats: EmbeddedServer) -> None:
    asker = await Rig.start(nats, [1])
    posts = [asyncio.create_task(asker.post(conversation(0), "t1", n)) for n in range(1, 6)]
    await asyncio.sleep(0.3)
    assert not any(post.done() for post in posts)
    late = await Rig.start(nats, [0])
    outcomes = await asyncio.gather(*posts)
    assert [outcome.denied for outcome in outcomes] == [None] * 5
    await late.kill()
    await asker.kill()


async def test_what_is_held_is_bounded_in_time_and_number(
    nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "HELD", 5)
    monkeypatch.setattr(peers, "HOLD_S", 0.5)
    asker = await Rig.start(nats, [1])
    outcomes = await asyncio.gather(*(asker.post(conversation(0), "t1", n) for n in range(8)))
    said = [outcome.denied.message for outcome in outcomes if outcome.denied is not None]
    assert said == ["nobody has answered for partition 0"] * 5 + ["too many wait for partition 0"] * 3
    assert {outcome.denied.code for outcome in outcomes if outcome.denied} == {UNAVAILABLE}
    await asker.kill()


async def test_a_worker_without_a_partition_opens_conversations_in_another_ones(nats: EmbeddedServer) -> None:
    owner, other = await Rig.start(nats, [3, 4]), await Rig.start(nats, [])
    await until(lambda: other.partitions._holders().count(None) == ALL - 2)
    assert other.partitions.home == 3
    await owner.kill()
    await other.kill()


async def test_when_the_connection_is_closed_for_good_its_keeper_ends(nats: EmbeddedServer) -> None:
    rig = await Rig.join(nats)
    await spread(rig)
    await rig.connection.close()
    assert rig.keeping is not None
    with contextlib.suppress(asyncio.CancelledError), pytest.raises(Exception, match="closed"):
        await asyncio.wait_for(rig.keeping, 20)
