"""A hub that acknowledges before its log does: what a worker has promised and not yet written dies with it."""

import asyncio
from weakref import WeakKeyDictionary

from hub import worker
from hub.bus.log import PartitionLog
from tests.chaos.sabotage import FOLLOWER, run

LATE_S = 0.3

_write = PartitionLog.append
_last: WeakKeyDictionary[PartitionLog, asyncio.Task[int]] = WeakKeyDictionary()


async def promise(self: PartitionLog, data: bytes, batch: str, expected: int) -> int:
    """Say that the batch is stored, and store it later. What an owner writes first is stored at once, as it must be."""
    if self not in _last:
        _last[self] = asyncio.create_task(_write(self, data, batch, expected))
        return await _last[self]
    _last[self] = asyncio.create_task(_write_after(_last[self], self, data, batch, expected))
    return expected + 1


async def _write_after(before: asyncio.Task[int], log: PartitionLog, data: bytes, batch: str, expected: int) -> int:
    await asyncio.sleep(LATE_S)
    await before
    return await _write(log, data, batch, expected)


def harm() -> None:
    """Break this process."""
    PartitionLog.append = promise  # type: ignore[method-assign]


if __name__ == "__main__":
    run("tests.chaos.sabotage.early_ack", FOLLOWER, harm, worker.main)
