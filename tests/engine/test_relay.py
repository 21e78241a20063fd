"""Commands between entities: each exactly once and in order, whoever dies in between."""

import asyncio

from hub.bus.server import EmbeddedServer
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import ids
from hub.domain.teams import AgentSettings, Team, Teams
from hub.engine.calls import Denied
from tests.engine.rig import Rig, conversation, until
from tests.engine.test_owner import stored

PARTITIONS = 4
WANG = ids.agent_id(PARTITIONS, "wang")
TEAMS = Teams(
    "v1",
    "sales",
    (Team("sales", "售前"),),
    (AgentSettings(WANG, "wang", "小王", ("sales",), 500),),
)


async def on_duty(rig: Rig) -> None:
    """Teams in force and their one agent on duty."""
    await rig.submit(ids.QUEUE_ID, c.ChangeTeams(TEAMS))
    await until(lambda: rig.partitions.state(WANG) is not None)
    await rig.submit(WANG, c.SetDuty(WANG, True))


def served_by(rig: Rig, entity: str) -> str:
    state = rig.partitions.state(entity)
    return state.agent if state is not None else ""


async def test_a_message_finds_an_agent_through_the_queue(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, range(PARTITIONS))
    await on_duty(rig)
    one = conversation(2)
    await rig.post(one, "t1", 1)
    await until(lambda: served_by(rig, one) == WANG)
    await until(lambda: one in rig.partitions.state(WANG).serving)
    await rig.stop()


async def test_two_workers_hand_commands_to_each_other(nats: EmbeddedServer) -> None:
    left = await Rig.start(nats, [0, 1])
    right = await Rig.start(nats, [2, 3])
    rigs = (left, right)
    home = {p: rigs[p // 2] for p in range(PARTITIONS)}
    await left.submit(ids.QUEUE_ID, c.ChangeTeams(TEAMS))
    of_wang = home[ids.partition_of(WANG)]
    await until(lambda: of_wang.partitions.state(WANG) is not None)
    await right.submit(WANG, c.SetDuty(WANG, True))
    for p in range(PARTITIONS):
        one = conversation(p)
        outcome = await rigs[p % 2].post(one, "t1", 1)  # half of these are owned by the other worker
        assert [r.seq for r in outcome.records] == [1, 2, 3]
        await until(lambda p=p, one=one: served_by(home[p], one) == WANG)
    page = await left.watch(conversation(3), "visitor")
    assert page.seq == 2
    await right.post(conversation(3), "t2", 1, "推送")
    await until(lambda: any("推送".encode() in frame for *_, frame, _ in left.heard.frames))
    await left.stop()
    await right.stop()


async def test_everything_arrives_once_when_owners_die_in_between(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, range(PARTITIONS))
    await on_duty(rig)
    entities = [conversation(n % PARTITIONS, f"v{n}") for n in range(40)]
    for round_ in range(4):
        posts = [asyncio.ensure_future(rig.post(entity, "t1", round_ + 1)) for entity in entities]
        await asyncio.sleep(0.004 * round_)
        await rig.kill()
        await asyncio.gather(*posts)
        rig = await Rig.start(nats, range(PARTITIONS))
        for entity in entities:
            denied = (await rig.post(entity, "t1", round_ + 1)).denied
            assert denied is None or denied.code == "repeated"
    await until(lambda: all(served_by(rig, entity) == WANG for entity in entities))
    await until(lambda: all(o.relay.lag == 0 for o in rig.partitions._owned.values()))
    records = [r for p in range(PARTITIONS) for r in await stored(rig, p)]
    for entity in entities:
        assert sum(1 for r in records if r.entity == entity and isinstance(r.event, e.Assigned)) == 1
        events = [r.event for r in records if r.entity == ids.QUEUE_ID]
        assert sum(1 for v in events if isinstance(v, e.Enqueued) and v.conversation == entity) == 1
        assert sum(1 for v in events if isinstance(v, e.Chosen) and v.conversation == entity) == 1
        events = [r.event for r in records if r.entity == WANG]
        assert sum(1 for v in events if isinstance(v, e.Serving) and v.conversation == entity) == 1
    await rig.stop()


async def test_a_relay_goes_on_where_the_owner_before_had_come_to(nats: EmbeddedServer) -> None:
    """Half of the partitions are away: what is meant for them waits, and arrives when they come."""
    near = await Rig.start(nats, [2, 3])
    one = conversation(2)
    await near.post(one, "t1", 1)
    await near.kill()
    near = await Rig.start(nats, [2, 3])
    await near.post(one, "t1", 2)
    far = await Rig.start(nats, [0, 1])
    await far.submit(ids.QUEUE_ID, c.ChangeTeams(TEAMS))
    rig = {p: far if p < 2 else near for p in range(PARTITIONS)}[ids.partition_of(WANG)]
    await until(lambda: rig.partitions.state(WANG) is not None)
    outcome = await near.submit(WANG, c.SetDuty(WANG, True))
    assert not isinstance(outcome, Denied)
    await until(lambda: served_by(near, one) == WANG)
    chosen = [r for r in await stored(far, 0) if isinstance(r.event, e.Chosen)]
    assert len(chosen) == 1
    await near.stop()
    await far.stop()
