"""Who is on shift, and who was given which case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("on_shift", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.create_table(
        "reservations",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id"),
    )
    op.create_table(
        "assignment_turns",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("team", sa.String(length=200), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.Column("last_assigned", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "team", "login"),
    )
    op.create_table(
        "assignment_habits",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("team", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=450), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "team", "kind"),
    )


def downgrade() -> None:
    op.drop_table("assignment_habits")
    op.drop_table("assignment_turns")
    op.drop_table("reservations")
    op.drop_column("users", "on_shift")
