"""Writes the rows of the history, many at once, and never twice: the positions are moved on in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.history import feed
from hub.history.models import CONVERSATIONS, DELIVERIES, EVENTS, POSITIONS, UNPARSED
from hub.history.projector import Position, Row, Rows

Values = Sequence[tuple[Any, ...]]


class Overtaken(Exception):
    """Somebody else has written the same part of the log: begin again at the positions that stand there now."""


class Writer:
    """Writes through `engine` for `partitions` partitions. `load` it, then `store` rows."""

    def __init__(self, engine: AsyncEngine, partitions: int) -> None:
        self._engine = engine
        self._partitions = range(partitions)
        self._positions: dict[int, Position] = {}

    async def load(self) -> Mapping[int, Position]:
        """How far each partition's log is written. Raises database.AWAY."""
        async with self._engine.begin() as connection:
            await _NEW_POSITIONS.execute(connection, [(partition, 0, 0, "") for partition in self._partitions])
            found = await connection.execute(POSITIONS.select())
        self._positions = {row.partition: Position(row.seq, row.epoch, row.alarm) for row in found}
        return self._positions

    async def store(self, rows: Rows) -> None:
        """Put the rows on disk, all or none. Raises Overtaken, and database.AWAY when nobody knows whether it did.

        Then the same rows may be stored again: what had been done is found out to be Overtaken.
        """
        moves = [
            (partition, self._positions[partition].seq, position.seq, position.epoch, position.alarm)
            for partition, position in rows.positions.items()
        ]
        async with self._engine.begin() as connection:
            if await _MOVE_POSITIONS.execute(connection, moves) != len(moves):
                raise Overtaken("the history has been written by another process meanwhile")
            await _ADD_EVENTS.execute(connection, sorted(rows.events))  # side by side in the tree
            await _PUT_CONVERSATIONS.execute(connection, _values(CONVERSATIONS, rows.conversations.values()))
            await _PUT_DELIVERIES.execute(connection, _values(DELIVERIES, rows.deliveries.values()))
            await _ADD_UNPARSED.execute(connection, _values(UNPARSED, rows.unparsed))
            for places in feed.packed((entity, seq) for entity, seq, _ in rows.events):
                await _ADD_TO_FEED.execute(connection, [(places,)])
        self._positions |= rows.positions


class _Statement:
    """A statement that is done once for each row, with $1, $2 … for the row's values.

    SQLite runs it for one row after the other. PostgreSQL runs it once, over the columns as arrays: it costs a fraction
    of as many executions. Not through SQLAlchemy's expressions: their way through each value costs more than the disk.
    """

    def __init__(self, sqlite: str, postgres: str) -> None:
        self._sqlite, self._postgres = sqlite, postgres

    async def execute(self, connection: AsyncConnection, rows: Values) -> int:
        """Do it for all rows; how many rows it has touched."""
        if not rows:
            return 0
        if connection.dialect.name == "sqlite":
            done = await connection.exec_driver_sql(self._sqlite, list(rows))
        else:
            done = await connection.exec_driver_sql(self._postgres, tuple(map(list, zip(*rows, strict=True))))
        return done.rowcount


def _insert(table: Table, otherwise: str) -> _Statement:
    """Insert rows with all columns; `otherwise` says what becomes of one whose key is there."""
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    into = f"INSERT INTO {table.name} ({names})"
    return _Statement(
        f"{into} VALUES ({marks}) ON CONFLICT {otherwise}",
        f"{into} SELECT * FROM {_unnest(table.columns)} ON CONFLICT {otherwise}",
    )


def _unnest(columns: Iterable[Any]) -> str:
    types = (column.type.compile(dialect=postgresql.dialect()) for column in columns)  # type: ignore[no-untyped-call]
    return f"unnest({', '.join(f'${n}::{type_}[]' for n, type_ in enumerate(types, 1))})"


def _values(table: Table, rows: Iterable[Row]) -> Values:
    names = [column.name for column in table.columns]
    return [tuple(map(row.get, names)) for row in rows]


def _put(table: Table, key: str) -> _Statement:
    """What an older event says never takes the place of what a later one has said.

    Only some events change a column: None stands for what it was.
    """
    changing = (column.name for column in table.columns if not column.primary_key)
    changes = ", ".join(f"{name} = coalesce(excluded.{name}, {table.name}.{name})" for name in changing)
    return _insert(table, f"({key}) DO UPDATE SET {changes} WHERE excluded.seq > {table.name}.seq")


def _move_positions() -> _Statement:
    """Partition, from which seq, to which, epoch, alarm."""
    columns = POSITIONS.columns
    new = _unnest([columns.partition, columns.seq, *list(columns)[1:]])
    return _Statement(
        "UPDATE positions SET seq = ?3, epoch = ?4, alarm = ?5 WHERE partition = ?1 AND seq = ?2",
        "UPDATE positions SET seq = new.seq, epoch = new.epoch, alarm = new.alarm"
        f" FROM {new} AS new(partition, was, seq, epoch, alarm)"
        " WHERE positions.partition = new.partition AND positions.seq = new.was",
    )


_ADD_EVENTS = _insert(EVENTS, "DO NOTHING")
_PUT_CONVERSATIONS = _put(CONVERSATIONS, "entity")
_PUT_DELIVERIES = _put(DELIVERIES, "entity, attempt")
_ADD_UNPARSED = _insert(UNPARSED, "DO NOTHING")
_ADD_TO_FEED = _Statement(
    "INSERT INTO feed SELECT coalesce(max(position), 0) + 1, ?1 FROM feed",
    "INSERT INTO feed SELECT coalesce(max(position), 0) + 1, ($1::bytea[])[1] FROM feed",
)
"""There is one writer; were there two for a moment, the key would turn one of them back."""
_NEW_POSITIONS = _insert(POSITIONS, "DO NOTHING")
_MOVE_POSITIONS = _move_positions()
