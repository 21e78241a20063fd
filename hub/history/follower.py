"""The process that writes the history: follows every partition's log and keeps its position beside its rows.

Started by the supervisor (`python -m hub.history.follower <fd>`). All partitions' batches go through one queue into one
transaction at a time; a partition whose log cannot be trusted stops alone, with an alarm in its position.
"""

import asyncio
import contextlib

import structlog
import uvloop
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from hub import logs
from hub.bus.connection import Connection, connect
from hub.bus.log import PartitionLog
from hub.errors import LogError
from hub.history import database, schema
from hub.history.models import POSITIONS, PositionRow
from hub.history.projector import Rows, position, project, statements
from hub.process import Supervised

QUEUED_BATCHES = 128
"""So many may wait for the writer before the logs are read no further."""
ROWS = 4000
"""So many events at most go into a transaction (and what one batch has above it)."""
PAUSE_S = 0.25
"""Between two transactions while little is to be written: each costs an fsync, on the disk that the log needs too."""
RETRY_S = 0.5

logger = structlog.get_logger("history")


class Follower:
    """Follows the logs of `partitions` partitions and writes the history through `engine`."""

    def __init__(self, connection: Connection, engine: AsyncEngine, partitions: int, log_bytes: int) -> None:
        self._connection, self._engine = connection, engine
        self._partitions, self._log_bytes = partitions, log_bytes
        self._positions: dict[int, PositionRow] = {}
        self._queue: asyncio.Queue[Rows] = asyncio.Queue(QUEUED_BATCHES)

    async def load(self) -> None:
        """Find out where to go on."""
        async with self._engine.connect() as connection:
            for row in await connection.execute(POSITIONS.select()):
                self._positions[row.partition] = PositionRow(**row._mapping)

    async def run(self) -> None:
        """Follow and write until cancelled. Raises BusError when the connection is closed for good."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write())
            for partition in range(self._partitions):
                tasks.create_task(self._follow(partition))

    async def _follow(self, partition: int) -> None:
        known = self._positions.get(partition)
        seq, epoch = (known.seq, known.epoch) if known else (0, 0)
        log = PartitionLog(self._connection, partition, max_bytes=self._log_bytes)
        try:
            await log.open()
            async with contextlib.aclosing(log.follow(seq)) as batches:
                async for stored in batches:
                    rows = project(partition, stored.seq, stored.data)
                    found = rows.positions[partition]["epoch"]
                    if epoch not in (0, found):
                        raise LogError(
                            f"LOG-{partition}: the batch at sequence {stored.seq} is of epoch {found}, the history of"
                            f" epoch {epoch}: stop the hub, move {database.FILE} away and start again, to have it"
                            " written anew from the log"
                        )
                    await self._queue.put(rows)
                    seq, epoch = stored.seq, found
        except LogError as error:
            logger.critical("the history goes no further", partition=partition, because=str(error))
            await self._queue.put(Rows(positions={partition: position(partition, seq, epoch, alarm=str(error))}))

    async def _write(self) -> None:
        while True:
            rows = await self._queue.get()
            while len(rows.events) < ROWS and not self._queue.empty():
                rows.add(self._queue.get_nowait())
            while not await self._store(rows):
                await asyncio.sleep(RETRY_S)
            if len(rows.events) < ROWS:
                await asyncio.sleep(PAUSE_S)

    async def _store(self, rows: Rows) -> bool:
        """Whether the rows are on disk; False: SQLite is locked, or the disk full, and they are to be tried again."""
        try:
            async with self._engine.begin() as connection:
                for statement, parameters in statements(rows):
                    await connection.exec_driver_sql(statement, parameters)
        except OperationalError as error:
            logger.error("the history cannot be written at this moment", because=str(error.orig))
            return False
        return True


async def main(supervised: Supervised) -> None:
    """Write the history until the supervisor says stop."""
    settings = supervised.config.settings
    async with supervised:
        await asyncio.to_thread(schema.migrate, settings.data)
        connection = await connect(supervised.config.nats_url, "history")
        engine = database.writer(settings.data)
        follower = Follower(connection, engine, settings.partitions, settings.log_max_bytes)
        stopping = asyncio.create_task(supervised.stop.wait())
        try:
            await follower.load()
            running = asyncio.create_task(follower.run())
            supervised.ready()
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        finally:
            stopping.cancel()
            await engine.dispose()
            await connection.close()


if __name__ == "__main__":
    logs.configure("history")
    uvloop.run(main(Supervised.attach()))
