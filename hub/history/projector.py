"""What the log becomes in SQL. Pure: the same batch, read again or from the middle on, gives the same rows."""

from typing import Any

import msgspec

from hub.domain import events as e
from hub.domain.batch import SCHEMA, decode_record
from hub.domain.ids import CONVERSATION, PLATFORM, kind_of
from hub.errors import UnreadableBatch
from hub.history.deliveries import DELIVERING, delivery, storable

Row = dict[str, Any]

_CONVERSATIONS = (CONVERSATION, PLATFORM)


class _Event(msgspec.Struct, gc=False):
    type: str


class _Record(msgspec.Struct, gc=False):
    """A record as far as every version knows it."""

    entity: str
    seq: int
    at_ms: int
    event: _Event


class _Entry(msgspec.Struct, gc=False):
    record: msgspec.Raw


class _Batch(msgspec.Struct):
    schema: int
    epoch: int
    entries: list[_Entry] = []


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_record = msgspec.json.Decoder(_Record).decode


class Position(msgspec.Struct, frozen=True):
    """How far a partition has been read; with `alarm`: why no further."""

    seq: int
    epoch: int
    alarm: str = ""


class Rows(msgspec.Struct):
    """What one or several batches put into the tables.

    The row of a conversation or delivery has only the columns that they change.
    """

    events: list[tuple[str, int, bytes]] = []
    """Entity, seq, body."""
    conversations: dict[str, Row] = {}
    deliveries: dict[tuple[str, int], Row] = {}
    """By entity and number of the attempt."""
    unparsed: list[Row] = []
    positions: dict[int, Position] = {}

    def add(self, later: "Rows") -> None:
        """Take in what comes after it; of one partition always in the order of the log."""
        self.events += later.events
        for entity, row in later.conversations.items():
            self.conversations.setdefault(entity, {}).update(row)
        for key, row in later.deliveries.items():
            self.deliveries.setdefault(key, {}).update(row)
        self.unparsed += later.unparsed
        self.positions |= later.positions


def project(partition: int, seq: int, data: bytes) -> Rows:
    """The rows of the batch at `seq` of a partition's log. Raises UnreadableBatch."""
    try:
        batch = _decode_batch(data)
        if batch.schema > SCHEMA:
            raise ValueError(f"its schema is {batch.schema}, this version knows {SCHEMA}")
        rows = Rows(positions={partition: Position(seq, batch.epoch)})
        for entry in batch.entries:
            _add_record(rows, bytes(entry.record))
    except ValueError as error:
        raise UnreadableBatch(partition, seq, f"it cannot be read: {error}") from error
    return rows


def _add_record(rows: Rows, body: bytes) -> None:
    record = _decode_record(body)
    entity, seq = record.entity, record.seq
    rows.events.append((entity, seq, body))
    kind = kind_of(entity)
    if kind in _CONVERSATIONS:
        row = rows.conversations.get(entity)
        if row is None:
            row = rows.conversations[entity] = {"entity": entity}
        row["seq"] = seq
        row["at_ms"] = record.at_ms
        if record.event.type in _TELLING:
            row |= _changes(decode_record(body))
    if kind != CONVERSATION:  # nothing is delivered to a visitor with a socket
        if record.event.type in DELIVERING:
            changed = delivery(decode_record(body))
            rows.deliveries.setdefault((entity, changed["attempt"]), {}).update(changed)
        elif record.event.type == e.Unparsed.__name__:
            rows.unparsed.append(_unparsed(decode_record(body)))


def _unparsed(record: e.Record) -> Row:
    assert isinstance(record.event, e.Unparsed)
    return {
        "entity": record.entity,
        "seq": record.seq,
        "channel": record.entity.partition("-")[2],
        "at_ms": record.at_ms,
        "because": storable(record.event.because),
    }


def _changes(record: e.Record) -> Row:
    match record.event:
        case e.Opened(profile=profile):
            return {
                "opened_at_ms": record.at_ms,
                "channel": profile.channel,
                "name": storable(profile.name),
                "stage": "new",
                "agent": "",
            }
        case e.Reopened():
            return {"stage": "new", "agent": ""}
        case e.QueueJoined(team=team):
            return {"stage": "waiting", "team": team}
        case e.Assigned(agent=agent, team=team, no=no):
            return {"stage": "served", "agent": agent, "team": team, "no": no}
        case e.Transferred(team=team):
            return {"stage": "waiting", "agent": "", "team": team}
        case e.Returned():
            return {"stage": "waiting", "agent": ""}
        case e.Closed():
            return {"stage": "closed"}  # whoever had it finds it among those that are closed
    return {}


_TELLING = frozenset(
    kind.__name__ for kind in (e.Opened, e.Reopened, e.QueueJoined, e.Assigned, e.Transferred, e.Returned, e.Closed)
)
"""The kinds that `_changes` knows; all others need not be decoded."""
