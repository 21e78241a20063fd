"""Connectors that fetch what came: one worker at a time for each, its cursor moved only after the commits.

A lease says whose turn it is; the cursor is the fence: a worker that has lost its turn cannot move it any more, and
what it still brings is known by its outside id.
"""

import asyncio
import random
import time
from collections.abc import Mapping

import structlog

from hub.bus.bucket import Bucket
from hub.bus.connection import Connection
from hub.bus.leases import Leases
from hub.contract import Connector, Item, Parsed, Pulled, Raw
from hub.engine.ingest import PULL, Ingest, read
from hub.errors import BusError, SpoolFull

BUCKET = "CURSORS"
PULL_S = 90.0
"""A pull that has not answered by then is broken off."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
PATIENT_S = 60.0
"""So long what was pulled waits for the log and not for the disk: nobody waits for an answer, and whoever pulls next
would overtake what lies on the disk of a worker that has died. An entity that has stopped holds up no pull for ever."""
MOST_AT_ONCE = 1_000
"""So many items of one pull are made commands at a time."""

logger = structlog.get_logger("pulls")


class Pulls:
    """The pulling connectors of one worker."""

    def __init__(
        self, connection: Connection, connectors: Mapping[str, Connector], leases: Leases, ingest: Ingest
    ) -> None:
        self.troubles: dict[str, str] = {}
        """Why a channel's pull fails at this moment."""
        self._cursors = Bucket(connection, BUCKET)
        self._connectors, self._leases, self._ingest = connectors, leases, ingest
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Take turns with the other workers from now on."""
        self._tasks = [
            asyncio.create_task(self._take_turns(name, connector), name=f"pull-{name}")
            for name, connector in self._connectors.items()
            if connector.pulls
        ]

    async def close(self) -> None:
        """Stop; what was not committed comes again to whoever is next."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take_turns(self, channel: str, connector: Connector) -> None:
        key = f"pull.{channel}"
        while True:
            await self._leases.obtain(key)
            logger.info("pulls here", channel=channel)
            pulling = asyncio.create_task(self._pull_on(channel, connector), name=f"pull-{channel}")
            lost = asyncio.create_task(self._leases.lost(key))
            try:
                await asyncio.wait({pulling, lost}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (pulling, lost):
                    task.cancel()
                for failure in await asyncio.gather(pulling, lost, return_exceptions=True):
                    if isinstance(failure, Exception):
                        logger.error("pull broken off", channel=channel, because=f"{type(failure).__name__}: {failure}")
                self.troubles.pop(channel, None)
                await self._leases.release(key)

    async def _pull_on(self, channel: str, connector: Connector) -> None:
        """Pull until the turn, or the cursor, is somebody else's."""
        pause_s = FIRST_PAUSE_S
        stored = await self._cursors.get(channel)
        cursor, revision = stored.value.decode(), stored.revision
        while True:
            try:
                async with asyncio.timeout(PULL_S):
                    pulled = await connector.pull(cursor)
                await self._commit(channel, connector, pulled)
            except (SpoolFull, BusError, TimeoutError, Exception) as error:
                self.troubles[channel] = f"{type(error).__name__}: {error}"
                logger.warning("pull failed", channel=channel, because=self.troubles[channel], again_in_s=pause_s)
                await asyncio.sleep(pause_s * random.uniform(0.75, 1.25))
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            self.troubles.pop(channel, None)
            pause_s = FIRST_PAUSE_S
            if pulled.cursor != cursor:
                cursor = pulled.cursor
                revision = await self._cursors.swap(channel, cursor.encode(), revision)
                if not revision:
                    logger.warning("another worker has moved the cursor", channel=channel)
                    return

    async def _commit(self, channel: str, connector: Connector, pulled: Pulled) -> None:
        if not isinstance(pulled, Pulled) or not isinstance(pulled.cursor, str):
            raise TypeError(f"pull answered {type(pulled).__name__} instead of Pulled, or its cursor is no text")
        for start in range(0, len(pulled.items), MOST_AT_ONCE):
            commands = []
            for item in pulled.items[start : start + MOST_AT_ONCE]:
                if not isinstance(item, Item) or not isinstance(item.body, bytes):
                    raise TypeError(f"pull brought {type(item).__name__} instead of Item, or its body is no bytes")
                raw = Raw(PULL, {}, item.headers, item.body, int(time.time() * 1000))
                commands += await self._ingest.prepare(channel, await self._read(channel, connector, raw), raw)
            await self._ingest.commit(channel, commands, PATIENT_S)

    async def _read(self, channel: str, connector: Connector, raw: Raw) -> Parsed:
        """What nobody can read must not hold up what came behind it."""
        try:
            return await read(connector, raw)
        except Exception as error:
            logger.exception("item not understood", channel=channel)
            self._ingest.stumble(channel)
            return Parsed(unparsed=f"{type(error).__name__}: {error}")
