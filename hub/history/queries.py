"""Reading the history, from any process: it disturbs nobody, and nobody disturbs it."""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import URL, Select, select

from hub.domain.batch import decode_record
from hub.history import database
from hub.history.models import CONVERSATIONS, EVENTS, POSITIONS, ConversationRow, PositionRow

PAGE = 500
END = 1 << 62

logger = structlog.get_logger("history")


class History:
    """The history, as far as the follower has written it.

    While it cannot be read (it is not made yet, locked or away) the answers are those of an empty one: a reader who
    knows which seq must be there sees that it is not, and asks again.
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

    async def conversations(self, limit: int) -> list[ConversationRow]:
        """The `limit` conversations in which something happened last, the latest first."""
        latest = CONVERSATIONS.select().order_by(CONVERSATIONS.c.at_ms.desc(), CONVERSATIONS.c.entity).limit(limit)
        return [ConversationRow(**row._mapping) for row in await self._all(latest)]

    async def positions(self) -> dict[int, PositionRow]:
        """How far each partition's log has been read, and why no further; partitions never read are left out."""
        return {row.partition: PositionRow(**row._mapping) for row in await self._all(POSITIONS.select())}

    async def position(self, partition: int) -> int:
        """Up to which sequence the partition's log has been read; 0: not at all."""
        row = (await self.positions()).get(partition)
        return row.seq if row else 0

    async def close(self) -> None:
        """Let go of the file, or of the connections."""
        await self._engine.dispose()

    async def _all(self, query: Select[Any]) -> Sequence[Any]:
        try:
            async with self._engine.connect() as connection:
                found: Sequence[Any] = (await connection.execute(query)).all()
                return found
        except database.AWAY as error:
            logger.warning("the history cannot be read at this moment", because=database.reason(error))
            return []
