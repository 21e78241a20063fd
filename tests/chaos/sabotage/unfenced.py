"""A hub whose batches go out without the fencing header, so that an owner that was replaced can still write.

The expected sequence travels under a name that means nothing to the server. A batch takes its time on the way, as on
any slow network, so that a worker which is stopped has one under way more often than not.
"""

import asyncio

from hub import worker
from hub.bus import log
from tests.chaos.sabotage import run

ON_ITS_WAY_S = 0.1

_try = log.PartitionLog._try


async def dawdle(self: log.PartitionLog, data: bytes, headers: dict[str, str]) -> object:
    """Send it a moment later."""
    await asyncio.sleep(ON_ITS_WAY_S)
    return await _try(self, data, headers)


def harm() -> None:
    """Break this process."""
    log.EXPECTED = "Kefu-Expected"  # type: ignore[assignment]
    log.PartitionLog._try = dawdle  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    run("tests.chaos.sabotage.unfenced", "tests.chaos.sabotage.unfenced_follower", harm, worker.main)
