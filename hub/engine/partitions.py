"""The partitions that one worker owns, each with its owner, relay and sender."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from hub.bus.connection import Connection, raise_if_closed
from hub.bus.founding import Founding
from hub.bus.lease_stream import TRY_S
from hub.bus.leases import WORKERS, Leases
from hub.bus.log import PartitionLog
from hub.bus.positions import Positions
from hub.bus.requests import Service, publish, serve, subscribe
from hub.bus.snapshots import Snapshots
from hub.clock import Clock
from hub.contract import Connector, Enclosed
from hub.domain.events import Record
from hub.domain.ids import partition_of
from hub.domain.messages import Attachment
from hub.engine.checkpoints import Checkpoints
from hub.engine.kinds import Kind
from hub.engine.outlets import outlets
from hub.engine.owner import Owner
from hub.engine.placement import share
from hub.engine.relay import Relay
from hub.engine.rounds import Rounds
from hub.engine.router import Router
from hub.engine.sender import Sender
from hub.engine.wire import (
    OWNERS_SUBJECT,
    SCHEMA,
    Owns,
    commands_subject,
    decode_owns,
    decode_pushes,
    deliver_subject,
    encode,
)
from hub.errors import BusError, LogError

AT_ONCE = 4
"""So many partitions are recovered side by side."""
UNSEEN_MS = 90_000
"""A gateway that has not said for so long that it watches is gone; it says so every 30 s."""
GATHER_S = 1.0
"""So long a new worker waits for those that were started with it."""
SETTLE_S = 0.4
"""So long whoever holds a share waits when workers come or go: one that replaces another changes nothing for it."""
LOOK_S = 1.0

logger = structlog.get_logger("partitions")


class Owned:
    """One partition with everything that follows its commits in this process."""

    def __init__(self, term: int, owner: Owner, relay: Relay, sender: Sender, checkpoints: Checkpoints) -> None:
        self.term, self.owner, self.relay, self.sender, self.checkpoints = term, owner, relay, sender, checkpoints
        self.service: Service | None = None
        """Answers what other workers ask."""
        self.busy = 0
        """Events of late; upkeep halves it."""


class Partitions:
    """Takes a fair share of the partitions by leases, gives them up, and knows what is wrong with them."""

    def __init__(
        self,
        connection: Connection,
        router: Router,
        kinds: dict[str, Kind],
        connectors: Mapping[str, Connector],
        enclose: Callable[[Attachment], Enclosed],
        *,
        count: int,
        founded: Callable[[], Awaitable[Founding]],
        log_bytes: int,
        clock: Clock,
        on_taken: Callable[[int], None] = lambda partition: None,
    ) -> None:
        self.leases = Leases(connection, f"{WORKERS}.{router.worker}", self._leases_changed)
        self.failed: dict[int, str] = {}
        """Partitions that could not be taken, and why. Their leases are held, so that nobody else tries in vain."""
        self.begun = asyncio.Event()
        """Set when requests may come: the first partition is taken, or there is none to take."""
        self._connection, self._router, self._kinds, self._enclose = connection, router, kinds, enclose
        self.outlets = outlets(connectors, lambda: len(self.leases.members))
        self._count, self._founded, self._log_bytes, self._clock = count, founded, log_bytes, clock
        self._on_taken, self._rounds = on_taken, Rounds()
        self._positions = Positions(connection)
        self._owned: dict[int, Owned] = {}
        self._reached: dict[int, int] = {}
        """The last log sequence of each partition that this process has seen stored."""
        self._home = -1
        self._news = asyncio.Event()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._closing: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Hear other owners' pushes and of new owners; before the first watch."""
        await subscribe(self._connection, deliver_subject(self._router.worker), self._delivered)
        await subscribe(self._connection, OWNERS_SUBJECT, self._owner_serves)

    # --- a fair share ------------------------------------------------------------------------------------------------

    async def keep(self, workers: int) -> None:
        """Begin a session, and hold a fair share of all partitions until cancelled. `workers` were started together.

        Raises BusError when the connection was closed for good.
        """
        await self.leases.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                while len(self.leases.members) < workers:
                    self._news.clear()
                    await self._change()
        known = self.leases.members
        while True:
            if self.leases.running.done():
                await self.leases.running
            self._news.clear()
            members = self.leases.members
            if known != members and self._owned:
                await asyncio.sleep(SETTLE_S)
                members = self.leases.members
            known = members
            mine = share(self.leases.session, members, self._holders())
            if mine.take:
                await self.take(mine.take)
            elif mine.surplus:
                partition = self._least_busy()
                await self._cover(partition)
                await self._hand_over(partition)
            else:
                self.begun.set()
                await self._change()

    async def _change(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._news.wait()

    def _holders(self) -> list[str | None]:
        leases = [self.leases.holder(lease_key(partition)) for partition in range(self._count)]
        return [None if lease is None else lease.holder for lease in leases]

    def _least_busy(self) -> int:
        """What this worker misses least: a partition that it cannot serve, else the least busy; home comes last."""
        held = [partition for partition in range(self._count) if lease_key(partition) in self.leases.held]
        busy = {partition: owned.busy for partition, owned in self._owned.items()}
        return min(held, key=lambda partition: (partition == self._home, busy.get(partition, -1), -partition))

    def _leases_changed(self) -> None:
        for partition, owned in list(self._owned.items()):
            if self.leases.held.get(lease_key(partition)) == owned.term:
                owned.owner.valid_until = self.leases.valid_until
            else:
                self._lose(partition, "the lease on the partition has ended")
        for partition in range(self._count):
            lease = self.leases.holder(lease_key(partition))
            if lease is not None:
                self._router.owned(partition, lease.term)
        self._news.set()

    # --- taking ------------------------------------------------------------------------------------------------------

    async def take(self, partitions: Iterable[int]) -> None:
        """Own those of these partitions that are free. One whose log cannot be trusted stops alone.

        One that NATS refuses, as it does without room on its disk, is left free again a second later.
        Raises BusError when the connection was closed for good.
        """

        async def one(partition: int) -> None:
            term = await self.leases.take(lease_key(partition))
            if not term or partition in self._owned:
                return
            async with self._places:
                try:
                    await self._take(partition, term)
                    self.failed.pop(partition, None)
                    return
                except LogError as error:
                    self.failed[partition] = str(error)
                    logger.critical("partition not taken", partition=partition, because=str(error))
                    return
                except BusError as error:
                    raise_if_closed(self._connection)
                    self.failed[partition] = str(error)
                    logger.error("partition not taken, it is tried again", partition=partition, because=str(error))
            await asyncio.sleep(LOOK_S)
            self.failed.pop(partition, None)
            await self.leases.release(lease_key(partition))

        await asyncio.gather(*(one(partition) for partition in partitions))
        logger.info("partitions taken", owned=len(self._owned))

    async def _take(self, partition: int, term: int) -> None:
        founded = await self._founded()  # as of now: a record may have been put aside, and the epoch raised
        skipped = founded.skipped.get(partition, ())
        log = PartitionLog(self._connection, partition, max_bytes=self._log_bytes, skipped=skipped)
        snapshots = Snapshots(self._connection, partition)
        owner = Owner(
            partition,
            log,
            snapshots,
            self._kinds,
            name=f"{self._router.worker}-{term}",  # no two owners of a partition have the same, not even of one worker
            epoch=founded.epoch,
            clock=self._clock,
            on_commit=lambda seq, records: self._committed(partition, seq, records),
            on_lost=self._lose,
            rounds=self._rounds,
        )
        owner.valid_until = self.leases.valid_until
        relay = Relay(owner, self._kinds, self._router, founded.epoch)
        await log.open(self._reached.get(partition, 0))
        await owner.take()
        checkpoints = Checkpoints(owner, log, snapshots, self._positions.of)
        owned = Owned(term, owner, relay, Sender(owner, self.outlets, self._enclose), checkpoints)
        self._owned[partition] = owned
        if self.leases.held.get(lease_key(partition)) != term:
            self._lose(partition, "the lease on the partition ended while it was taken")
            return
        self._router.add_owner(owner)
        relay.start()
        checkpoints.start()
        subject = commands_subject(partition, term)
        owned.service = await serve(self._connection, subject, lambda data: self._router.answer(partition, data))
        await publish(self._connection, OWNERS_SUBJECT, encode(Owns(SCHEMA, partition, term)))
        self.begun.set()
        self._on_taken(partition)

    # --- giving up ---------------------------------------------------------------------------------------------------

    async def _cover(self, partition: int) -> None:
        """Make a last checkpoint, while the partition is still served: its next owner has little to read then."""
        owned = self._owned.get(partition)
        if owned is not None:
            await owned.checkpoints.close()
            with contextlib.suppress(LogError):  # the next owner reads more
                await owned.checkpoints.make()

    async def _hand_over(self, partition: int) -> None:
        """Let what was decided reach the disk, then leave the partition to its next owner; who asks meanwhile waits."""
        owned = self._owned.get(partition)
        if owned is not None:
            await owned.checkpoints.close()
            await owned.sender.drain()
            owned.relay.close()
            self._router.remove_owner(partition)
            await owned.owner.drain()
            self._owned.pop(partition, None)
            if owned.service is not None:
                await owned.service.stop()
        self.failed.pop(partition, None)
        await self.leases.release(lease_key(partition))
        logger.info("partition handed over", partition=partition)

    def _lose(self, partition: int, why: str) -> None:
        """The partition is no longer this worker's, or must not be: forget it. Whoever gets its lease takes it anew."""
        owned = self._owned.pop(partition, None)
        if owned is None:
            return
        logger.error("partition lost", partition=partition, because=why)
        self._router.remove_owner(partition)
        owned.relay.close()
        owned.owner.close(why)
        closing = asyncio.create_task(self._clear_up(partition, owned), name=f"lost-{partition}")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _clear_up(self, partition: int, owned: Owned) -> None:
        if owned.service is not None:
            await owned.service.abandon()
        await owned.checkpoints.close()
        if self.leases.held.get(lease_key(partition)) == owned.term:
            await self.leases.release(lease_key(partition))
        await owned.sender.drain()

    async def drain(self) -> None:
        """Let what was decided reach the disk, leave all partitions to others, and end the session."""
        for outlet in self.outlets.values():
            outlet.stop()
        with contextlib.suppress(BusError, TimeoutError):
            async with asyncio.timeout(TRY_S):  # while NATS is away nobody can be told
                await self.leases.leave()
        await asyncio.gather(*(self._hand_over(partition) for partition in list(self._owned)))
        await self.leases.close()

    # --- what happens in them ----------------------------------------------------------------------------------------

    def _committed(self, partition: int, seq: int, records: Sequence[Record]) -> None:
        owned = self._owned[partition]
        owned.busy += len(records)
        self._reached[partition] = seq
        owned.relay.offer(seq, records)
        for record in records:
            owned.sender.offer(record)

    def _delivered(self, data: bytes) -> None:
        self._router.delivered(decode_pushes(data))

    def _owner_serves(self, data: bytes) -> None:
        owns = decode_owns(data)
        self._router.served(owns.partition, owns.term)

    def owns(self, partition: int) -> bool:
        """Whether commands for this partition are decided here."""
        return partition in self._owned

    def state(self, entity: str) -> Any:
        """The state of an entity that lives in this worker, or None."""
        owned = self._owned.get(partition_of(entity))
        return None if owned is None else owned.owner.state(entity)

    def upkeep(self) -> None:
        """Forget gateways that are gone; to be called every minute or so."""
        for owned in self._owned.values():
            owned.busy //= 2
            if self._router.pushes is not None:
                owned.owner.readers.forget_watchers(self._clock.now_ms() - UNSEEN_MS, self._router.pushes)

    @property
    def home(self) -> int:
        """Where this worker opens new conversations: few partitions are busy, so their batches stay large.

        A worker that owns none opens them in another one's. Raises LogError when nobody is known to own any.
        """
        if self._home not in self._owned:
            held = [partition for partition, holder in enumerate(self._holders()) if holder is not None]
            if not self._owned and not held:
                raise LogError("; ".join(self.failed.values()) or "no partition has an owner at this moment")
            self._home = min(self._owned or held)
        return self._home

    @property
    def stopped(self) -> dict[str, str]:
        """Entities that take nothing more, and why."""
        return {entity: why for owned in self._owned.values() for entity, why in owned.owner.stopped.items()}


def lease_key(partition: int) -> str:
    """The lease that says who owns the partition."""
    return f"partition.{partition}"
