"""Answers that are asked for in the background."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "background_responses",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("response_id", sa.String(length=64), nullable=False),
        sa.Column("consumer", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=True),
        sa.Column("problem", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "response_id"),
    )


def downgrade() -> None:
    op.drop_table("background_responses")
