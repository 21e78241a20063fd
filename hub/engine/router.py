"""The router: from an entity to the owner of its partition, here or in another worker. One in each worker."""

import asyncio
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from hub.bus.connection import Connection
from hub.domain.batch import decode_record
from hub.domain.commands import AnyCommand
from hub.domain.ids import partition_of
from hub.domain.looks import Question
from hub.domain.refusals import NotFound
from hub.domain.views import Audience
from hub.engine.calls import UNAVAILABLE, Denied, Listed, Outcome, Page, Pushes, Seen, Wanted
from hub.engine.listing import joined
from hub.engine.owner import Owner
from hub.engine.peers import Peer, RemotePushes
from hub.engine.relay import Relayed
from hub.engine.slots import OLDER, RECENT, Frames
from hub.engine.wire import (
    Answer,
    Ask,
    Forward,
    GetPage,
    ListQueued,
    Look,
    PushedList,
    Submit,
    Unwatch,
    Watch,
    decode_asks,
    encode_answers,
)

logger = structlog.get_logger("router")


class History(Protocol):
    """Where events are that are no longer in memory (hub.history.queries)."""

    async def events(self, entity: str, after: int, before: int, limit: int) -> list[bytes]:
        """The latest `limit` encoded records with after < seq < before, in order."""


class Router:
    """Implements hub.engine.calls.Calls, and carries relayed commands."""

    def __init__(self, worker: str, connection: Connection, history: History, *, partitions: int, epoch: int) -> None:
        self.worker = worker
        self.pushes: Pushes | None = None
        """This worker's gateway; set before the first watch."""
        self.refusing = ""
        """Why no command of a client is taken at this moment; what the log has promised is carried on all the same."""
        self._connection, self._history = connection, history
        self._partitions, self._epoch = partitions, epoch
        self._owners: dict[int, Owner] = {}
        self._terms: dict[int, int] = {}
        self._peers: dict[int, Peer] = {}
        self._remotes: dict[str, RemotePushes] = {}
        self._senders: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._reading: set[asyncio.Task[None]] = set()

    # --- who owns what ---------------------------------------------------------------------------------------------

    def add_owner(self, owner: Owner) -> None:
        """From now on this partition's commands are function calls."""
        self._owners[owner.partition] = owner

    def remove_owner(self, partition: int) -> None:
        """From now on they go to its next owner, and are held until there is one."""
        self._owners.pop(partition, None)

    def owned(self, partition: int, term: int) -> None:
        """Somebody, here or elsewhere, holds the partition in `term`; they may not serve it yet."""
        if term > self._terms.get(partition, 0):
            self._terms[partition] = term
            if partition in self._peers:
                self._peers[partition].owned(term)

    def served(self, partition: int, term: int) -> None:
        """A new owner has reported, here or elsewhere."""
        self.owned(partition, term)
        if partition in self._peers:
            self._peers[partition].served(term)
        if self.pushes is not None:
            self.pushes.owner_changed(partition)

    def _ask(self, partition: int, ask: Ask, done: Callable[[Any], None] | None) -> None:
        """Ask the partition's owner, who is elsewhere. An id is anybody's text: it may name a partition we have not."""
        peer = self._peers.get(partition)
        if peer is None:
            if partition >= self._partitions:
                if done is not None:
                    done(Denied(NotFound.code, f"there is no partition {partition} here"))
                return
            peer = self._peers[partition] = Peer(self._connection, partition, self._terms.get(partition, 0))
        peer.ask(ask, done)

    def _remote(self, worker: str) -> RemotePushes:
        remote = self._remotes.get(worker)
        if remote is None:
            remote = self._remotes[worker] = RemotePushes(self._connection, worker)
        return remote

    # --- calls from gateway and API --------------------------------------------------------------------------------

    def submit(self, entity: str, command: AnyCommand, done: Callable[[Outcome], None], sender: object = None) -> None:
        """As hub.engine.calls.Calls."""
        if self.refusing:
            done(Outcome(denied=Denied(UNAVAILABLE, self.refusing)))
            return
        partition = partition_of(entity)
        owner = self._owners.get(partition)
        if owner is not None:
            owner.submit(entity, command, done, None, sender)
            return
        key = 0
        if sender is not None:
            key = id(sender)
            self._senders[key] = sender
        self._ask(partition, Submit(entity, command, None, self.worker, key), lambda a: done(_as_outcome(a)))

    def watch(
        self, entity: str, audience: Audience, after: int, epoch: int, done: Callable[[Page | Denied], None]
    ) -> None:
        """As hub.engine.calls.Calls."""
        partition = partition_of(entity)
        owner = self._owners.get(partition)
        if owner is not None:
            assert self.pushes is not None
            owner.readers.watch(entity, audience, after, epoch, self.pushes, done)
        else:
            self._ask(partition, Watch(entity, audience, after, epoch, self.worker), done)

    def unwatch(self, entity: str, audience: Audience) -> None:
        """As hub.engine.calls.Calls."""
        partition = partition_of(entity)
        owner = self._owners.get(partition)
        if owner is not None:
            assert self.pushes is not None
            owner.readers.unwatch(entity, audience, self.pushes)
        else:
            self._ask(partition, Unwatch(entity, audience, self.worker), None)

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        """As hub.engine.calls.Calls."""
        partition = partition_of(entity)
        owner = self._owners.get(partition)
        if owner is not None:
            owner.readers.signal(entity, audience, frame)
        else:
            self._ask(partition, Forward(entity, audience, frame), None)

    def page(
        self, entity: str, audience: Audience, after: int, before: int, done: Callable[[Page | Denied], None]
    ) -> None:
        """As hub.engine.calls.Calls: from the owner's memory, and from the history what is older."""

        def answered(page: Page | Denied) -> None:
            if isinstance(page, Denied) and page.code == OLDER:
                reading = asyncio.create_task(self._older(entity, audience, after, page, done))
                self._reading.add(reading)
                reading.add_done_callback(self._reading.discard)
            else:
                done(page)

        partition = partition_of(entity)
        owner = self._owners.get(partition)
        if owner is not None:
            owner.readers.page(entity, audience, after, before, answered)
        else:
            self._ask(partition, GetPage(entity, audience, after, before), answered)

    def look(self, entity: str, question: Question, done: Callable[[Seen | Denied], None]) -> None:
        """As hub.engine.calls.Calls."""
        partition = partition_of(entity)
        owner = self._owners.get(partition)
        if owner is not None:
            owner.readers.look(entity, question, done)
        else:
            self._ask(partition, Look(entity, question), done)

    def queued(self, entity: str, wanted: Wanted, done: Callable[[Listed | Denied], None]) -> None:
        """As hub.engine.calls.Calls."""
        listing = asyncio.create_task(self._list(entity, wanted, done))
        self._reading.add(listing)
        listing.add_done_callback(self._reading.discard)

    async def _list(self, entity: str, wanted: Wanted, done: Callable[[Listed | Denied], None]) -> None:
        """Owners elsewhere are asked side by side, those here one by one: all of them have their turns of one loop."""
        partitions = {partition_of(entity)} if entity else set(range(self._partitions))
        here = partitions & self._owners.keys()  # as of now: until it is asked it may be another worker's
        far = [self._listed(partition, entity, wanted) for partition in partitions - here]
        near = [await self._listed(partition, entity, wanted) for partition in here]
        answers = [*near, *await asyncio.gather(*far)]
        denied = next((answer for answer in answers if isinstance(answer, Denied)), None)
        done(denied or joined([answer for answer in answers if isinstance(answer, Listed)], wanted.limit))

    def _listed(self, partition: int, entity: str, wanted: Wanted) -> asyncio.Future[Listed | Denied]:
        answered: asyncio.Future[Listed | Denied] = asyncio.get_running_loop().create_future()
        owner = self._owners.get(partition)
        if owner is not None:
            owner.readers.queued(entity, wanted, answered.set_result)
        else:
            self._ask(partition, ListQueued(entity, wanted), answered.set_result)
        return answered

    async def _older(
        self, entity: str, audience: Audience, after: int, older: Denied, done: Callable[[Page | Denied], None]
    ) -> None:
        """A page from the history. It is never short: a seq that the follower has not written yet means `retry`."""
        page, upto, fits = Frames(audience, older.hidden), older.seq, True
        while upto - 1 > after and fits and not page.full:
            bodies = await self._history.events(entity, after, upto, RECENT)
            records = [decode_record(body) for body in bodies]
            if [r.seq for r in records] != list(range(upto - len(records), upto)) or not records:
                done(Denied(UNAVAILABLE, f"events before {upto} are not in the history yet"))
                return
            for record in reversed(records):
                fits = page.add(record)
                if not fits:
                    break
                upto = record.seq
        done(Page(entity, self._epoch, 0, page.in_order(), more=upto - 1 > after))

    # --- relayed commands ------------------------------------------------------------------------------------------

    def relay(self, partition: int, commands: Sequence[Relayed], done: Callable[[Sequence[Outcome]], None]) -> None:
        """As hub.engine.relay.Carrier."""
        outcomes: list[Outcome | None] = [None] * len(commands)
        missing = len(commands)
        broken = False

        def arrived(index: int, outcome: Outcome) -> None:
            nonlocal missing, broken
            outcomes[index] = outcome
            missing -= 1
            broken = broken or (outcome.denied is not None and outcome.denied.code == UNAVAILABLE)
            if not missing:
                done([outcome for outcome in outcomes if outcome is not None])

        owner = self._owners.get(partition)
        for index, relayed in enumerate(commands):
            if owner is None:
                submit = Submit(relayed.entity, relayed.command, relayed.origin)
                self._ask(partition, submit, lambda a, i=index: arrived(i, _as_outcome(a)))  # type: ignore[misc]
            elif broken:
                arrived(index, Outcome(denied=Denied(UNAVAILABLE, "an earlier one was not carried out")))
            else:
                owner.submit(relayed.entity, relayed.command, lambda o, i=index: arrived(i, o), relayed.origin)  # type: ignore[misc]

    # --- what other workers ask ------------------------------------------------------------------------------------

    async def answer(self, partition: int, payload: bytes) -> bytes:
        """Carry out another worker's asks, in order, and answer when all are done; no answers: not the owner."""
        asks = decode_asks(payload).asks
        owner = self._owners.get(partition)
        if owner is None or owner.closed:
            return encode_answers([])
        answers: list[Answer | None] = [None] * len(asks)
        missing = len(asks)
        ready = asyncio.get_running_loop().create_future()

        def arrived(index: int, answer: Answer | None) -> None:
            nonlocal missing
            answers[index] = answer
            missing -= 1
            if not missing and not ready.done():
                ready.set_result(None)

        for index, ask in enumerate(asks):
            self._answer_one(owner, ask, lambda a, i=index: arrived(i, a))  # type: ignore[misc]
        await ready
        return encode_answers(answers)

    def _answer_one(self, owner: Owner, ask: Ask, done: Callable[[Answer | None], None]) -> None:
        match ask:
            case Submit(entity, command, origin, worker, sender):
                owner.submit(entity, command, done, origin, (worker, sender) if sender else None)
            case Watch(entity, audience, after, epoch, worker):
                owner.readers.watch(entity, audience, after, epoch, self._remote(worker), done)
            case Unwatch(entity, audience, worker):
                owner.readers.unwatch(entity, audience, self._remote(worker))
                done(None)
            case GetPage(entity, audience, after, before):
                owner.readers.page(entity, audience, after, before, done)
            case Look(entity, question):
                owner.readers.look(entity, question, done)
            case ListQueued(entity, wanted):
                owner.readers.queued(entity, wanted, done)
            case Forward(entity, audience, frame):
                owner.readers.signal(entity, audience, frame)
                done(None)

    def delivered(self, pushed: PushedList) -> None:
        """Another worker's owner pushes to the sockets of this one."""
        if self.pushes is None:
            return
        for push in pushed.pushes:
            if push.what == "event":
                but = self._senders.get(push.but) if push.but else None
                self.pushes.push(push.entity, push.audience, push.seq, push.frame, but)
            elif push.what == "signal":
                self.pushes.signal(push.entity, push.audience, push.frame)
            else:
                self.pushes.serving(push.entity, push.conversation, push.on)


def _as_outcome(answer: Outcome | Denied) -> Outcome:
    return Outcome(denied=answer) if isinstance(answer, Denied) else answer
