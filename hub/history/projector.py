"""What the log becomes in SQL. Pure: the same batch, read again or from the middle on, gives the same rows."""

import operator
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import func
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import Insert, insert

from hub.domain import events as e
from hub.domain.batch import SCHEMA, decode_record
from hub.domain.ids import CONVERSATION, kind_of
from hub.errors import LogError
from hub.history.models import CONVERSATIONS, EVENTS, POSITIONS

Row = dict[str, Any]
Parameters = tuple[Any, ...]

STATE = ("opened_at_ms", "channel", "name", "stage", "team", "agent", "no")
"""The columns of a conversation that only some events change."""


class _Event(msgspec.Struct, gc=False):
    type: str


class _Record(msgspec.Struct, gc=False):
    """A record as far as every version knows it."""

    entity: str
    seq: int
    prev: int
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


class Rows(msgspec.Struct):
    """What one or several batches put into the tables. A conversation's row has only the columns that they change."""

    events: list[Row] = []
    conversations: dict[str, Row] = {}
    positions: dict[int, Row] = {}

    def add(self, later: "Rows") -> None:
        """Take in what comes after it; of one partition always in the order of the log."""
        self.events += later.events
        for entity, row in later.conversations.items():
            self.conversations.setdefault(entity, {}).update(row)
        self.positions |= later.positions


def project(partition: int, seq: int, data: bytes) -> Rows:
    """The rows of the batch at `seq` of a partition's log. Raises LogError when it cannot be read."""
    try:
        batch = _decode_batch(data)
        if batch.schema > SCHEMA:
            raise ValueError(f"its schema is {batch.schema}, this version knows {SCHEMA}")
        rows = Rows(positions={partition: position(partition, seq, batch.epoch)})
        for entry in batch.entries:
            _add_record(rows, bytes(entry.record))
    except ValueError as error:
        raise LogError(
            f"LOG-{partition}: the batch at sequence {seq} cannot be read ({error}): update the hub, or run hub doctor"
        ) from error
    return rows


def position(partition: int, seq: int, epoch: int, alarm: str = "") -> Row:
    """The row that says how far a partition has been read, and why no further."""
    return {"partition": partition, "seq": seq, "epoch": epoch, "alarm": alarm}


def _add_record(rows: Rows, body: bytes) -> None:
    record = _decode_record(body)
    kind = record.event.type
    rows.events.append(
        {
            "entity": record.entity,
            "seq": record.seq,
            "prev": record.prev,
            "at_ms": record.at_ms,
            "kind": kind,
            "body": body,
        }
    )
    if kind_of(record.entity) == CONVERSATION:
        row = rows.conversations.setdefault(record.entity, {"entity": record.entity})
        row |= {"seq": record.seq, "at_ms": record.at_ms}
        if kind in _TELLING:
            row |= _changes(decode_record(body))


def _changes(record: e.Record) -> Row:
    match record.event:
        case e.Opened(profile=profile):
            return {
                "opened_at_ms": record.at_ms,
                "channel": profile.channel,
                "name": profile.name,
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


def statements(rows: Rows) -> Iterable[tuple[str, list[Parameters]]]:
    """What to execute, each with its many parameters, in one transaction. None of it undoes what came later."""
    if rows.events:
        yield _INSERT_EVENTS.of(rows.events)
    if rows.conversations:
        unchanged = dict.fromkeys(STATE)
        yield _UPSERT_CONVERSATIONS.of(unchanged | row for row in rows.conversations.values())
    if rows.positions:
        yield _UPSERT_POSITIONS.of(rows.positions.values())


class _Statement:
    """A statement compiled once: SQLAlchemy's way through each row's names costs as much as the writing."""

    def __init__(self, statement: Insert) -> None:
        compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"))
        self._sql = str(compiled)
        self._parameters = operator.itemgetter(*compiled.positiontup or ())

    def of(self, rows: Iterable[Row]) -> tuple[str, list[Parameters]]:
        return self._sql, list(map(self._parameters, rows))


def _upsert_conversations() -> Insert:
    upsert = insert(CONVERSATIONS)
    new, old = upsert.excluded, CONVERSATIONS.c
    changed = {name: func.coalesce(new[name], old[name]) for name in STATE} | {"seq": new.seq, "at_ms": new.at_ms}
    return upsert.on_conflict_do_update(index_elements=["entity"], set_=changed, where=new.seq > old.seq)


def _upsert_positions() -> Insert:
    upsert = insert(POSITIONS)
    new, old = upsert.excluded, POSITIONS.c
    changed = {"seq": new.seq, "epoch": new.epoch, "alarm": new.alarm}
    return upsert.on_conflict_do_update(index_elements=["partition"], set_=changed, where=new.seq >= old.seq)


_INSERT_EVENTS = _Statement(insert(EVENTS).on_conflict_do_nothing())
_UPSERT_CONVERSATIONS = _Statement(_upsert_conversations())
_UPSERT_POSITIONS = _Statement(_upsert_positions())
