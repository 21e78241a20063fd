"""How far the history has read each partition's log durably: so far, and no further, the log may be trimmed."""

from collections.abc import Mapping

from hub.bus.bucket import Bucket
from hub.bus.connection import Connection

BUCKET = "POSITIONS"


class Positions:
    """Log sequences by partition, shared by all processes. Written behind the follower's own, which is in its rows."""

    def __init__(self, connection: Connection) -> None:
        self._bucket = Bucket(connection, BUCKET)
        self._told: dict[int, int] = {}

    async def of(self, partition: int) -> int:
        """Up to which sequence all batches of the partition are in the history; 0: nothing is known."""
        return int((await self._bucket.get(_key(partition))).value or b"0")

    async def tell(self, positions: Mapping[int, int]) -> None:
        """All batches up to these sequences are in the history, on disk. Each that is new costs an fsync."""
        for partition, seq in positions.items():
            if seq != self._told.get(partition):
                await self._bucket.put(_key(partition), str(seq).encode())
                self._told[partition] = seq


def _key(partition: int) -> str:
    return f"history.{partition}"
