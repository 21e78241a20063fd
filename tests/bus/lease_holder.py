"""A process that holds the lease `k` and writes to LOG-3 while it does, line by line what happens to it."""

import asyncio
import sys
import time

from hub.bus.connection import connect
from hub.bus.leases import Leases
from hub.bus.log import PartitionLog
from hub.errors import Fenced


async def run(url: str, ttl_s: int) -> None:
    """Say `holds` with the term, `wrote` with each sequence, and in the end how it lost both."""
    connection = await connect(url, "holder")
    leases = Leases(connection, "worker.child")
    leases.ttl_s = ttl_s
    await leases.start()
    log = PartitionLog(connection, 3)
    at = await log.open()
    say("holds", await leases.obtain("k"))
    try:
        while True:
            at = await log.append(b"of the child", f"child:{at}", at)
            say("wrote", at)
            await asyncio.sleep(0.01)
    except Fenced:
        say("fenced", int("k" in leases.held and time.monotonic() < leases.valid_until))
    await leases.lost("k")
    say("lost", len(leases.held))
    say("holds", await leases.obtain("k"))


def say(what: str, number: int) -> None:
    print(what, number, flush=True)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
