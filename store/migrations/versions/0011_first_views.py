"""When whoever was given a case first looked at it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "first_views",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id"),
    )


def downgrade() -> None:
    op.drop_table("first_views")
