"""What all processes of a hub must agree on: the number of partitions, the log's epoch, and what is skipped in it."""

import asyncio
import time

import msgspec
from nats.js.errors import NotFoundError

from hub.bus.bucket import SHOWS_WITHIN_S, Bucket
from hub.bus.connection import Connection, insist
from hub.bus.log import CURE
from hub.errors import LogWentBack

BUCKET, KEY = "HUB", "founding"
STREAM = f"KV_{BUCKET}"
"""Where it stands, for the watermark: a hub that lost it would found itself anew."""


class Founding(msgspec.Struct, frozen=True, omit_defaults=True):
    """`partitions` stands in every entity id. `epoch`: clients that know another one reload; it only rises.

    `skipped`: by partition the sequences of records that a person has put aside (hub.bus.skip); all readers leave
    them out.
    """

    partitions: int
    epoch: int
    skipped: dict[int, tuple[int, ...]] = {}

    def goes_on(self, before: int, after: int) -> bool:
        """Whether a log whose batches were of epoch `before` may go on in epoch `after`: that of a hub founded anew
        in its place may not."""
        begun = self.epoch - sum(map(len, self.skipped.values()))
        return before == after or begun <= before < after <= self.epoch


async def found(connection: Connection, partitions: int) -> Founding:
    """What the first start has fixed; this is the first one, with `partitions`, when nothing is.

    The epoch is the moment of founding (Unix seconds): a hub begun anew in an emptied folder has another one.
    """
    mine = Founding(partitions, int(time.time()))
    first = await Bucket(connection, BUCKET).swap(KEY, msgspec.json.encode(mine), 0)
    gives_up_at = time.monotonic() + (0 if first else SHOWS_WITHIN_S)
    while True:
        try:
            return await read(connection)
        except LogWentBack:
            if time.monotonic() > gives_up_at:
                raise
            await asyncio.sleep(0.05)


async def read(connection: Connection) -> Founding:
    """What is fixed, as of now. Raises LogWentBack when it is not there any more."""
    js = connection.jetstream()
    try:
        stored = await insist(connection, lambda: js.get_last_msg(STREAM, f"$KV.{BUCKET}.{KEY}"))
    except NotFoundError:
        raise LogWentBack(
            f"{STREAM} has lost what the first start had fixed, the number of partitions and the epoch. {CURE}"
        ) from None
    return msgspec.json.decode(stored.data or b"", type=Founding)


async def note_skipped(connection: Connection, partition: int, seq: int) -> Founding:
    """Have all readers leave out the record at `seq`, and raise the epoch in the same step; what is fixed from now on.

    A client may have seen what the record held, so it must not believe that its copy goes on without a hole.
    """
    bucket = Bucket(connection, BUCKET)
    while True:
        entry = await bucket.get(KEY)
        known = msgspec.json.decode(entry.value, type=Founding)
        of_partition = known.skipped.get(partition, ())
        if seq in of_partition:
            return known
        skipped = known.skipped | {partition: tuple(sorted((*of_partition, seq)))}
        raised = Founding(known.partitions, known.epoch + 1, skipped)
        if await bucket.swap(KEY, msgspec.json.encode(raised), entry.revision):
            return raised
