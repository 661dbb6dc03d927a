"""Golden cases, and which escalations were sent as one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "golden_cases",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("golden_id", sa.String(length=64), nullable=False),
        sa.Column("policy_rule", sa.String(length=200), nullable=False),
        sa.Column("reason_code", sa.String(length=200), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("expected", sa.String(length=40), nullable=False),
        sa.Column("expected_category", sa.String(length=100), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("like", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "golden_id"),
    )
    op.create_table(
        "golden_sends",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("golden_id", sa.String(length=64), nullable=False),
        sa.Column("round_id", sa.String(length=200), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id"),
        sa.UniqueConstraint("tenant", "round_id"),
    )
    op.create_index("golden_sends_by_case", "golden_sends", ["tenant", "golden_id", "sent_at"])


def downgrade() -> None:
    op.drop_table("golden_sends")
    op.drop_table("golden_cases")
