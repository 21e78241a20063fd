"""The owner of one partition: the only writer of all that lives there.

Commands are decided at once, against state that runs ahead of the log; what they lead to joins the pending batch.
While one batch is on its way to the disk the next one grows (group commit). Acknowledgements, pushes and everything
else that others may see wait until the log has said yes, and happen in the order of the decisions.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import structlog

from hub.bus.log import PartitionLog
from hub.domain.batch import SCHEMA, EncodedBatch, Entry, decode_batch, encode_batch, encode_entry
from hub.domain.commands import AnyCommand, Origin, Tick
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import kind_of
from hub.domain.refusals import Refusal
from hub.domain.views import ACKED, Audience, serving_change
from hub.engine.calls import UNAVAILABLE, Denied, Outcome, Page, Pushes
from hub.engine.kinds import Kind
from hub.engine.slots import Slot, encode_frame
from hub.engine.timers import Timers
from hub.errors import Fenced, LogError, LogFull, UnreadableBatch

STOPPED = "stopped"
"""`Denied.code` of an entity whose decide has failed; it takes nothing more until it is loaded again."""
BATCH_BYTES = 512 * 1024
"""Half of NATS' max_payload: a batch above it is cut."""
FULL_PAUSE_S = 1.0

logger = structlog.get_logger("owner")
Done = Callable[[Outcome], None]


class Item(msgspec.Struct, frozen=True, gc=False):
    """One step of the pending batch: what it writes, and what happens after the commit."""

    slot: Slot | None
    records: Sequence[Record]
    entries: Sequence[bytes]
    after: Callable[[], None] | None
    done: Done | None
    sender: object


class Owner:
    """One partition's owner. `take` makes it one; it ends itself when another one has taken over."""

    def __init__(
        self,
        partition: int,
        log: PartitionLog,
        kinds: dict[str, Kind],
        *,
        name: str,
        epoch: int,
        now_ms: Callable[[], int],
        on_commit: Callable[[int, Sequence[Record]], None],
        on_lost: Callable[[int, str], None],
    ) -> None:
        self.partition = partition
        self.relayed = 0
        """Up to this log sequence everything that events call for elsewhere has been done; kept by the relay."""
        self.unrelayed: list[tuple[int, list[Record]]] = []
        """After `take`: the batches that the owner before had not finished relaying, for the relay to go on with."""
        self.now_ms = now_ms
        self._log, self._kinds, self._name, self._epoch = log, kinds, name, epoch
        self._on_commit, self._on_lost = on_commit, on_lost
        self._slots: dict[str, Slot] = {}
        self._pending: list[Item] = []
        self._writing: list[Item] = []
        self._wake = asyncio.Event()
        self._tip = 0
        self._n = 0
        self._closed = "not taken yet"
        self._writer: asyncio.Task[None] | None = None
        self._timers = Timers(now_ms, self._tick)

    # --- taking over -----------------------------------------------------------------------------------------------

    async def take(self) -> None:
        """Replay the log, then write OwnerTook; raises LogError when the log cannot be trusted."""
        self._tip = await self._log.open()
        await self._replay(0)
        while True:
            self._n += 1
            took = EncodedBatch(SCHEMA, self._epoch, self._name, self._n, self.relayed, took=True)
            try:
                self._tip = await self._log.append(encode_batch(took), f"{self._name}:{self._n}", self._tip)
                break
            except Fenced:  # the owner before still wrote: read on from where we were
                await self._replay(self._tip)
        self._closed = ""
        self._writer = asyncio.create_task(self._write(), name=f"owner-{self.partition}")
        self._writer.add_done_callback(self._ended)
        for slot in list(self._slots.values()):
            self._resume(slot)

    async def _replay(self, after: int) -> None:
        async for stored in self._log.read(after):
            try:
                batch = decode_batch(stored.data)
            except ValueError as error:
                raise UnreadableBatch(f"LOG-{self.partition}, sequence {stored.seq}: {error}") from error
            for entry in batch.entries:
                slot = self._slot(entry.record.entity)
                slot.kind.evolve(slot.state, entry.record, entry.origin)
                slot.keep(encode_entry(entry))
            self.relayed = max(self.relayed, batch.relayed)
            self.unrelayed.append((stored.seq, [entry.record for entry in batch.entries]))
            if self.unrelayed[0][0] <= self.relayed:
                self.unrelayed = [kept for kept in self.unrelayed if kept[0] > self.relayed]
            self._tip = stored.seq
            await asyncio.sleep(0)  # a long replay must not silence the beats

    def _resume(self, slot: Slot) -> None:
        if slot.kind.resume is not None:
            events = slot.kind.resume(slot.state, self.now_ms())
            if events:
                self._apply(slot, events, None, None, None)
        if slot.kind.next_due is not None:
            self._timers.set(slot.entity, slot.kind.next_due(slot.state))

    # --- commands --------------------------------------------------------------------------------------------------

    def submit(
        self, entity: str, command: AnyCommand, done: Done | None, origin: Origin | None = None, sender: object = None
    ) -> None:
        """Decide `command` now; call `done` when what it led to is on disk."""
        if self._closed:
            if done is not None:
                done(Outcome(denied=Denied(UNAVAILABLE, self._closed)))
            return
        slot = self._slot(entity)
        if slot.stopped:
            self._deny(done, Denied(STOPPED, slot.stopped))
            return
        try:
            events = slot.kind.decide(slot.state, command, origin, self.now_ms())
        except Refusal as refusal:
            self._drop_unused(slot)
            self._deny(done, as_denied(refusal))
            return
        except Exception as error:
            self._stop(slot, command, error)
            self._deny(done, Denied(STOPPED, slot.stopped))
            return
        try:
            self._apply(slot, events, origin, done, sender)
        except Exception as error:  # evolve has failed: nothing of it reaches the log
            self._stop(slot, command, error)
            self._deny(done, Denied(STOPPED, slot.stopped))

    def _apply(
        self, slot: Slot, events: Iterable[AnyEvent], origin: Origin | None, done: Done | None, sender: object
    ) -> None:
        state, kind, now_ms = slot.state, slot.kind, self.now_ms()
        records: list[Record] = []
        entries: list[bytes] = []
        for event in events:
            record = Record(slot.entity, state.seq + 1, kind.prev(state), now_ms, event)
            kind.evolve(state, record, origin)
            records.append(record)
            entries.append(encode_entry(Entry(record, origin)))
        for entry in entries:
            slot.keep(entry)
        if kind.next_due is not None:
            self._timers.set(slot.entity, kind.next_due(state))
        self._pend(Item(slot, records, entries, None, done, sender))

    def _deny(self, done: Done | None, denied: Denied) -> None:
        """Say no, but only once all that was decided before is on disk: `repeated` is a promise too."""
        if done is not None:
            self.after_commit(lambda: done(Outcome(denied=denied)))

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
        slot = self._slots.get(entity)
        if slot is not None and not slot.stopped and slot.kind.next_due is not None:
            self.submit(entity, Tick(), None)
            self._timers.set(entity, slot.kind.next_due(slot.state))

    # --- reading and watching --------------------------------------------------------------------------------------

    def watch(
        self,
        entity: str,
        audience: Audience,
        after: int,
        epoch: int,
        pushes: Pushes,
        done: Callable[[Page | Denied], None],
    ) -> None:
        """Answer what came after `after`, and push what follows to `pushes`."""
        if self._closed:
            done(Denied(UNAVAILABLE, self._closed))
            return
        page = self._slot(entity).latest(audience, after, epoch, self._epoch)

        def committed() -> None:
            self._slot(entity).watchers.setdefault(audience, {})[pushes] = self.now_ms()
            done(page)

        self.after_commit(committed)

    def unwatch(self, entity: str, audience: Audience, pushes: Pushes) -> None:
        """Push no more of it to `pushes`."""
        slot = self._slots.get(entity)
        if slot is not None and audience in slot.watchers:
            slot.watchers[audience].pop(pushes, None)
            if not slot.watchers[audience]:
                del slot.watchers[audience]
            self._drop_unused(slot)

    def page(
        self, entity: str, audience: Audience, after: int, before: int, done: Callable[[Page | Denied], None]
    ) -> None:
        """Answer what is in memory of the events between `after` and `before`."""
        if self._closed:
            done(Denied(UNAVAILABLE, self._closed))
            return
        slot = self._slot(entity)
        page = slot.page(audience, after, before, self._epoch)
        self._drop_unused(slot)
        self.after_commit(lambda: done(page))

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        """Hand on a frame that takes no seq."""
        slot = self._slots.get(entity)
        if slot is not None:
            for pushes in slot.watchers.get(audience, ()):
                pushes.signal(entity, audience, frame)

    def forget_watchers(self, unseen_since_ms: int, kept: Pushes) -> None:
        """Drop watchers that have not said for long that they still watch; `kept` is the one of this process."""
        for slot in list(self._slots.values()):
            for audience, watchers in list(slot.watchers.items()):
                for pushes in [p for p, seen_ms in watchers.items() if seen_ms < unseen_since_ms and p is not kept]:
                    self.unwatch(slot.entity, audience, pushes)

    def _slot(self, entity: str) -> Slot:
        slot = self._slots.get(entity)
        if slot is None:
            slot = self._slots[entity] = Slot(entity, self._kinds[kind_of(entity)])
        return slot

    def _drop_unused(self, slot: Slot) -> None:
        """Forget an entity in which nothing has happened and that nobody watches: any id may be asked for."""
        if slot.state.seq == 0 and not slot.watchers and not slot.stopped:
            self._slots.pop(slot.entity, None)

    # --- the log ---------------------------------------------------------------------------------------------------

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call back once all that has been decided so far is on disk; at once if it is."""
        if self._pending or self._writing:
            self._pend(Item(None, (), (), call, None, None))
        else:
            call()

    def _pend(self, item: Item) -> None:
        self._pending.append(item)
        self._wake.set()

    async def _write(self) -> None:
        while True:
            if not self._pending:
                self._wake.clear()
                await self._wake.wait()
            self._writing = self._take_pending()
            entries = [msgspec.Raw(entry) for item in self._writing for entry in item.entries]
            if entries:
                try:
                    await self._append(entries)
                except LogError as error:
                    self.close(str(error))
                    self._on_lost(self.partition, str(error))
                    return
            written, self._writing = self._writing, []
            self._committed(written)

    def _ended(self, writer: asyncio.Task[None]) -> None:
        """Whatever ended the writer, nobody may believe that the partition still has an owner."""
        if not self._closed:
            error = None if writer.cancelled() else writer.exception()
            logger.critical("writer ended", partition=self.partition, exc_info=error)
            self.close(f"the writer of partition {self.partition} ended: {error!r}")
            self._on_lost(self.partition, self._closed)

    async def _append(self, entries: list[msgspec.Raw]) -> None:
        self._n += 1
        batch = EncodedBatch(SCHEMA, self._epoch, self._name, self._n, self.relayed, entries)
        data, id_ = encode_batch(batch), f"{self._name}:{self._n}"
        warned = False
        while True:
            try:
                self._tip = await self._log.append(data, id_, self._tip)
                return
            except LogFull as error:
                if not warned:
                    logger.error("log full", partition=self.partition, error=str(error))
                    warned = True
                await asyncio.sleep(FULL_PAUSE_S)

    def _take_pending(self) -> list[Item]:
        size = 0
        for count, item in enumerate(self._pending):
            size += sum(map(len, item.entries))
            if size > BATCH_BYTES and count:
                taken, self._pending = self._pending[:count], self._pending[count:]
                return taken
        taken, self._pending = self._pending, []
        return taken

    def _committed(self, items: list[Item]) -> None:
        committed: list[Record] = []
        for item in items:
            try:
                if item.after is not None:
                    item.after()
                    continue
                if item.done is not None:
                    item.done(Outcome(tuple(item.records)))
                if item.slot is not None and item.slot.watchers:
                    for record in item.records:
                        self._push(item.slot, record, item.sender)
            except Exception:  # a socket's fault must not stop the partition
                logger.exception("after commit", partition=self.partition)
            committed.extend(item.records)
        if committed:
            self._on_commit(self._tip, committed)

    def _push(self, slot: Slot, record: Record, sender: object) -> None:
        but = sender if isinstance(record.event, ACKED) else None
        for audience, watchers in slot.watchers.items():
            hearing = [p for p in watchers if but is None or not p.skip(slot.entity, audience, record.seq, but)]
            frame = encode_frame(record, audience) if hearing else None
            if frame is not None:
                for pushes in hearing:
                    pushes.push(slot.entity, audience, record.seq, frame, but)
        change = serving_change(record.event)
        if change is not None:
            for pushes in slot.watchers.get("agent", ()):
                pushes.serving(slot.entity, *change)

    # --- the end ---------------------------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Decide nothing more, and wait until what was decided is on disk."""
        self._closed = "the hub is stopping"
        while self._pending or self._writing:
            await asyncio.sleep(0.005)
            if self._writer is None or self._writer.done():
                break
        self.close(self._closed)

    def close(self, why: str) -> None:
        """Forget everything; whoever waits is told that nothing is known."""
        self._closed = why
        self._timers.close()
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        waiting, self._pending, self._writing = self._writing + self._pending, [], []
        self._slots.clear()
        for item in waiting:
            if item.done is not None:
                item.done(Outcome(denied=Denied(UNAVAILABLE, why)))


def as_denied(refusal: Refusal) -> Denied:
    """A refusal as data."""
    seq, resend_from = getattr(refusal, "seq", 0), getattr(refusal, "resend_from", 0)
    return Denied(refusal.code, str(refusal), seq, resend_from)
