"""The partitions that one worker owns, each with its owner, relay and sender."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from hub.bus.connection import Connection
from hub.bus.log import PartitionLog
from hub.bus.requests import publish, serve, subscribe
from hub.contract import Connector
from hub.domain.events import Record
from hub.domain.ids import partition_of
from hub.engine.kinds import Kind
from hub.engine.owner import Owner
from hub.engine.relay import Relay
from hub.engine.router import Router
from hub.engine.sender import Sender
from hub.engine.wire import OWNERS_SUBJECT, commands_subject, decode_pushes, deliver_subject
from hub.errors import LogError

AT_ONCE = 4
"""So many partitions are replayed side by side."""
UNSEEN_MS = 90_000
"""A gateway that has not said for so long that it watches is gone; it says so every 30 s."""

logger = structlog.get_logger("partitions")


class Owned:
    """One partition with everything that follows its commits in this process."""

    def __init__(self, owner: Owner, relay: Relay, sender: Sender) -> None:
        self.owner, self.relay, self.sender = owner, relay, sender


class Partitions:
    """Takes partitions, gives them up, and knows what is wrong with them."""

    def __init__(
        self,
        connection: Connection,
        router: Router,
        kinds: dict[str, Kind],
        connectors: Mapping[str, Connector],
        *,
        epoch: int,
        log_bytes: int,
        now_ms: Callable[[], int],
        on_lost: Callable[[int, str], None],
    ) -> None:
        self._connection, self._router, self._kinds, self._connectors = connection, router, kinds, connectors
        self._epoch, self._log_bytes, self._now_ms, self._on_lost = epoch, log_bytes, now_ms, on_lost
        self._owned: dict[int, Owned] = {}
        self.failed: dict[int, str] = {}
        """Partitions that could not be taken, and why."""

    async def listen(self) -> None:
        """Hear other owners' pushes and of new owners; before the first watch."""
        await subscribe(self._connection, deliver_subject(self._router.worker), self._delivered)
        await subscribe(self._connection, OWNERS_SUBJECT, self._owner_changed)

    async def take(self, partitions: Iterable[int]) -> None:
        """Own these partitions: replay their logs, then serve them. One whose log cannot be trusted stops alone."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one(partition: int) -> None:
            async with places:
                try:
                    await self._take(partition)
                except LogError as error:
                    self.failed[partition] = str(error)
                    logger.critical("partition not taken", partition=partition, because=str(error))

        async with asyncio.TaskGroup() as group:
            for partition in partitions:
                group.create_task(one(partition))

    async def _take(self, partition: int) -> None:
        log = PartitionLog(self._connection, partition, max_bytes=self._log_bytes)
        owner = Owner(
            partition,
            log,
            self._kinds,
            name=self._router.worker,
            epoch=self._epoch,
            now_ms=self._now_ms,
            on_commit=lambda seq, records: self._committed(partition, seq, records),
            on_lost=self._on_lost,
        )
        relay = Relay(owner, self._kinds, self._router, self._epoch)
        owned = Owned(owner, relay, Sender(owner, self._connectors))
        await owner.take()
        self._owned[partition] = owned
        self._router.add_owner(owner)
        relay.start()
        await serve(self._connection, commands_subject(partition), lambda data: self._router.answer(partition, data))
        await publish(self._connection, OWNERS_SUBJECT, str(partition).encode())

    def _committed(self, partition: int, seq: int, records: Sequence[Record]) -> None:
        owned = self._owned[partition]
        owned.relay.offer(seq, records)
        for record in records:
            owned.sender.offer(record)

    def _delivered(self, data: bytes) -> None:
        self._router.delivered(decode_pushes(data))

    def _owner_changed(self, data: bytes) -> None:
        self._router.owner_changed(int(data))

    def state(self, entity: str) -> Any:
        """The state of an entity that lives in this worker, or None."""
        owned = self._owned.get(partition_of(entity))
        return None if owned is None else owned.owner.state(entity)

    def upkeep(self) -> None:
        """Forget gateways that are gone; to be called every minute or so."""
        for owned in self._owned.values():
            if self._router.pushes is not None:
                owned.owner.forget_watchers(self._now_ms() - UNSEEN_MS, self._router.pushes)

    @property
    def home(self) -> int:
        """Where this worker opens new conversations: few partitions are busy, so their batches stay large.

        Raises LogError when it owns none.
        """
        if not self._owned:
            raise LogError("; ".join(self.failed.values()) or "this worker owns no partition")
        return min(self._owned)

    @property
    def stopped(self) -> dict[str, str]:
        """Entities that take nothing more, and why."""
        return {entity: why for owned in self._owned.values() for entity, why in owned.owner.stopped.items()}

    async def drain(self) -> None:
        """Let what was decided reach the disk, then let go of all partitions."""
        for owned in self._owned.values():
            owned.relay.close()
        await asyncio.gather(*(owned.sender.drain() for owned in self._owned.values()))
        await asyncio.gather(*(owned.owner.drain() for owned in self._owned.values()))
