"""How a command that stays lives in its process: it works until a signal asks it to end, then ends in order."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any


async def live(work: Coroutine[Any, Any, None], end: Callable[[], Awaitable[None]], hurry: Callable[[], None]) -> None:
    """Do `work` until Ctrl-C, SIGTERM or SIGHUP, and in any case `end` it; a second signal calls `hurry`.

    Raises what `work` raises.
    """
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            hurry()
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ask)
    working, waiting = asyncio.create_task(work), asyncio.create_task(asked.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
        say("stopping: what is under way is finished first")
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
        await end()


def say(line: str) -> None:
    """A line for whoever started the command; on a full disk it is not said."""
    with contextlib.suppress(OSError):
        print(line, flush=True)
