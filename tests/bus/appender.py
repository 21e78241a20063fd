"""A process that appends to LOG-3 as fast as it can, and says how it was refused."""

import asyncio
import sys

from hub.bus.connection import connect
from hub.bus.log import PartitionLog
from hub.errors import Fenced


async def run(url: str) -> None:
    """Say that it has begun, and then how it ended."""
    connection = await connect(url, "appender")
    log = PartitionLog(connection, 3)
    at = await log.open()
    try:
        while True:
            at = await log.append(b"of the appender", f"appender:{at}", at)
            if at == 1:
                print("has begun", flush=True)
    except Fenced as error:
        print("refused", error, flush=True)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
