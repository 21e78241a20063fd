"""An event is its key and its body: what stood in columns beside the body stands in the body too."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COPY_BACK = {
    "sqlite": """INSERT INTO events SELECT entity, seq, json_extract(body, '$.prev'), json_extract(body, '$.at_ms'),
        json_extract(body, '$.event.type'), body FROM lean""",
    "postgresql": """INSERT INTO events SELECT entity, seq, (json ->> 'prev')::bigint, (json ->> 'at_ms')::bigint,
        json -> 'event' ->> 'type', body FROM (SELECT *, convert_from(body, 'UTF8')::json AS json FROM lean) AS lean""",
}


def upgrade() -> None:
    """From 0001 to 0002. It copies: a table of millions of events takes a minute, and as much room again."""
    op.rename_table("events", "wide")
    op.create_table(
        "events",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "seq", name="events_key"),
    )
    op.execute("INSERT INTO events SELECT entity, seq, body FROM wide")
    op.drop_table("wide")


def downgrade() -> None:
    """Back again."""
    op.rename_table("events", "lean")
    op.create_table(
        "events",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("prev", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "seq", name="events_wide_key"),
    )
    op.execute(COPY_BACK[op.get_bind().dialect.name])
    op.drop_table("lean")
