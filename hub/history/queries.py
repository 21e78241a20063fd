"""Reading the history, from any process: it disturbs nobody, and nobody disturbs it."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from sqlalchemy import URL, ColumnElement, Select, and_, func, literal, or_, select, tuple_

from hub.domain.batch import decode_record
from hub.domain.events import Record
from hub.domain.ids import AGENT, PLATFORM
from hub.errors import HistoryAway
from hub.history import database, feed
from hub.history.feed import Cursor
from hub.history.models import (
    CONVERSATIONS,
    DELIVERIES,
    EVENTS,
    FEED,
    POSITIONS,
    UNPARSED,
    ConversationRow,
    DeliveryRow,
    PositionRow,
    UnparsedRow,
)

PAGE = 500
FEED_ROWS = 4
"""So many rows of the feed are read at a time: each names up to feed.MOST events."""
END = 1 << 62

DEAD = ("refused", "unknown")
"""States of a delivery on which a person has to decide."""

logger = structlog.get_logger("history")


class Place(NamedTuple):
    """Where a list goes on: after this row. `number` is that of its attempt or event."""

    at_ms: int
    entity: str
    number: int


class History:
    """The history, as far as the follower has written it.

    While it cannot be read (it is not made yet, locked or away) the answers are those of an empty one: a reader who
    knows which seq must be there sees that it is not, and asks again. What people ask, from `conversations` on, raises
    HistoryAway then.
    """

    def __init__(self, where: URL) -> None:
        self._engine = database.reader(where)

    async def events(self, entity: str, after: int, before: int, limit: int) -> list[bytes]:
        """The latest `limit` records of the entity with after < seq < before, in ascending order.

        Each as it stands in the log, for hub.domain.batch.decode_record.
        """
        found = await self._all(
            select(EVENTS.c.body)
            .where(EVENTS.c.entity == entity, EVENTS.c.seq > after, EVENTS.c.seq < before)
            .order_by(EVENTS.c.seq.desc())
            .limit(limit)
        )
        return [row.body for row in reversed(found)]

    async def knows(self, entity: str, outside_id: str) -> bool:
        """Whether a message of the entity bears this outside id. Reads all its events: for what is rarely asked."""
        sought = b'"outside_id":' + msgspec.json.encode(outside_id)
        before = END
        while True:
            bodies = await self.events(entity, 0, before, PAGE)
            if not bodies or any(sought in body for body in bodies):
                return bool(bodies)
            before = decode_record(bodies[0]).seq

    async def positions(self) -> dict[int, PositionRow]:
        """How far each partition's log has been read, and why no further; partitions never read are left out."""
        return {row.partition: PositionRow(**row._mapping) for row in await self._all(POSITIONS.select())}

    async def position(self, partition: int) -> int:
        """Up to which sequence the partition's log has been read; 0: not at all."""
        row = (await self.positions()).get(partition)
        return row.seq if row else 0

    async def conversations(
        self,
        limit: int,
        *,
        stage: str = "",
        team: str = "",
        agent: str = "",
        channel: str = "",
        name: str = "",
        seen_by: tuple[str, Sequence[str]] | None = None,
        after: Place | None = None,
    ) -> list[ConversationRow]:
        """The `limit` conversations in which something happened last, the latest first, of those that are asked for.

        `agent` is an entity id, `name` a part of the visitor's. `seen_by`: only those that this agent has, or that
        belong to one of these teams. Raises HistoryAway.
        """
        of = CONVERSATIONS.c
        wanted = CONVERSATIONS.select().where(*_filters(of, stage=stage, team=team, agent=agent, channel=channel))
        if name:
            wanted = wanted.where(of.name.icontains(name, autoescape=True))
        if seen_by is not None:
            wanted = wanted.where(or_(of.agent == seen_by[0], of.team.in_(seen_by[1])))
        page = _page(wanted, (of.at_ms, of.entity, of.seq), after, limit)
        return [ConversationRow(**row._mapping) for row in await self._read(page)]

    async def concerned(self, entities: Collection[str], agent: str, teams: Sequence[str]) -> set[str]:
        """Those of the conversations that the agent has, or that belong to one of the teams. Raises HistoryAway."""
        of = CONVERSATIONS.c
        theirs = or_(of.agent == agent, of.team.in_(teams))
        return {row.entity for row in await self._read(select(of.entity).where(of.entity.in_(entities), theirs))}

    async def tip(self) -> int:
        """The last position of the feed; 0: there is none. Raises HistoryAway."""
        position: int = (await self._read(select(func.coalesce(func.max(FEED.c.position), 0))))[0][0]
        return position

    async def feed(self, after: Cursor, limit: int) -> tuple[list[Record], Cursor]:
        """The next at most `limit` records after the cursor, in the order in which they were written, and the cursor
        behind them. Raises HistoryAway.
        """
        rows = select(FEED).where(FEED.c.position >= after.position).order_by(FEED.c.position).limit(FEED_ROWS)
        places, behind = feed.between([(row.position, row.places) for row in await self._read(rows)], after, limit)
        if not places:
            return [], behind
        key = tuple_(EVENTS.c.entity, EVENTS.c.seq)
        found = await self._read(select(EVENTS).where(key.in_(places)))
        bodies = {(row.entity, row.seq): row.body for row in found}
        return [decode_record(bodies[place]) for place in places if place in bodies], behind

    async def deliveries(
        self,
        limit: int,
        *,
        states: Sequence[str] = (),
        channel: str = "",
        entity: str = "",
        after: Place | None = None,
    ) -> list[DeliveryRow]:
        """The `limit` deliveries of which something was heard last, the latest first, of those that are asked for.

        `entity` is the conversation or agent that receives. Raises HistoryAway.
        """
        of = DELIVERIES.c
        key = (of.at_ms, of.entity, of.attempt)
        wanted = DELIVERIES.select().where(*_filters(of, channel=channel, entity=entity))
        if states:
            wanted = wanted.where(of.state.in_(states))
        return [DeliveryRow(**row._mapping) for row in await self._read(_page(wanted, key, after, limit))]

    async def delivery(self, entity: str, attempt: int) -> DeliveryRow | None:
        """What became of one attempt; None: none is known. Raises HistoryAway."""
        one = DELIVERIES.select().where(DELIVERIES.c.entity == entity, DELIVERIES.c.attempt == attempt)
        found = await self._read(one)
        return DeliveryRow(**found[0]._mapping) if found else None

    async def unparsed(
        self, limit: int, *, channel: str = "", entity: str = "", after: Place | None = None
    ) -> list[UnparsedRow]:
        """The `limit` last inputs that nobody could read, the latest first. Raises HistoryAway."""
        of = UNPARSED.c
        wanted = UNPARSED.select().where(*_filters(of, channel=channel, entity=entity))
        page = _page(wanted, (of.at_ms, of.entity, of.seq), after, limit)
        return [UnparsedRow(**row._mapping) for row in await self._read(page)]

    async def counts(self, since_ms: int) -> tuple[int, int]:
        """How many dead letters wait for a person, and inputs nobody could read, since then. Raises HistoryAway.

        A note to an agent that brought no message is no dead letter: nothing of it can be sent again.
        """
        of = DELIVERIES.c
        letters = select(func.count()).where(
            of.state.in_(DEAD), of.at_ms >= since_ms, func.coalesce(of.refs, "") != "[]"
        )
        inputs = select(func.count()).where(UNPARSED.c.at_ms >= since_ms)
        return (await self._read(letters))[0][0], (await self._read(inputs))[0][0]

    async def records(self, entity: str, first: int, last: int, limit: int = PAGE) -> list[Record]:
        """The first `limit` records of the entity with first ≤ seq ≤ last, in order. Raises HistoryAway."""
        of = EVENTS.c
        wanted = select(of.body).where(of.entity == entity, of.seq >= first, of.seq <= last).order_by(of.seq)
        return [decode_record(row.body) for row in await self._read(wanted.limit(limit))]

    async def seq_at(self, entity: str, at_ms: int) -> int:
        """The seq of the entity's first event at or after that moment, or the one after its last. Raises HistoryAway.

        Time is in the events alone, and grows with their seq: so it reads one of them for each halving.
        """
        last = (await self._read(select(func.max(EVENTS.c.seq)).where(EVENTS.c.entity == entity)))[0][0]
        first, behind = 1, (last or 0) + 1
        while first < behind:
            middle = (first + behind) // 2
            found = await self.records(entity, middle, behind - 1, 1)
            if not found or found[0].at_ms >= at_ms:
                behind = middle
            else:
                first = found[0].seq + 1
        return first

    async def find(self, channel: str, outside_id: str) -> tuple[str, int] | None:
        """Entity and seq of what a platform calls so; None: nobody knows it. Raises HistoryAway.

        Reads all events of agents and of the channel's conversations, with several million some seconds.
        """
        of, sought = EVENTS.c, b'"outside_id":' + msgspec.json.encode(outside_id)
        holds = func.instr if self._engine.dialect.name == "sqlite" else _position
        conversations = and_(_begins(of.entity, PLATFORM), of.entity.contains(f"-{channel}-", autoescape=True))
        wanted = select(of.entity, of.seq).where(
            or_(conversations, _begins(of.entity, AGENT)), holds(of.body, sought) > 0
        )
        found = await self._read(wanted.limit(1))
        return (found[0].entity, found[0].seq) if found else None

    async def close(self) -> None:
        """Let go of the file, or of the connections."""
        await self._engine.dispose()

    async def _all(self, query: Select[Any]) -> Sequence[Any]:
        try:
            return await self._read(query)
        except HistoryAway as error:
            logger.warning("the history cannot be read at this moment", because=str(error))
            return []

    async def _read(self, query: Select[Any]) -> Sequence[Any]:
        try:
            async with self._engine.connect() as connection:
                found: Sequence[Any] = (await connection.execute(query)).all()
                return found
        except database.AWAY as error:
            raise HistoryAway(f"the history cannot be read at this moment: {database.reason(error)}") from error


def _filters(columns: Any, **wanted: str) -> list[ColumnElement[bool]]:
    return [columns[name] == value for name, value in wanted.items() if value]


def _page(query: Select[Any], key: tuple[Any, ...], after: Place | None, limit: int) -> Select[Any]:
    """The next `limit` rows, the latest first."""
    if after is not None:
        query = query.where(tuple_(*key) < tuple_(*after))
    return query.order_by(*(column.desc() for column in key)).limit(limit)


def _begins(column: ColumnElement[str], letter: str) -> ColumnElement[bool]:
    """A range of the key, so that nothing else is read."""
    return and_(column >= letter, column < chr(ord(letter) + 1))


def _position(body: ColumnElement[bytes], sought: bytes) -> ColumnElement[int]:
    """As SQLite's instr."""
    return func.position(literal(sought).op("IN")(body))
