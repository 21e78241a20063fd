"""What a new owner has to learn: the checkpoint, and what the log holds after it."""

import asyncio
from typing import NamedTuple

from hub.bus.log import PartitionLog
from hub.bus.snapshots import Snapshots
from hub.domain import images
from hub.domain.batch import Batch, decode_batch, encode_entry
from hub.domain.events import Record
from hub.domain.images import Checkpoint
from hub.engine.entities import Entities
from hub.errors import ChainBroken, SnapshotDamaged, UnreadableBatch

NOTHING = Checkpoint(images.SCHEMA, 0, 0, {}, [])


class Unrelayed(NamedTuple):
    """A batch whose commands for other entities may not all have been carried out; `epoch` is that of its writer."""

    seq: int
    epoch: int
    records: list[Record]


class Recovery:
    """Reads a partition up to its end. `run` may be repeated: it goes on where the last one ended."""

    def __init__(self, partition: int, log: PartitionLog, snapshots: Snapshots, entities: Entities) -> None:
        self.checkpoint = NOTHING
        self.tip = 0
        """The last sequence that was read."""
        self.relayed = 0
        self.unrelayed: list[Unrelayed] = []
        self.told_ms = 0
        """The latest time of day that an event bears."""
        self.events = 0
        """So many lie between the checkpoint and the log's end."""
        self._partition, self._log, self._snapshots, self._entities = partition, log, snapshots, entities

    async def run(self) -> None:
        """Read on to the end of the log. Raises LogError when it, or the checkpoint, cannot be trusted."""
        if self.tip == 0:
            await self._begin()
        while True:
            try:
                return await self._read()
            except ChainBroken:
                # The owner before may have trimmed the log just now; then there is a newer checkpoint.
                before = self.checkpoint.seq
                await self._begin()
                if self.checkpoint.seq == before:
                    raise

    async def _begin(self) -> None:
        stored = await self._snapshots.open()
        if stored is not None:
            try:
                self.checkpoint = images.decode_checkpoint(stored)
            except ValueError as error:
                raise SnapshotDamaged(f"partition {self._partition}: its checkpoint cannot be read: {error}") from error
        self._entities.begun, self._entities.mended = stored is not None, self._log.mended
        self.relayed = self.checkpoint.relayed
        self.tip = images.begins(self.checkpoint)

    async def _read(self) -> None:
        last = await self._log.open()
        async for stored in self._log.read(self.tip):
            try:
                batch = decode_batch(stored.data)
            except ValueError as error:
                raise UnreadableBatch(self._partition, stored.seq, str(error)) from error
            self._take(stored.seq, batch)
            await asyncio.sleep(0)  # a long log must not silence the beats
        self.tip = max(self.tip, last)  # what a person has put aside is not read

    def _take(self, seq: int, batch: Batch) -> None:
        self.told_ms = max(self.told_ms, *(entry.record.at_ms for entry in batch.entries), 0)
        if seq > self.checkpoint.seq:
            for entry in batch.entries:
                self._entities.add_to_tail(entry.record, encode_entry(entry))
            self.events += len(batch.entries)
        self.relayed = max(self.relayed, batch.relayed)
        self.unrelayed.append(Unrelayed(seq, batch.epoch, [entry.record for entry in batch.entries]))
        if self.unrelayed[0].seq <= self.relayed:
            self.unrelayed = [kept for kept in self.unrelayed if kept.seq > self.relayed]
        self.tip = seq
