"""The entities of one partition: those in memory, and the way to all others.

One that is not in memory is made from its image and the log's tail when somebody needs it first; many that are
needed in the same moment are fetched together.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import structlog

from hub.domain.batch import decode_entry
from hub.domain.events import Record
from hub.domain.ids import kind_of
from hub.engine.kinds import Kind
from hub.engine.slots import Slot
from hub.errors import BusError, SnapshotDamaged

AT_ONCE = 64
"""So many entities are fetched in one go, and so many events played of one that nobody has fetched."""
TURN_S = 0.0005
"""So long one turn of the loop takes in which fetched entities are made."""

logger = structlog.get_logger("entities")


class Images(Protocol):
    """Where images are kept (hub.bus.snapshots)."""

    async def load(self, entities: list[str]) -> dict[str, bytes | SnapshotDamaged]:
        """The images of those entities that have one."""


class Entities:
    """Finds and makes slots.

    `begun`: a checkpoint exists, so an entity that is not here may have an image. `mended`: the log lacks events that
    a person has put aside.
    """

    def __init__(self, kinds: dict[str, Kind], images: Images) -> None:
        self.slots: dict[str, Slot] = {}
        self.begun = self.mended = False
        self.awake: set[str] = set()
        """Those of which something is on its way to the outside, or waits to be; all of them are in memory."""
        self.timed: set[str] = set()
        """Those in the tail that may be due sooner than the checkpoint says."""
        self._kinds, self._images = kinds, images
        self._tail: dict[str, list[bytes]] = {}
        self._wanted: dict[str, list[Callable[[], None]]] = {}
        self._fetching: asyncio.Task[None] | None = None

    def add_to_tail(self, record: Record, entry: bytes) -> None:
        """The log holds this event of an entity, after the checkpoint."""
        self._tail.setdefault(record.entity, []).append(entry)
        kind = self._kinds[kind_of(record.entity)]
        if kind.next_due is not None and kind.sets_clock(record.event):
            self.timed.add(record.entity)

    @property
    def in_tail(self) -> Iterable[str]:
        """Entities with events after the checkpoint that are not in memory yet."""
        return self._tail

    def at_hand(self, entity: str) -> Slot | None:
        """The slot if it is in memory, or can be made without asking anybody; else None, and it must be fetched."""
        slot = self.slots.get(entity)
        if slot is None and not self.begun and len(self._tail.get(entity, ())) <= AT_ONCE:
            for _ in self._make(entity, None):
                pass
            slot = self.slots[entity]
        return slot

    def fetch(self, entity: str, then: Callable[[], None]) -> None:
        """Call `then` when the entity is in memory; those who wait for the same one are called in their order."""
        self._wanted.setdefault(entity, []).append(then)
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(), name="fetch entities")

    async def fetched(self, entities: Iterable[str]) -> None:
        """Return when all of these are in memory."""
        waits = []
        for entity in entities:
            if self.at_hand(entity) is None:
                ready = asyncio.get_running_loop().create_future()
                self.fetch(entity, lambda ready=ready: ready.done() or ready.set_result(None))  # type: ignore[misc]
                waits.append(ready)
        await asyncio.gather(*waits)

    def dirty(self) -> list[str]:
        """All that has events which are in no stored image."""
        return [slot.entity for slot in self.slots.values() if slot.saved < slot.state.seq] + list(self._tail)

    def spoilt(self) -> str:
        """An entity of which no image may be made, or an empty text."""
        return next((slot.entity for slot in self.slots.values() if slot.spoilt), "")

    def note_awake(self, slot: Slot) -> None:
        """Its state is another one."""
        if slot.kind.awake is not None and slot.kind.awake(slot.state):
            self.awake.add(slot.entity)
        else:
            self.awake.discard(slot.entity)

    def drop_unused(self, slot: Slot) -> None:
        """Forget an entity in which nothing has happened and that nobody watches: any id may be asked for."""
        if slot.state.seq == 0 and not slot.watchers and not slot.stopped:
            self.slots.pop(slot.entity, None)

    def drop_idle(self) -> None:
        """Forget what nobody watches and in which nothing has happened since this was called last; images are kept."""
        for slot in list(self.slots.values()):
            seq = slot.state.seq
            idle = slot.were == seq == slot.saved and not slot.watchers and not slot.stopped
            if idle and slot.entity not in self.awake:
                del self.slots[slot.entity]
            slot.were = seq

    def close(self) -> None:
        """Forget everything, and let those who still wait find that out."""
        if self._fetching is not None:
            self._fetching.cancel()
        waiting, self._wanted = self._wanted, {}
        self.slots.clear()
        self.awake.clear()
        self._tail.clear()
        for calls in waiting.values():
            for call in calls:
                call()

    async def _fetch(self) -> None:
        while self._wanted:
            entities = list(self._wanted)[:AT_ONCE]
            try:
                images = await self._images.load(entities)
            except (BusError, SnapshotDamaged) as error:
                images = {entity: SnapshotDamaged(str(error)) for entity in entities}
            until_s = time.perf_counter() + TURN_S
            for entity in entities:
                for _ in self._make(entity, images.get(entity)):
                    if time.perf_counter() >= until_s:
                        await asyncio.sleep(0)
                        until_s = time.perf_counter() + TURN_S
                for call in self._wanted.pop(entity):
                    try:
                        call()
                    except Exception:  # one caller's fault is not the others'
                        logger.exception("after fetch", entity=entity)
            await asyncio.sleep(0)
        self._fetching = None

    def _make(self, entity: str, image: bytes | SnapshotDamaged | None) -> Iterator[None]:
        """Make the slot, step by step; nobody sees it before it is whole."""
        slot = Slot(entity, self._kinds[kind_of(entity)])
        try:
            if isinstance(image, SnapshotDamaged):
                raise image
            if image is not None:
                yield from slot.restore(image)
            for encoded in self._tail.get(entity, ()):
                slot.replay(decode_entry(encoded), encoded, self.mended)
                yield
        except (SnapshotDamaged, ValueError) as error:
            slot.stopped, slot.spoilt = f"its state cannot be made: {error}", True
            logger.critical("entity stopped", entity=entity, because=slot.stopped)
        else:
            self._tail.pop(entity, None)
        self.slots[entity] = slot
        self.note_awake(slot)
