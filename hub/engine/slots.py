"""An entity as its owner holds it: the state, the last events, and who watches."""

from typing import Any

import msgspec

from hub.domain.batch import decode_entry
from hub.domain.events import Record
from hub.domain.views import Audience, view
from hub.engine.calls import Denied, Page, Pushes
from hub.engine.kinds import Kind

RECENT = 50
"""So many events of an entity stay in memory, encoded."""
OLDER = "older"
"""`Denied.code` of a page that lies before what is in memory; `seq` is the oldest that is there."""

_encode = msgspec.json.Encoder().encode


class Slot:
    """One entity of a partition. Only its owner touches it."""

    __slots__ = ("entity", "kind", "recent", "state", "stopped", "watchers")

    def __init__(self, entity: str, kind: Kind) -> None:
        self.entity = entity
        self.kind = kind
        self.state: Any = kind.new(entity)
        self.recent: list[bytes] = []
        self.watchers: dict[Audience, dict[Pushes, float]] = {}
        self.stopped = ""

    def keep(self, entry: bytes) -> None:
        """Remember an encoded entry as the entity's last event."""
        self.recent.append(entry)
        if len(self.recent) > RECENT:
            del self.recent[0]

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
            return Denied(OLDER, "not in memory", seq=min(oldest, before))
        return Page(self.entity, own_epoch, self.last_seq(audience), frames, more=more, serving=self._serving())

    def _frames(self, audience: Audience, after: int, before: int) -> tuple[tuple[msgspec.Raw, ...], int]:
        """Frames with after < seq < before, and the seq of the oldest event in memory."""
        oldest = self.state.seq - len(self.recent) + 1
        chosen = self.recent[max(0, after + 1 - oldest) : max(0, before - oldest)]
        frames = (encode_frame(decode_entry(entry).record, audience) for entry in chosen)
        return tuple(msgspec.Raw(frame) for frame in frames if frame is not None), oldest


def encode_frame(record: Record, audience: Audience) -> bytes | None:
    """The event frame of protocol v1 for one audience, or None where it may not see the event."""
    frame = view(record, audience)
    return None if frame is None else _encode(frame)
