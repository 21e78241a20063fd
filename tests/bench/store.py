"""A partition as a hub leaves it: images of conversations, a checkpoint, and a tail of events after it."""

import asyncio
import itertools
import time
from collections.abc import Sequence

from hub.bus.connection import Connection
from hub.bus.log import PartitionLog
from hub.bus.snapshots import Snapshots
from hub.clock import Clock
from hub.domain import images
from hub.domain.commands import Assign, PostMessage
from hub.domain.events import Record
from hub.domain.ids import new_conversation_id
from hub.domain.images import Checkpoint
from hub.domain.messages import Profile
from hub.engine.calls import Outcome
from hub.engine.kinds import kinds
from hub.engine.owner import Owner
from tests.bench.client import TEXTS

PARTITION = 0
MESSAGES = 10
"""Of each conversation."""
CHUNK = 64
TAB = "bench"
VISITOR = Profile(channel="h5", name="张三")
_names = itertools.count(1)


class Store:
    """The conversations that are kept there. `epoch`: that of the hub's founding."""

    def __init__(self, connection: Connection, epoch: int) -> None:
        self.conversations: list[str] = []
        self._connection, self._epoch = connection, epoch
        self._n: dict[str, int] = {}

    def owner(self) -> Owner:
        """A new owner that has not taken the partition yet."""

        def committed(seq: int, records: Sequence[Record]) -> None:
            owner.relayed = seq  # nothing here calls for anything elsewhere

        def lost(partition: int, why: str) -> None:
            raise RuntimeError(why)

        log, snapshots = PartitionLog(self._connection, PARTITION), Snapshots(self._connection, PARTITION)
        owner = Owner(
            PARTITION, log, snapshots, kinds(),
            name=f"bench-{time.time_ns()}-{next(_names)}", epoch=self._epoch,
            clock=Clock(), on_commit=committed, on_lost=lost,
        )  # fmt: skip
        return owner

    async def fill(self, count: int) -> None:
        """Keep images of so many conversations, all served by an agent, and a checkpoint that covers them."""
        owner = self.owner()
        await PartitionLog(self._connection, PARTITION).open()
        await owner.take()
        first = new_conversation_id(PARTITION, bytes(16))
        await self.say(owner, [first] * MESSAGES)
        await _done(owner, first, Assign("a0-li", "李", no=1, team="", phone=False))
        image = b"".join(owner.entities.slots[first].image())
        self._n[first] = 0
        snapshots = Snapshots(self._connection, PARTITION)
        await snapshots.open()
        await snapshots.claim("bench-fill")
        self.conversations = [new_conversation_id(PARTITION, n.to_bytes(16, "big")) for n in range(count)]
        for start in range(0, count, CHUNK):
            chunk = self.conversations[start : start + CHUNK]
            await snapshots.write({name: image.replace(first.encode(), name.encode()) for name in chunk})
        checkpoint = Checkpoint(images.SCHEMA, owner.committed, owner.committed, {}, [])
        await snapshots.write_checkpoint(images.encode(checkpoint))
        self._n.update(dict.fromkeys(self.conversations, MESSAGES))
        owner.close("filled")

    async def add_tail(self, events: int) -> None:
        """So many messages more after the checkpoint, to the conversations in turn, each a batch of its own.

        So a hub writes them that has no rush; fewer and larger batches are read faster.
        """
        owner = self.owner()
        await owner.take()
        await self.say(owner, [self.conversations[n % len(self.conversations)] for n in range(events)])
        owner.close("written")

    async def say(self, owner: Owner, conversations: Sequence[str]) -> None:
        """Have a message posted in each of these, one after the other, and acknowledged."""
        for conversation in conversations:
            n = self._n[conversation] = self._n.get(conversation, 0) + 1
            await _done(owner, conversation, PostMessage(TAB, n, TEXTS[n % len(TEXTS)], VISITOR))


async def _done(owner: Owner, entity: str, command: PostMessage | Assign) -> None:
    told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    owner.submit(entity, command, told.set_result)
    outcome = await told
    if outcome.denied is not None:
        raise RuntimeError(f"{entity}: {outcome.denied}")
