"""What the log becomes in SQL. Pure: the same batch, read again or from the middle on, gives the same rows."""

from typing import Any

import msgspec

from hub.domain import events as e
from hub.domain.batch import SCHEMA, decode_record
from hub.domain.ids import CONVERSATION, kind_of
from hub.errors import UnreadableBatch

Row = dict[str, Any]


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
    """What one or several batches put into the tables. A conversation's row has only the columns that they change."""

    events: list[tuple[str, int, bytes]] = []
    """Entity, seq, body."""
    conversations: dict[str, Row] = {}
    positions: dict[int, Position] = {}

    def add(self, later: "Rows") -> None:
        """Take in what comes after it; of one partition always in the order of the log."""
        self.events += later.events
        for entity, row in later.conversations.items():
            self.conversations.setdefault(entity, {}).update(row)
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
    if kind_of(entity) == CONVERSATION:
        row = rows.conversations.get(entity)
        if row is None:
            row = rows.conversations[entity] = {"entity": entity}
        row["seq"] = seq
        row["at_ms"] = record.at_ms
        if record.event.type in _TELLING:
            row |= _changes(decode_record(body))


def _changes(record: e.Record) -> Row:
    match record.event:
        case e.Opened(profile=profile):
            return {
                "opened_at_ms": record.at_ms,
                "channel": profile.channel,
                "name": profile.name.replace("\0", ""),  # PostgreSQL knows no such text
                "stage": "new",
                "agent": "",
            }
        case e.Reopened():
            return {"stage": "new"}
        case e.QueueJoined(team=team):
            return {"stage": "waiting", "team": team}
        case e.Assigned(agent=agent, team=team, no=no):
            return {"stage": "served", "agent": agent, "team": team, "no": no}
        case e.Returned():
            return {"stage": "waiting", "agent": ""}
        case e.Closed():
            return {"stage": "closed", "agent": ""}
    return {}


_TELLING = frozenset(kind.__name__ for kind in (e.Opened, e.Reopened, e.QueueJoined, e.Assigned, e.Returned, e.Closed))
"""The kinds that `_changes` knows; all others need not be decoded."""
