"""A child process for the supervisor's tests: it behaves as the file named by CHILD_ORDERS says."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from hub.process import STANDBY, Supervised

ORDERS = Path(os.environ["CHILD_ORDERS"])


async def run(supervised: Supervised) -> None:
    """Beat until told to stop; note starts and stops beside the orders."""
    told = ORDERS.read_text() if ORDERS.exists() else ""
    async with supervised:
        if supervised.index == STANDBY:
            note(f"standing by {os.getpid()}")
        if not await supervised.called():
            note("stopped standing by")
            return
        note(f"started {supervised.index} {os.getpid()}")
        if "fall" in told:
            sys.exit(7)
        supervised.ready()
        if "block" in told:
            ORDERS.unlink()
            time.sleep(60)  # noqa: ASYNC251  # that is the fault to be found
        await supervised.stop.wait()
        if "linger" in told:
            await asyncio.sleep(60)
        note(f"stopped {supervised.index}")
        if "raise" in told:  # as uvicorn does after its own drain
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)


def note(line: str) -> None:
    with ORDERS.with_name("notes").open("a") as notes:
        notes.write(line + "\n")


if __name__ == "__main__":
    if ORDERS.exists() and "hang" in ORDERS.read_text():
        ORDERS.unlink()
        time.sleep(60)
    asyncio.run(run(Supervised.attach()))
