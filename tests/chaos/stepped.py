"""The hub as it is, but for one thing: a file can step the workers' clock of the day, by Debian's libfaketime.

`python -m tests.chaos.stepped up` is `hub up`. Only the workers have the library: under it time.sleep() fails where the
monotonic clock is left alone, and a supervisor that waits for a process sleeps so.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
FILE = "CHAOS_CLOCK"
"""The variable that names the file. What stands in it is added to the time: +0, -3600s."""
MODULE = "tests.chaos.stepped"


def environ(file: Path) -> dict[str, str]:
    """The variables that have the file step the clock of a process, and leave its monotonic one alone."""
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


async def off_s(file: Path) -> float:
    """How far off the time of day is in a process that this file steps."""
    probe = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; print(time.time())",
        env=os.environ | environ(file), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await probe.communicate()
    return float(said) - time.time()


def main() -> None:
    """The command line; or a worker, which begins once more with the library."""
    if sys.argv[1:2] == ["up"]:
        from tests.chaos.sabotage import up

        up(MODULE)
    elif "LD_PRELOAD" not in os.environ:
        file = Path(os.environ[FILE])
        os.execve(sys.executable, [sys.executable, "-m", MODULE, *sys.argv[1:]], os.environ | environ(file))
    else:
        from hub import worker

        worker.main()


if __name__ == "__main__":
    main()
