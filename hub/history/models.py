"""The tables. Rows are written by writer.py alone, through Core; these classes say what a row is."""

from sqlalchemy import BigInteger, Index, LargeBinary
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


class DeliveryRow(SQLModel, table=True):
    """What became of one attempt to hand something to a visitor on a platform, or to an agent's phone.

    As of the entity's event `seq`, at `at_ms`. None: the events that say it have not been read.
    """

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_state_at_ms", "state", "at_ms"),)

    entity: str = Field(primary_key=True)
    """Who receives: a conversation, or an agent."""
    attempt: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger, index=True)
    state: str
    """sending, delayed, sent; refused or unknown, a dead letter, then perhaps retried (as a later attempt) or dropped;
    delivered, read, failed: what the platform said last of one that it had taken."""
    channel: str | None
    address: str | None
    """None also where the hub itself refused, before it called anybody."""
    tries: int | None
    because: str | None
    began_ms: int | None = Field(sa_type=BigInteger)
    receipt: str | None
    """What the platform calls it."""
    refs: str | None
    """The messages that it takes, as a JSON list of conversation/seq."""
    part: int | None
    parts: int | None
    text: str | None
    """Its beginning."""
    text_seq: int | None = Field(sa_type=BigInteger)
    """The event of the entity that holds all of it."""


class UnparsedRow(SQLModel, table=True):
    """Input that nobody could read: the event `seq` of a channel's intake, which holds it as it came."""

    __tablename__ = "unparsed"

    entity: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    channel: str
    at_ms: int = Field(sa_type=BigInteger, index=True)
    because: str


class FeedRow(SQLModel, table=True):
    """Which events were written next, of all partitions: the positions are 1, 2, 3 … without a hole.

    Many events share a row: beside an event's own row this one must cost next to nothing.
    """

    __tablename__ = "feed"

    position: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    places: bytes = Field(sa_type=LargeBinary)
    """Entity and seq of each, as hub.history.feed packs them."""


EVENTS, CONVERSATIONS, POSITIONS, DELIVERIES, UNPARSED, FEED = (
    SQLModel.metadata.tables[name]
    for name in ("events", "conversations", "positions", "deliveries", "unparsed", "feed")
)
"""The same for Core: through the ORM a row takes many times as long to write."""
