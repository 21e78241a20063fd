"""An entity as its owner holds it: the state, the last events, and who watches."""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from hub.domain import images
from hub.domain.batch import Entry, decode_entry
from hub.domain.events import Record
from hub.domain.views import Audience, view, withheld
from hub.engine.calls import Denied, Page, Pushes
from hub.engine.kinds import Kind
from hub.engine.recent import Recent

RECENT = 50
"""So many events a page has at most, and an image."""
PAGE_BYTES = 256 * 1024
"""A page of long messages has fewer than that many: it travels in one message of NATS, with others."""
OLDER = "older"
"""`Denied.code` of a page that lies before what is in memory; `seq` is the oldest that is there."""

_encode = msgspec.json.Encoder().encode


class Slot:
    """One entity of a partition. Only its owner touches it."""

    __slots__ = ("entity", "kind", "logged", "recent", "saved", "spoilt", "state", "stopped", "watchers", "were")

    def __init__(self, entity: str, kind: Kind) -> None:
        self.entity = entity
        self.kind = kind
        self.state: Any = kind.new(entity)
        self.recent = Recent()
        self.watchers: dict[tuple[Audience, Pushes], float] = {}
        """Who hears of its events, and when (Unix ms) they last said that they want to."""
        self.stopped = ""
        """Why it takes nothing more; empty: it does."""
        self.spoilt = False
        """The state is not what the log says: no image may be made of it."""
        self.logged = 0
        """The last seq that is known to be in the log: the state may run ahead of it."""
        self.saved = 0
        """The last seq that is in its stored image."""
        self.were = 0
        """The last seq when it was last looked at whether anybody still uses it."""

    def restore(self, data: bytes) -> Iterator[None]:
        """Become what an image says, step by step. Raises ValueError when it cannot be read, or is another entity's."""
        image, lines = images.decode_image(data)
        if image.entity != self.entity:
            raise ValueError(f"it is the image of {image.entity}")
        large = self.kind.large
        state = yield from images.out_of_parts(large.type if large else self.kind.state, lines)
        self.state = (yield from large.rebuilt(state)) if large else state
        self.recent.load([bytes(entry) for entry in image.recent])
        self.logged = self.saved = self.state.seq

    def image(self) -> Iterator[bytes]:
        """The state and the last events as they are now, encoded, in parts. The state may run ahead of the log."""
        large = self.kind.large
        state = images.in_parts(large.kept(self.state)) if large else (_encode(self.state),)
        return images.encode_image(self.entity, state, self.recent.last(RECENT))

    def replay(self, entry: Entry, encoded: bytes, mended: bool = False) -> None:
        """Evolve by an event of the log; one that the image holds already changes nothing.

        Raises ValueError when events are missing before it, unless the log is `mended`.
        """
        seq: int = self.state.seq
        if entry.record.seq <= seq:
            return
        if entry.record.seq != seq + 1:
            self.recent.clear()  # a page is a stretch without holes
            if not mended:
                raise ValueError(f"after its event {seq} comes {entry.record.seq}")
        self.kind.evolve(self.state, entry.record, entry.origin)
        self.recent.append(encoded)
        self.logged = self.state.seq

    def last_seq(self, audience: Audience) -> int:
        """The last event that `audience` may see."""
        seq: int = self.kind.prev(self.state) if audience == "visitor" else self.state.seq
        return seq

    def latest(self, audience: Audience, after: int, epoch: int, own_epoch: int) -> Page:
        """The events after `after` that are in memory, for one audience; its `resumed` judges after and epoch."""
        last = self.last_seq(audience)
        resumed = after <= last and epoch in (0, own_epoch)
        frames, oldest = self._frames(audience, after if resumed else 0, self.state.seq + 1)
        return Page(
            self.entity,
            own_epoch,
            last,
            frames,
            resumed=resumed,
            more=oldest - 1 > after,
            tabs={name: tab.n for name, tab in getattr(self.state, "tabs", {}).items() if "/" not in name},
            serving=self._serving(),
        )

    def _serving(self) -> tuple[str, ...]:
        return tuple(getattr(self.state, "serving", ()))

    def page(self, audience: Audience, after: int, before: int, own_epoch: int) -> Page | Denied:
        """What is in memory of the events between `after` and `before`; OLDER when only older ones are asked for."""
        frames, oldest = self._frames(audience, after, before)
        more = oldest - 1 > after and oldest > 1
        if not frames and more:
            return Denied(OLDER, "not in memory", seq=min(oldest, before), hidden=self._hidden(audience))
        return Page(self.entity, own_epoch, self.last_seq(audience), frames, more=more, serving=self._serving())

    def _hidden(self, audience: Audience) -> tuple[int, ...]:
        """The events whose words this audience gets no more."""
        return getattr(self.state, "hidden", ()) if audience == "visitor" else ()

    def _frames(self, audience: Audience, after: int, before: int) -> tuple[tuple[msgspec.Raw, ...], int]:
        """The latest frames with after < seq < before, at most PAGE_BYTES; and the oldest seq that was looked at."""
        upto = min(before - 1, self.state.seq)
        first = max(after, self.state.seq - len(self.recent)) + 1
        entries = self.recent.last(self.state.seq - first + 1) if first <= upto else []
        page = Frames(audience, self._hidden(audience))
        for seq in range(upto, first - 1, -1):
            if not page.add(decode_entry(entries[seq - first]).record):
                return page.in_order(), seq + 1
        return page.in_order(), self.state.seq - len(self.recent) + 1


class Frames:
    """The frames of one page, gathered from the newest event back: RECENT at most, and PAGE_BYTES of several.

    Of the events `hidden` it has no words.
    """

    def __init__(self, audience: Audience, hidden: Collection[int] = ()) -> None:
        self._audience, self._hidden = audience, hidden
        self._frames: list[msgspec.Raw] = []
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Nothing that the audience may see can be added."""
        return len(self._frames) == RECENT or self._bytes > PAGE_BYTES

    def add(self, record: Record) -> bool:
        """Whether the next older event has its place in the page; one that the audience may not see takes none."""
        frame = encode_frame(withheld(record) if record.seq in self._hidden else record, self._audience)
        if frame is None:
            return True
        if self._frames and (self.full or self._bytes + len(frame) > PAGE_BYTES):
            return False
        self._frames.append(msgspec.Raw(frame))
        self._bytes += len(frame)
        return True

    def in_order(self) -> tuple[msgspec.Raw, ...]:
        """The frames, oldest first."""
        return tuple(reversed(self._frames))


def encode_frame(record: Record, audience: Audience) -> bytes | None:
    """The event frame of protocol v1 for one audience, or None where it may not see the event."""
    frame = view(record, audience)
    return None if frame is None else _encode(frame)
