"""Where the kit can stop a worker in the middle of its work, to kill it just there."""

import asyncio
import threading
from typing import Literal

Step = Literal["before the commit", "after the commit", "before the call", "before the verdict"]


class Steps:
    """Whoever comes to the step that is `armed` stays there for ever, and `reached` says so to another thread."""

    def __init__(self) -> None:
        self.armed: Step | None = None
        self.reached = threading.Event()

    def arm(self, step: Step) -> None:
        """Whoever comes there next stays."""
        self.reached.clear()
        self.armed = step

    async def at(self, step: Step) -> None:
        """A worker has come there."""
        if step == self.armed:
            self.armed = None
            self.reached.set()
            await asyncio.Event().wait()
