"""A supervisor that can be killed: keeps the module named by its argument and prints the child's pid."""

import asyncio
import sys

from hub.process import Config
from hub.settings import Settings
from hub.supervisor import Kept


async def run(module: str) -> None:
    """Never ends by itself."""
    kept = Kept("child", module, Config(0, 1, "nats://127.0.0.1:1", Settings(), "n").encode())
    kept.start()
    await kept.ready.wait()
    print(kept.pid, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
