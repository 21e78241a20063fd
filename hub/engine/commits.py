"""Group commit: while one batch is on its way to the disk the next one grows, and one fsync serves many.

What others may see of a decision, acknowledgements, pushes and the rest, waits here until the log has said yes, and
happens in the order of the decisions.
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence

import msgspec
import structlog

from hub.bus.log import PartitionLog
from hub.domain.events import Record
from hub.engine.calls import Denied, Outcome
from hub.engine.rounds import Rounds
from hub.engine.slots import Slot
from hub.errors import LogError, LogFull

BATCH_BYTES = 512 * 1024
"""Half of NATS' max_payload: a batch above it is cut."""
TOLD_AT_ONCE = 64
"""So many outcomes are told in one turn of the loop: hundreds would hold it up for as long as an fsync takes."""
FULL_PAUSE_S = 1.0

logger = structlog.get_logger("commits")
Done = Callable[[Outcome], None]
Encode = Callable[[Sequence[bytes]], tuple[bytes, str]]


class Item(msgspec.Struct, frozen=True, gc=False):
    """One step of a batch: what it writes, and who hears of it after the commit."""

    slot: Slot | None
    records: tuple[Record, ...]
    entries: Sequence[bytes]
    done: Done | None
    sender: object
    after: Callable[[], None] | None = None
    """Of a step that writes nothing: what waits for all before it."""
    instead: Callable[[Denied], None] | None = None
    """What is called instead of `after` when that will never be known."""


class Commits:
    """Writes what is added, in order. `encode` makes a batch and its mark of encoded entries.

    `tell` is called with the items of a batch that is on disk, a few at a time, then `committed` with the batch's log
    sequence and all of them; `lost`, once, when nothing more can be written. `rounds` says when.
    """

    def __init__(
        self,
        log: PartitionLog,
        encode: Encode,
        tell: Callable[[list[Item]], None],
        committed: Callable[[int, list[Item]], None],
        lost: Callable[[str], None],
        rounds: Rounds,
    ) -> None:
        self._log, self._encode, self._tell, self._committed, self._lost = log, encode, tell, committed, lost
        self._rounds = rounds
        self._tip = 0
        self._pending: list[Item] = []
        self._writing: list[Item] = []
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def start(self, tip: int) -> None:
        """Write from now on, after the log's sequence `tip`."""
        self._tip = tip
        self._writer = asyncio.create_task(self._write(), name=f"write {self._log.stream}")
        self._writer.add_done_callback(self._ended)

    def add(self, item: Item) -> None:
        """Write it with the next batch."""
        self._pending.append(item)
        self._wake.set()

    def after(self, call: Callable[[], None], instead: Callable[[Denied], None] | None = None) -> None:
        """Call back once all that was added so far is on disk; at once if it is."""
        if self._pending or self._writing:
            self.add(Item(None, (), (), None, None, call, instead))
        else:
            call()

    async def drain(self) -> None:
        """Return when all that was added is on disk, or nothing more can be written."""
        while (self._pending or self._writing) and self._writer is not None and not self._writer.done():
            await asyncio.sleep(0.005)

    def close(self) -> list[Item]:
        """Write nothing more; what has not been committed, in order."""
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        left, self._pending, self._writing = self._writing + self._pending, [], []
        return left

    async def _write(self) -> None:
        while True:
            if not self._pending:
                self._wake.clear()
                await self._wake.wait()
            await self._rounds.turn()
            self._writing, entries = self._take_pending()
            if entries:
                try:
                    await self._append(entries)
                except LogError as error:
                    self._lost(str(error))
                    return
            written = self._writing
            await self._tell_all()
            self._committed(self._tip, written)

    async def _tell_all(self) -> None:
        while self._writing:
            told, self._writing = self._writing[:TOLD_AT_ONCE], self._writing[TOLD_AT_ONCE:]
            self._tell(told)
            if self._writing:
                await asyncio.sleep(0)

    def _ended(self, writer: asyncio.Task[None]) -> None:
        """Whatever ended the writer, nobody may believe that the partition still has an owner."""
        if not writer.cancelled() and writer.exception() is not None:
            logger.critical("writer ended", stream=self._log.stream, exc_info=writer.exception())
            self._lost(f"the writer of {self._log.stream} ended: {writer.exception()!r}")

    async def _append(self, entries: list[bytes]) -> None:
        data, mark = self._encode(entries)
        warned = False
        while True:
            try:
                self._tip = await self._rounds.carry(self._log.append(data, mark, self._tip))
                return
            except LogFull as error:
                if not warned:
                    logger.error("log full", stream=self._log.stream, error=str(error))
                    warned = True
                await asyncio.sleep(FULL_PAUSE_S)

    def _take_pending(self) -> tuple[list[Item], list[bytes]]:
        """The items of the next batch, and their entries."""
        entries = [entry for item in self._pending for entry in item.entries]
        count = len(self._pending)
        if sum(map(len, entries)) > BATCH_BYTES:
            sizes = itertools.accumulate(sum(map(len, item.entries)) for item in self._pending)
            count = max(1, sum(1 for size in sizes if size <= BATCH_BYTES))
            entries = [entry for item in self._pending[:count] for entry in item.entries]
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken, entries
