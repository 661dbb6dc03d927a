"""The delivery log with its dead letters, and notifications that wait for others of their group."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notification_attempts",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("notification_id", sa.String(length=400), nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=300), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.String(length=300), nullable=True),
        sa.Column("next_channel", sa.String(length=300), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("replayed_at", sa.BigInteger(), nullable=True),
        sqlite_autoincrement=True,
    )
    table = "notification_attempts"
    op.create_index("notification_attempts_by_escalation", table, ["tenant", "escalation_id", "number"])
    op.create_index("notification_attempts_by_outcome", table, ["tenant", "outcome", "number"])
    op.create_table(
        "grouped_notifications",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("notification_id", sa.String(length=400), nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=300), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=True),
        sa.Column("together", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "notification_id"),
    )
    table = "grouped_notifications"
    op.create_index("grouped_notifications_by_group", table, ["tenant", "group_id", "batch"])
    op.create_index("grouped_notifications_by_escalation", table, ["tenant", "escalation_id", "channel"])


def downgrade() -> None:
    op.drop_table("grouped_notifications")
    op.drop_table("notification_attempts")
