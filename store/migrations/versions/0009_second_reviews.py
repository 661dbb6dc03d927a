"""Blind second reviews, and who has seen the decision that they are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "second_reviews",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("team", sa.String(length=200), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("review", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "review_id"),
        sa.UniqueConstraint("tenant", "escalation_id"),
    )
    op.create_index("second_reviews_queue", "second_reviews", ["tenant", "status", "team", "opened_at"])
    op.create_table(
        "decision_readers",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id", "login"),
    )


def downgrade() -> None:
    op.drop_table("decision_readers")
    op.drop_table("second_reviews")
