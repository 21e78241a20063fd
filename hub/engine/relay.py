"""The relay: a partition's follower in its owner's process, which sends the commands that events call for elsewhere.

In log order; to one target partition one request at a time, so that nothing overtakes; targets side by side. Where
it is (the oldest log sequence with something unfinished) rides in the partition's next batch: an owner that takes
over starts again from there, and each target knows by the origin what it has had.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import structlog

from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import Record
from hub.domain.ids import kind_of, partition_of
from hub.engine.calls import STOPPED, UNAVAILABLE, Outcome
from hub.engine.kinds import Kind
from hub.engine.owner import Owner

AGAIN_S = 0.05
AT_ONCE = 256
"""So many commands go in one request."""

logger = structlog.get_logger("relay")


class Relayed(NamedTuple):
    """One command on its way."""

    entity: str
    command: AnyCommand
    origin: Origin


class Carrier(Protocol):
    """How relayed commands reach their partition: the router."""

    def relay(self, partition: int, commands: Sequence[Relayed], done: Callable[[Sequence[Outcome]], None]) -> None:
        """Submit the commands in order; after an `unavailable` one none of the later ones has been carried out."""


class Relay:
    """One partition's relay."""

    def __init__(self, owner: Owner, kinds: dict[str, Kind], carrier: Carrier, epoch: int) -> None:
        self._owner, self._kinds, self._carrier, self._epoch = owner, kinds, carrier, epoch
        self._waiting: dict[int, deque[Relayed]] = {}
        self._flying: set[int] = set()
        self._open: dict[int, int] = {}
        """Log sequence → commands not done yet; in order, so the first key is the oldest unfinished."""
        self._closed = False

    def start(self) -> None:
        """Go on where the owner before had come to."""
        for seq, epoch, records in self._owner.unrelayed:
            self.offer(seq, records, epoch)
        self._owner.unrelayed.clear()

    def close(self) -> None:
        """Send nothing more."""
        self._closed = True

    @property
    def lag(self) -> int:
        """Commands that are not done yet."""
        return sum(self._open.values())

    def offer(self, seq: int, records: Sequence[Record], epoch: int = 0) -> None:
        """The batch `seq`, of `epoch` or (0) of the present one, is in the log: send what its events call for.

        A command that is sent once more must have the origin that it had, also when the epoch has risen since.
        """
        index = 0
        touched = set()
        for record in records:
            for entity, command in self._kinds[kind_of(record.entity)].reactions(record):
                origin = Origin(self._owner.partition, epoch or self._epoch, seq, index)
                target = partition_of(entity)
                self._waiting.setdefault(target, deque()).append(Relayed(entity, command, origin))
                touched.add(target)
                index += 1
        if index:
            self._open[seq] = index
        elif not self._open:
            self._owner.relayed = seq
        for target in touched:
            self._send(target)

    def _send(self, target: int) -> None:
        waiting = self._waiting[target]
        if self._closed or target in self._flying or not waiting:
            return
        commands = [waiting[i] for i in range(min(AT_ONCE, len(waiting)))]
        self._flying.add(target)
        self._carrier.relay(target, commands, lambda outcomes: self._arrived(target, outcomes))

    def _arrived(self, target: int, outcomes: Sequence[Outcome]) -> None:
        self._flying.discard(target)
        waiting = self._waiting[target]
        for outcome in outcomes:
            denied = outcome.denied
            if denied is not None and denied.code == UNAVAILABLE:
                if not self._closed:
                    asyncio.get_running_loop().call_later(AGAIN_S, self._send, target)
                return
            done = waiting.popleft()
            if denied is None or denied.code != STOPPED:
                self._finish(done.origin.seq)
            if denied is not None and denied.code not in (STOPPED, "repeated"):
                logger.error("relayed command refused", entity=done.entity, code=denied.code, because=denied.message)
        self._send(target)

    def _finish(self, seq: int) -> None:
        """One command of the batch `seq` is done. One for a stopped entity never is: it comes again after a restart."""
        self._open[seq] -= 1
        if not self._open[seq]:
            oldest = next(iter(self._open))
            newest = next(reversed(self._open))
            del self._open[seq]
            if seq == oldest:
                self._owner.relayed = next(iter(self._open), newest + 1) - 1
