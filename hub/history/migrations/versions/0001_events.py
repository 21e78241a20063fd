"""Events, conversations, positions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From nothing to 0001."""
    op.create_table(
        "events",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("prev", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "seq"),
    )
    op.create_table(
        "conversations",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("stage", sa.String(), nullable=True),
        sa.Column("team", sa.String(), nullable=True),
        sa.Column("agent", sa.String(), nullable=True),
        sa.Column("no", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("entity"),
    )
    op.create_index("ix_conversations_at_ms", "conversations", ["at_ms"])
    op.create_table(
        "positions",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("alarm", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("partition"),
    )


def downgrade() -> None:
    """Back again."""
    op.drop_table("positions")
    op.drop_table("conversations")
    op.drop_table("events")
