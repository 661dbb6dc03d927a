"""Who sees an escalation beside its team: the approvers that its settings name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("escalations", sa.Column("readers", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("escalations", "readers")
