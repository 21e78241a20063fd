"""What is fixed at a hub's first start and never again: the number of partitions, and the log's epoch."""

import time

import msgspec

from hub.bus.bucket import Bucket
from hub.bus.connection import Connection

STREAM = "KV_HUB"
"""Where it stands, for the watermark: a hub that lost it would found itself anew."""


class Founding(msgspec.Struct, frozen=True):
    """`partitions` stands in every entity id. `epoch`: clients that know another one reload."""

    partitions: int
    epoch: int


async def found(connection: Connection, partitions: int) -> Founding:
    """What the first start has fixed; this is the first one, with `partitions`, when nothing is.

    The epoch is the moment of founding (Unix seconds): a hub begun anew in an emptied folder has another one.
    """
    bucket = Bucket(connection, "HUB")
    mine = Founding(partitions, int(time.time()))
    await bucket.swap("founding", msgspec.json.encode(mine), 0)
    return msgspec.json.decode((await bucket.get("founding")).value, type=Founding)
