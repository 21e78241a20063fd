"""Who reads a partition, and who watches it: pages, questions, lists, and pushes of what happens.

Nothing is told that is not on disk: an answer waits for the commits before it.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from hub.domain.events import Record
from hub.domain.looks import Question
from hub.domain.refusals import NotFound
from hub.domain.views import ACKED, Audience, serving_change
from hub.engine.calls import STOPPED, Denied, Listed, Page, Pushes, Seen, Wanted, as_denied
from hub.engine.commits import Commits
from hub.engine.entities import Entities
from hub.engine.listing import newest
from hub.engine.slots import Slot, encode_frame

logger = structlog.get_logger("readers")


class Readers:
    """Those of one partition. `denied` says why nothing can be read at this moment; None: it can."""

    def __init__(
        self,
        partition: int,
        entities: Entities,
        commits: Commits,
        epoch: int,
        now_ms: Callable[[], int],
        denied: Callable[[], Denied | None],
    ) -> None:
        self._partition, self._entities, self._commits = partition, entities, commits
        self._epoch, self._now_ms, self._denied = epoch, now_ms, denied
        self._slots = entities.slots
        self._listing: set[asyncio.Task[None]] = set()

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
        slot = self._readable(entity, partial(self.watch, entity, audience, after, epoch, pushes, done), done)
        if slot is None:
            return
        page = slot.latest(audience, after, epoch, self._epoch)

        def committed() -> None:
            slot.watchers[audience, pushes] = self._now_ms()
            done(page)

        self._commits.after(committed, done)

    def unwatch(self, entity: str, audience: Audience, pushes: Pushes) -> None:
        """Push no more of it to `pushes`."""
        slot = self._slots.get(entity)
        if slot is not None and slot.watchers.pop((audience, pushes), None) is not None:
            self._entities.drop_unused(slot)

    def page(
        self, entity: str, audience: Audience, after: int, before: int, done: Callable[[Page | Denied], None]
    ) -> None:
        """Answer what is in memory of the events between `after` and `before`."""
        slot = self._readable(entity, partial(self.page, entity, audience, after, before, done), done)
        if slot is None:
            return
        page = slot.page(audience, after, before, self._epoch)
        self._entities.drop_unused(slot)
        self._commits.after(lambda: done(page), done)

    def look(self, entity: str, question: Question, done: Callable[[Seen | Denied], None]) -> None:
        """Answer a question from the entity's state, once all that it tells of is on disk."""
        slot = self._readable(entity, partial(self.look, entity, question, done), done)
        if slot is None:
            return
        try:
            answer: Seen | Denied = Seen(slot.kind.look(slot.state, question, self._now_ms()))
        except NotFound as refusal:
            answer = as_denied(refusal)
        self._entities.drop_unused(slot)
        if slot.logged == slot.state.seq:
            done(answer)
        else:
            self._commits.after(lambda: done(answer), done)

    def queued(self, entity: str, wanted: Wanted, done: Callable[[Listed | Denied], None]) -> None:
        """Answer what waits to be sent to the entity, or to any, once all that this tells of is on disk."""
        listing = asyncio.create_task(self._list(entity, wanted, done), name=f"list-{self._partition}")
        self._listing.add(listing)
        listing.add_done_callback(self._listing.discard)

    async def _list(self, entity: str, wanted: Wanted, done: Callable[[Listed | Denied], None]) -> None:
        try:
            listed = await newest(self._entities, entity, wanted, self._now_ms())
        except Exception as error:
            logger.exception("list", partition=self._partition)
            done(Denied(STOPPED, f"what waits in partition {self._partition} cannot be told: {error}"))
            return
        if (denied := self._denied()) is not None:
            done(denied)
        else:
            self._commits.after(lambda: done(listed), done)

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        """Hand on a frame that takes no seq."""
        slot = self._slots.get(entity)
        if slot is not None:
            for hears, pushes in tuple(slot.watchers):
                if hears == audience:
                    pushes.signal(entity, audience, frame)

    def forget_watchers(self, unseen_since_ms: int, kept: Pushes) -> None:
        """Drop watchers that have not said for long that they still watch; `kept` is the one of this process."""
        for slot in list(self._slots.values()):
            for (audience, pushes), seen_ms in list(slot.watchers.items()):
                if seen_ms < unseen_since_ms and pushes is not kept:
                    self.unwatch(slot.entity, audience, pushes)

    def push(self, slot: Slot, record: Record, sender: object) -> None:
        """Tell those who watch of an event that is on disk; not `sender`, whom its acknowledgement tells all."""
        entity, seq = slot.entity, record.seq
        but = sender if isinstance(record.event, ACKED) else None
        frames: dict[Audience, bytes | None] = {}
        for audience, pushes in tuple(slot.watchers):  # a push may close a socket, which watches no more
            if but is not None and pushes.skip(entity, audience, seq, but):
                continue
            if audience not in frames:  # made once, and only if somebody hears it
                frames[audience] = encode_frame(record, audience)
            frame = frames[audience]
            if frame is not None:
                pushes.push(entity, audience, seq, frame, but)
        if but is None:
            change = serving_change(record.event)
            if change is not None:
                for audience, pushes in tuple(slot.watchers):
                    if audience == "agent":
                        pushes.serving(entity, *change)

    def _readable(self, entity: str, again: Callable[[], None], done: Callable[[Denied], None]) -> Slot | None:
        """Whom a reader asks. None: `done` was told why not, or `again` is called once the entity has been made."""
        if (denied := self._denied()) is not None:
            done(denied)
            return None
        slot = self._slots.get(entity) or self._entities.at_hand(entity)
        if slot is None:
            self._entities.fetch(entity, again)
        elif slot.spoilt:
            done(Denied(STOPPED, slot.stopped))
            return None
        return slot
