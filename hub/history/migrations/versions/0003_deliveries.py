"""What became of each delivery, and what nobody could read. Both are filled from here on, not from older events."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From 0002 to 0003."""
    op.create_table(
        "deliveries",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=True),
        sa.Column("because", sa.String(), nullable=True),
        sa.Column("began_ms", sa.BigInteger(), nullable=True),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("refs", sa.String(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("parts", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("text_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("entity", "attempt"),
    )
    op.create_index("ix_deliveries_at_ms", "deliveries", ["at_ms"])
    op.create_index("ix_deliveries_state_at_ms", "deliveries", ["state", "at_ms"])
    op.create_table(
        "unparsed",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "seq"),
    )
    op.create_index("ix_unparsed_at_ms", "unparsed", ["at_ms"])


def downgrade() -> None:
    """Back again."""
    op.drop_table("unparsed")
    op.drop_table("deliveries")
