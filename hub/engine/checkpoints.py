"""Keeps a partition's log short: images of what has changed, then a checkpoint, then the log is trimmed.

It runs beside the owner, a few images at a time, so that nobody feels it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from hub.bus.log import PartitionLog
from hub.bus.snapshots import Snapshots
from hub.domain import images
from hub.domain.images import TURN_BYTES, Checkpoint, begins
from hub.engine.owner import Owner
from hub.engine.slots import Slot
from hub.errors import BusError, Fenced, LogError

EVENTS = 50_000
INTERVAL_S = 600.0
"""A checkpoint is due after so many events, or so much time."""
LOOK_S = 1.0
CHUNK, CHUNK_BYTES = 8, 64 * 1024
PAUSE_S = 0.02
"""Between two writes of images: they share the disk with the log, which waits for each of them."""

logger = structlog.get_logger("checkpoints")


class Checkpoints:
    """One partition's. `followed` tells up to which sequence of its log everybody else has read it durably."""

    def __init__(
        self, owner: Owner, log: PartitionLog, snapshots: Snapshots, followed: Callable[[int], Awaitable[int]]
    ) -> None:
        self._owner, self._log, self._snapshots, self._followed = owner, log, snapshots, followed
        self._checkpoint = self._before = owner.checkpoint
        self._trimmed = 0
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Make checkpoints from now on."""
        self._running = asyncio.create_task(self._run(), name=f"checkpoints-{self._owner.partition}")

    async def close(self) -> None:
        """Make no more; one that is half made is given up."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        last = clock()
        while not self._owner.closed:
            await asyncio.sleep(LOOK_S)
            try:
                if self._owner.uncovered >= EVENTS or clock() - last >= INTERVAL_S:
                    last = clock()
                    await self.make()
                    self._owner.entities.drop_idle()
                await self.trim()
            except Fenced:  # the owner finds out by itself
                return
            except (LogError, BusError) as error:  # the log only grows meanwhile
                logger.error("no checkpoint", partition=self._owner.partition, because=str(error))

    async def make(self) -> None:
        """Store images of all that has changed, then a checkpoint; nothing when nothing has changed.

        Raises Fenced when another owner has taken the partition.
        """
        owner = self._owner
        spoilt = owner.entities.spoilt()
        if spoilt:
            logger.error("no checkpoint: a state is not what the log says", partition=owner.partition, entity=spoilt)
            return
        seq, events, dirty = owner.committed, owner.uncovered, owner.entities.dirty()
        if seq == self._checkpoint.seq:
            return
        while dirty and not owner.closed:
            dirty = dirty[await self._store(dirty[:CHUNK]) :]
            await asyncio.sleep(PAUSE_S)
        if owner.closed or owner.entities.spoilt():
            return  # since it began: the next one will say so
        checkpoint = Checkpoint(images.SCHEMA, seq, owner.relayed, owner.due(), owner.awake())
        await self._snapshots.write_checkpoint(images.encode(checkpoint))
        owner.covered(events)
        self._checkpoint, self._before = checkpoint, self._checkpoint
        logger.info("checkpoint", partition=owner.partition, seq=seq, events=events)

    async def _store(self, entities: list[str]) -> int:
        """Store images of these entities, as many of them as one write takes, and return how many."""
        await self._owner.entities.fetched(entities)
        made: dict[str, bytes] = {}
        slots: list[tuple[Slot, int]] = []
        count = size = 0
        for entity in entities:
            slot = self._owner.entities.slots.get(entity)
            if slot is None or size > CHUNK_BYTES:  # None: the owner has ended meanwhile
                break
            count += 1
            if not slot.spoilt:
                slots.append((slot, slot.state.seq))
                made[entity] = await _made(slot)
                size += len(made[entity])
            await asyncio.sleep(0)  # an image takes a tenth of a millisecond
        await self._owner.settled()  # the states may have run ahead of the log
        await self._snapshots.write(made)
        for slot, seq in slots:
            slot.saved = seq
        return count

    async def trim(self) -> None:
        """Cut off what nobody needs: the last checkpoint but one does not begin there, and the history has it.

        One checkpoint more than needed is kept, so that an owner who is just taking over can read on.
        """
        upto = begins(self._before)
        if upto > self._trimmed:
            upto = min(upto, await self._followed(self._owner.partition))
        if upto > self._trimmed:
            await self._log.trim(upto)
            self._trimmed = upto


async def _made(slot: Slot) -> bytes:
    """The image of the entity as it is now: others have their turn while it is made, and it may go on itself."""
    image = bytearray()
    pause = TURN_BYTES
    for part in slot.image():
        image += part
        if len(image) > pause:
            pause = len(image) + TURN_BYTES
            await asyncio.sleep(0)
    return bytes(image)
