"""A large entity is made in many turns of the loop, and nobody sees it before it is whole."""

import asyncio

import pytest

from hub.domain.batch import Entry, encode_entry
from hub.domain.events import Enqueued, Record
from hub.domain.ids import QUEUE_ID
from hub.engine import entities as engine_entities
from hub.engine.entities import Entities
from hub.engine.kinds import kinds
from hub.engine.slots import Slot
from hub.errors import SnapshotDamaged

EVENTS = 500


class Stored:
    """Images in memory."""

    def __init__(self, **images: bytes) -> None:
        self._images = images

    async def load(self, entities: list[str]) -> dict[str, bytes | SnapshotDamaged]:
        return {entity: image for entity in entities if (image := self._images.get(entity)) is not None}


@pytest.fixture(autouse=True)
def shortest_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_entities, "TURN_S", 0)


@pytest.fixture
def entries() -> list[Entry]:
    return [Entry(Record(QUEUE_ID, n, n - 1, n, Enqueued(f"c3-{n}", n, "sales", 0))) for n in range(1, EVENTS + 1)]


def queue_after(entries: list[Entry]) -> Slot:
    slot = Slot(QUEUE_ID, kinds()["q"])
    for entry in entries:
        slot.replay(entry, encode_entry(entry))
    return slot


async def turns_until_fetched(entities: Entities) -> int:
    """How often others had their turn meanwhile."""
    turns, fetching = 0, asyncio.ensure_future(entities.fetched([QUEUE_ID]))
    while not fetching.done():
        slot = entities.slots.get(QUEUE_ID)
        assert slot is None or slot.state.seq == EVENTS, "nobody sees a half of it"
        turns += 1
        await asyncio.sleep(0)
    return turns


async def test_an_image_is_read_in_many_turns(entries: list[Entry]) -> None:
    whole = queue_after(entries)
    entities = Entities(kinds(), Stored(**{QUEUE_ID: b"".join(whole.image())}))
    entities.begun = True
    assert await turns_until_fetched(entities) > 50
    assert entities.slots[QUEUE_ID].state == whole.state


async def test_a_long_tail_is_played_in_many_turns_also_where_there_was_no_checkpoint(entries: list[Entry]) -> None:
    entities = Entities(kinds(), Stored())
    for entry in entries:
        entities.add_to_tail(entry.record, encode_entry(entry))
    assert entities.at_hand(QUEUE_ID) is None
    assert await turns_until_fetched(entities) > EVENTS / 2
    assert entities.slots[QUEUE_ID].state == queue_after(entries).state
