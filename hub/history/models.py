"""The tables. Rows are written by writer.py alone, through Core; these classes say what a row is."""

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field, SQLModel


class EventRow(SQLModel, table=True):
    """One event of an entity; the key keeps a second reading of the log from doubling it.

    All else that is known of an event stands in its body. Nothing is stored twice, for this is the table that grows.
    """

    __tablename__ = "events"

    entity: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    body: bytes = Field(sa_type=LargeBinary)
    """The record exactly as it stands in the log, also of a kind that this version does not know."""


class ConversationRow(SQLModel, table=True):
    """A conversation as of its event `seq`. None: the events that say it have not been read."""

    __tablename__ = "conversations"

    entity: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger, index=True)
    """Of that event."""
    opened_at_ms: int | None = Field(sa_type=BigInteger)
    channel: str | None
    name: str | None
    stage: str | None
    """new, waiting, served or closed."""
    team: str | None
    agent: str | None
    """Who has it; empty: nobody."""
    no: int | None


class PositionRow(SQLModel, table=True):
    """Up to which log sequence a partition's events are in the other tables; written with them."""

    __tablename__ = "positions"

    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(sa_type=BigInteger)
    epoch: int = Field(sa_type=BigInteger)
    """Of the log there; 0: nothing has been read."""
    alarm: str = ""
    """Why the partition is not followed any further; empty: all is well."""


EVENTS, CONVERSATIONS, POSITIONS = (SQLModel.metadata.tables[name] for name in ("events", "conversations", "positions"))
"""The same for Core: through the ORM a row takes many times as long to write."""
