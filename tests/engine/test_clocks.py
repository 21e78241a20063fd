"""A conversation's clocks outlive their owner, and load nothing at a take-over that is not timed."""

import msgspec
import pytest

from hub.bus.server import EmbeddedServer
from hub.domain import commands as c
from hub.domain import ids
from hub.domain.batch import decode_entry
from hub.domain.teams import AgentSettings, Patience, Team, Teams
from hub.engine import checkpoints
from hub.engine.entities import Entities
from hub.engine.kinds import kinds
from hub.engine.slots import RECENT, Slot
from hub.errors import SnapshotDamaged
from tests.engine.rig import Rig, conversation, until
from tests.engine.test_recovery import made_by, owner_in
from tests.engine.test_relay import PARTITIONS

TIMED, UNTIMED = conversation(0, "timed"), conversation(0, "untimed")
SHORT = Patience(nudge_s=1, close_s=3600)


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0)
    monkeypatch.setattr(checkpoints, "LOOK_S", 3600)  # the tests make them by hand


async def serve(rig: Rig, entity: str, patience: Patience) -> None:
    await rig.post(entity, "t", 1)
    await rig.submit(entity, c.Assign("a1-li", "李", 1, "sales", False, patience=patience))
    await rig.submit(entity, c.AnswerMessage("a1-li", "您好", "d", 1))


def nudged(rig: Rig, entity: str) -> bool:
    state = owner_in(rig).state(entity)
    return state is not None and state.clocks is not None and state.clocks.nudged_ms > 0


def is_timed(slot: Slot) -> bool:
    """Whether a new owner, who reads the slot's events after a checkpoint, loads it at once."""
    entities = Entities(kinds(), NoImages())
    for encoded in slot.recent.last(RECENT):
        entities.add_to_tail(decode_entry(encoded).record, encoded)
    return bool(entities.timed)


class NoImages:
    """No image is asked for."""

    async def load(self, entities: list[str]) -> dict[str, bytes | SnapshotDamaged]:
        raise AssertionError


async def test_a_silence_that_began_after_the_checkpoint_is_timed_by_the_next_owner(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    for entity in (TIMED, UNTIMED):
        await rig.post(entity, "t", 1)
        await rig.submit(
            entity, c.Assign("a1-li", "李", 1, "sales", False, patience=SHORT if entity == TIMED else Patience())
        )
    await made_by(rig).make()
    for entity in (TIMED, UNTIMED):
        await rig.submit(entity, c.AnswerMessage("a1-li", "您好", "d", 1))
    slots = owner_in(rig).entities.slots
    assert [is_timed(slots[entity]) for entity in (TIMED, UNTIMED)] == [True, False]
    await rig.kill()
    rig = await Rig.start(nats, [0])
    await until(lambda: nudged(rig, TIMED))
    await rig.stop()


async def test_a_silence_that_only_the_checkpoint_tells_of_is_timed_by_the_next_owner(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    await serve(rig, TIMED, SHORT)
    await serve(rig, UNTIMED, Patience())
    await made_by(rig).make()
    assert set(owner_in(rig).checkpoint.due) <= {TIMED}
    await rig.kill()
    rig = await Rig.start(nats, [0])
    assert list(owner_in(rig).due()) == [TIMED]
    assert TIMED not in owner_in(rig).entities.slots
    await until(lambda: nudged(rig, TIMED))
    await rig.stop()


async def test_a_moment_that_the_visitor_made_void_after_the_checkpoint_does_nothing(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0])
    await serve(rig, TIMED, SHORT)
    await made_by(rig).make()
    await rig.post(TIMED, "t", 2)
    seq = owner_in(rig).state(TIMED).seq
    await rig.kill()
    rig = await Rig.start(nats, [0])
    await until(lambda: TIMED in owner_in(rig).entities.slots)  # it was rung
    await until(lambda: not owner_in(rig).due())
    assert owner_in(rig).state(TIMED).seq == seq
    await rig.stop()


async def test_a_silent_visitor_is_asked_then_leaves_room_for_the_next_and_comes_back_to_the_same_agent(
    nats: EmbeddedServer,
) -> None:
    team = Team("sales", "售前", last_agent_days=1, patience=Patience(nudge_s=1, close_s=1))
    wang, li = (
        AgentSettings(ids.agent_id(PARTITIONS, name), name, name, ("sales",), capacity)
        for name, capacity in (("wang", 1), ("li", 5))
    )
    rig = await Rig.start(nats, range(PARTITIONS))
    await rig.submit(ids.QUEUE_ID, c.ChangeTeams(Teams("v1", "sales", (team,), (wang, li))))
    await until(lambda: rig.partitions.state(wang.id) is not None)
    await rig.submit(wang.id, c.SetDuty(wang.id, on=True))
    one = conversation(2)
    await rig.post(one, "t", 1)
    await until(lambda: rig.partitions.state(one).agent == wang.id)
    await rig.submit(one, c.AnswerMessage(wang.id, "您好", "d", 1))
    await until(lambda: rig.partitions.state(one).stage == "closed")
    await until(lambda: one not in rig.partitions.state(ids.QUEUE_ID).places)
    await until(lambda: one not in rig.partitions.state(wang.id).serving)
    page = await rig.watch(one, "visitor")
    frames = [msgspec.json.decode(frame) for frame in page.frames]
    assert [frame["kind"] for frame in frames] == ["message", "answer", "nudged", "closed"]
    assert frames[-1]["because"] == "idle"
    await until(lambda: rig.partitions.state(li.id) is not None)
    await rig.submit(li.id, c.SetDuty(li.id, on=True))
    await rig.post(one, "t", 2)
    await until(lambda: rig.partitions.state(one).agent == wang.id)
    await rig.stop()
