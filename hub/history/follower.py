"""The process that writes the history: follows every partition's log and keeps its position beside its rows.

Started by the supervisor (`python -m hub.history.follower <fd>`). Of all nodes' followers the one that holds the lease
writes, the others wait for it. All partitions' batches go through one queue into one transaction at a time; a partition
whose log cannot be trusted stops alone, with an alarm in its position.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
import uvloop
from sqlalchemy import URL

from hub import logs
from hub.bus import founding
from hub.bus.connection import Connection, connect
from hub.bus.founding import Founding
from hub.bus.leases import FOLLOWERS, Leases
from hub.bus.log import PartitionLog
from hub.bus.positions import Positions
from hub.errors import LogError
from hub.history import database, schema
from hub.history.projector import Position, Rows, project
from hub.history.writer import Overtaken, Writer
from hub.process import Supervised

LEASE = "history"
QUEUED_BATCHES = 256
"""So many may wait for the writer before the logs are read no further."""
ROWS = 16_000
"""So many events at most go into a transaction (and what one batch has above it): the more, the less each one costs."""
PAUSE_S = 0.25
"""Between two transactions while little is to be written: each costs an fsync, on the disk that the log needs too."""
RETRY_S = 0.5
TELL_S = 10.0
"""So often the owners hear how far the history is, for they may trim their logs up to there."""
COMPLAIN_S = 60.0

T = TypeVar("T")

logger = structlog.get_logger("history")


class Follower:
    """Follows the logs of the partitions that `founded` names and writes the history."""

    def __init__(self, connection: Connection, writer: Writer, founded: Founding, log_bytes: int) -> None:
        self._connection, self._writer = connection, writer
        self._founded, self._log_bytes = founded, log_bytes
        self._queue: asyncio.Queue[Rows] = asyncio.Queue(QUEUED_BATCHES)
        self._written: dict[int, int] = {}

    async def run(self) -> None:
        """Follow and write until cancelled. Raises BusError when the connection is closed for good."""
        while True:
            positions = await patiently(self._writer.load)
            self._queue = asyncio.Queue(QUEUED_BATCHES)
            self._written = {partition: position.seq for partition, position in positions.items()}
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._write())
                    tasks.create_task(self._tell())
                    for partition in range(self._founded.partitions):
                        tasks.create_task(self._follow(partition, positions[partition]))
            except* Overtaken:
                logger.info("the history has been written further by another process, or before a lost connection")

    async def _follow(self, partition: int, known: Position) -> None:
        seq, epoch = known.seq, known.epoch
        skipped = self._founded.skipped.get(partition, ())
        log = PartitionLog(self._connection, partition, max_bytes=self._log_bytes, skipped=skipped)
        try:
            await log.open()
            async with contextlib.aclosing(log.follow(seq)) as batches:
                async for stored in batches:
                    rows = project(partition, stored.seq, stored.data)
                    found = rows.positions[partition].epoch
                    if epoch and not await self._goes_on(epoch, found):
                        raise LogError(
                            f"LOG-{partition}: the batch at sequence {stored.seq} is of epoch {found}, the history of"
                            f" epoch {epoch}: stop the hub, move {database.FILE} away and start again, to have it"
                            " written anew from the log"
                        )
                    await self._queue.put(rows)
                    seq, epoch = stored.seq, found
        except LogError as error:
            logger.critical("the history goes no further", partition=partition, because=str(error))
            await self._queue.put(Rows(positions={partition: Position(seq, epoch, str(error))}))

    async def _goes_on(self, before: int, after: int) -> bool:
        """Whether the log may go from one epoch to the other: a person may have raised it since this process began."""
        return before == after or (await founding.read(self._connection)).goes_on(before, after)

    async def _write(self) -> None:
        while True:
            rows = await self._queue.get()
            while len(rows.events) < ROWS and not self._queue.empty():
                rows.add(self._queue.get_nowait())
            await patiently(lambda rows=rows: self._writer.store(rows))  # type: ignore[misc]
            self._written |= {partition: position.seq for partition, position in rows.positions.items()}
            if len(rows.events) < ROWS:
                await asyncio.sleep(PAUSE_S)

    async def _tell(self) -> None:
        positions = Positions(self._connection)
        while True:
            await positions.tell(dict(self._written))
            await asyncio.sleep(TELL_S)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """The result of `work`, tried again as long as the database is locked, full or away; said once a minute."""
    clock = asyncio.get_running_loop().time
    said_at = clock() - COMPLAIN_S
    while True:
        try:
            return await work()
        except database.AWAY as error:
            if clock() >= said_at + COMPLAIN_S:
                logger.error("the history cannot be written at this moment", because=database.reason(error))
                said_at = clock()
        await asyncio.sleep(RETRY_S)


async def take_turns(connection: Connection, where: URL, log_bytes: int, name: str) -> None:
    """Write the history whenever this process, which bears that name, holds the lease, until cancelled.

    The lease only spares work: that nothing is written twice, though two may write for a moment, is the Writer's doing.
    """
    leases = Leases(connection, f"{FOLLOWERS}.{name}")
    await leases.start()
    engine = database.writer(where)
    try:
        while True:
            await leases.obtain(LEASE)
            await patiently(lambda: asyncio.to_thread(schema.migrate, where))
            founded = await founding.read(connection)
            logger.info("this process writes the history")
            follower = Follower(connection, Writer(engine, founded.partitions), founded, log_bytes)
            running = asyncio.create_task(follower.run())
            losing = asyncio.create_task(leases.lost(LEASE))
            try:
                await asyncio.wait({running, losing}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                losing.cancel()
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running
    finally:
        await engine.dispose()
        await leases.close()


async def main(supervised: Supervised) -> None:
    """Do so until the supervisor says stop."""
    settings = supervised.config.settings
    async with supervised:
        connection = await connect(supervised.config.nats_url, "history")
        stopping = asyncio.create_task(supervised.stop.wait())
        name = supervised.config.name(os.getpid())
        turns = asyncio.create_task(take_turns(connection, database.url(settings), settings.log_max_bytes, name))
        supervised.ready()
        try:
            await asyncio.wait({turns, stopping}, return_when=asyncio.FIRST_COMPLETED)
            turns.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await turns
        finally:
            stopping.cancel()
            await connection.close()


if __name__ == "__main__":
    logs.configure("history")
    uvloop.run(main(Supervised.attach()))
