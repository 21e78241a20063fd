"""The owner of one partition: the only writer of all that lives there.

Commands are decided at once, against state that runs ahead of the log; what they lead to joins the pending batch.
While one batch is on its way to the disk the next one grows (group commit). Acknowledgements, pushes and everything
else that others may see wait until the log has said yes, and happen in the order of the decisions.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import structlog

from hub.bus.log import PartitionLog
from hub.bus.snapshots import Snapshots
from hub.clock import Clock
from hub.domain.batch import SCHEMA, Batch, Entry, encode_batch, encode_entry
from hub.domain.commands import AnyCommand, Origin, Tick
from hub.domain.events import AnyEvent, Record
from hub.domain.images import Checkpoint
from hub.domain.refusals import Refusal
from hub.engine.calls import STOPPED, UNAVAILABLE, Denied, Outcome, as_denied
from hub.engine.commits import Commits, Done, Item
from hub.engine.entities import Entities
from hub.engine.kinds import Kind
from hub.engine.readers import Readers
from hub.engine.recovery import NOTHING, Recovery, Unrelayed
from hub.engine.rounds import Rounds
from hub.engine.slots import Slot
from hub.engine.timers import Timers
from hub.errors import Fenced

logger = structlog.get_logger("owner")


class Owner:
    """One partition's owner. `take` makes it one; it ends itself when another one has taken over.

    `rounds` is the worker's: without it the partition writes for itself.
    """

    def __init__(
        self,
        partition: int,
        log: PartitionLog,
        snapshots: Snapshots,
        kinds: dict[str, Kind],
        *,
        name: str,
        epoch: int,
        clock: Clock,
        on_commit: Callable[[int, Sequence[Record]], None],
        on_lost: Callable[[int, str], None],
        rounds: Rounds | None = None,
    ) -> None:
        self.partition = partition
        self.valid_until = math.inf
        """Past this moment (time.monotonic) nothing is promised any more: somebody else may own the partition."""
        self.relayed = 0
        """Up to this log sequence everything that events call for elsewhere has been done; kept by the relay."""
        self.unrelayed: list[Unrelayed] = []
        """After `take`: the batches that the owner before had not finished relaying, for the relay to go on with."""
        self.checkpoint: Checkpoint = NOTHING
        """After `take`: the one from which it started."""
        self.committed = 0
        """The log sequence of the last batch whose outcomes have been told."""
        self.uncovered = 0
        """So many events came after the last checkpoint."""
        self.now_ms = clock.now_ms
        self.entities = Entities(kinds, snapshots)
        self._log, self._snapshots, self._name, self._epoch = log, snapshots, name, epoch
        self._clock, self._on_commit, self._on_lost = clock, on_commit, on_lost
        self._slots = self.entities.slots
        self._commits = Commits(log, self._encode_batch, self._tell, self._committed, self._lost, rounds or Rounds())
        self.readers = Readers(partition, self.entities, self._commits, epoch, clock.now_ms, self._unreadable)
        self._n = 0
        self._closed = "not taken yet"
        self._timers = Timers(clock.now_ms, self._tick)

    # --- taking over -----------------------------------------------------------------------------------------------

    async def take(self) -> None:
        """Read checkpoint and log, then write OwnerTook there; raises LogError when they cannot be trusted."""
        recovery = Recovery(self.partition, self._log, self._snapshots, self.entities)
        tip = await self._fence(recovery)
        self._clock.at_least(recovery.told_ms)
        await self._snapshots.claim(self._name)
        self.unrelayed, self.checkpoint = recovery.unrelayed, recovery.checkpoint
        self.committed, self.uncovered = tip, recovery.events
        await self._awaken()
        self._closed = ""
        self._commits.start(tip)
        for slot in list(self._slots.values()):
            self._resume(slot)

    async def _fence(self, recovery: Recovery) -> int:
        """Read the log to its end and write OwnerTook there: no late batch of the owner before can be stored then."""
        while True:
            await recovery.run()
            self.relayed = recovery.relayed
            data, mark = self._encode_batch([], took=True)
            with contextlib.suppress(Fenced):  # the owner before still wrote: read on from where we were
                return await self._log.append(data, mark, recovery.tip)

    async def _awaken(self) -> None:
        """Load what may have something on its way or to do in time; all others come when they are needed."""
        for entity, due_ms in self.checkpoint.due.items():
            self._timers.set(entity, due_ms)
        await self.entities.fetched([*self.checkpoint.awake, *self.entities.timed])
        self.entities.timed.clear()

    def _resume(self, slot: Slot) -> None:
        if slot.stopped:
            return
        if slot.kind.resume is not None:
            now_ms = self.now_ms()
            events = slot.kind.resume(slot.state, now_ms)
            if events:
                self._apply(slot, events, now_ms)
        if slot.kind.next_due is not None:
            self._timers.set(slot.entity, slot.kind.next_due(slot.state))

    # --- commands --------------------------------------------------------------------------------------------------

    def submit(
        self, entity: str, command: AnyCommand, done: Done | None, origin: Origin | None = None, sender: object = None
    ) -> None:
        """Decide `command` now; call `done` when what it led to is on disk."""
        if self._closed or time.monotonic() >= self.valid_until:
            if done is not None:
                done(Outcome(denied=self._unavailable()))
            return
        slot = self._slots.get(entity) or self.entities.at_hand(entity)
        if slot is None:
            self.entities.fetch(entity, partial(self.submit, entity, command, done, origin, sender))
            return
        if slot.stopped:
            self._deny(done, Denied(STOPPED, slot.stopped))
            return
        now_ms = self.now_ms()
        try:
            events = slot.kind.decide(slot.state, command, origin, now_ms)
        except Refusal as refusal:
            self.entities.drop_unused(slot)
            self._deny(done, as_denied(refusal))
            return
        except Exception as error:
            self._stop(slot, command, error)
            self._deny(done, Denied(STOPPED, slot.stopped))
            return
        try:
            self._apply(slot, events, now_ms, origin, done, sender)
        except Exception as error:  # evolve has failed: nothing of it reaches the log
            slot.spoilt = True
            self._stop(slot, command, error)
            self._deny(done, Denied(STOPPED, slot.stopped))

    def _apply(
        self,
        slot: Slot,
        events: Iterable[AnyEvent],
        now_ms: int,
        origin: Origin | None = None,
        done: Done | None = None,
        sender: object = None,
    ) -> None:
        state, kind = slot.state, slot.kind
        records: list[Record] = []
        entries: list[bytes] = []
        sooner = False
        for event in events:
            record = Record(slot.entity, state.seq + 1, kind.prev(state), now_ms, event)
            kind.evolve(state, record, origin)
            entry = encode_entry(Entry(record, origin))
            slot.recent.append(entry)
            records.append(record)
            entries.append(entry)
            sooner = sooner or kind.sets_clock(event)
        if kind.awake is not None:
            self.entities.note_awake(slot)
        if sooner and kind.next_due is not None:  # what is due later, or no more, is found out by the tick
            self._timers.set(slot.entity, kind.next_due(state))
        self._commits.add(Item(slot, tuple(records), entries, done, sender))

    def _deny(self, done: Done | None, denied: Denied) -> None:
        """Say no, but only once all that was decided before is on disk: `repeated` is a promise too."""
        if done is not None:
            self._commits.after(lambda: done(Outcome(denied=denied)), lambda lost: done(Outcome(denied=lost)))

    def _stop(self, slot: Slot, command: AnyCommand, error: Exception) -> None:
        slot.stopped = f"{type(command).__name__} failed: {type(error).__name__}: {error}"
        logger.exception("entity stopped", entity=slot.entity, command=type(command).__name__)

    @property
    def closed(self) -> bool:
        """Not (or no longer) this partition's owner."""
        return bool(self._closed)

    @property
    def stopped(self) -> dict[str, str]:
        """The entities that take nothing more, and why."""
        return {slot.entity: slot.stopped for slot in self._slots.values() if slot.stopped}

    def state(self, entity: str) -> Any:
        """The state of an entity, or None where nothing has happened; it may run ahead of the log."""
        slot = self._slots.get(entity)
        return None if slot is None else slot.state

    def _tick(self, entity: str) -> None:
        """Time has come for an entity; if it stays due, it hears of it again."""
        slot = self.entities.at_hand(entity)
        if slot is None:
            self.entities.fetch(entity, partial(self._tick, entity))
        elif not self._closed and not slot.stopped and slot.kind.next_due is not None:
            self.submit(entity, Tick(), None)
            self._timers.set(entity, slot.kind.next_due(slot.state))

    def _unreadable(self) -> Denied | None:
        return self._unavailable() if self._closed or time.monotonic() >= self.valid_until else None

    def _unavailable(self) -> Denied:
        return Denied(UNAVAILABLE, self._closed or "the lease on the partition has run out")

    # --- what checkpoints need ---------------------------------------------------------------------------------------

    def due(self) -> dict[str, int]:
        """What waits for its time: entity → Unix ms."""
        return self._timers.due()

    def awake(self) -> list[str]:
        """The entities that may have something on its way to the outside, or waiting to be."""
        return list(self.entities.awake)

    def covered(self, events: int) -> None:
        """So many of the events after the last checkpoint lie before a new one."""
        self.entities.begun = True
        self.uncovered -= events

    async def settled(self) -> None:
        """Return when all that has been decided so far is on disk; never, when the owner is closed before that."""
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commits.after(lambda: None if settled.done() else settled.set_result(None))
        await settled

    # --- after the commit --------------------------------------------------------------------------------------------

    def _encode_batch(self, entries: Sequence[bytes], took: bool = False) -> tuple[bytes, str]:
        self._n += 1
        batch = Batch(SCHEMA, self._epoch, self._name, self._n, self.relayed, took=took)
        return encode_batch(batch, entries), f"{self._name}:{self._n}"

    def _tell(self, items: list[Item]) -> None:
        for item in items:
            try:
                if item.after is not None:
                    item.after()
                    continue
                if item.slot is not None and item.records:
                    item.slot.logged = item.records[-1].seq
                if item.done is not None:
                    item.done(Outcome(item.records))
                if item.slot is not None and item.slot.watchers:
                    for record in item.records:
                        self.readers.push(item.slot, record, item.sender)
            except Exception:  # a socket's fault must not stop the partition
                logger.exception("after commit", partition=self.partition)

    def _committed(self, seq: int, items: list[Item]) -> None:
        committed = [record for item in items for record in item.records]
        self.committed = seq
        if committed:
            self.uncovered += len(committed)
            self._on_commit(seq, committed)

    # --- the end ---------------------------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Decide nothing more, and wait until what was decided is on disk."""
        self._closed = "the hub is stopping"
        await self._commits.drain()
        self.close(self._closed)

    def close(self, why: str) -> None:
        """Forget everything; whoever waits is told that nothing is known."""
        self._closed = why
        self._timers.close()
        left = self._commits.close()
        self.entities.close()
        denied = Denied(UNAVAILABLE, why)
        for item in left:
            if item.done is not None:
                item.done(Outcome(denied=denied))
            elif item.instead is not None:
                item.instead(denied)

    def _lost(self, why: str) -> None:
        self.close(why)
        self._on_lost(self.partition, why)
