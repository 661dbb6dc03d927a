"""Cases of a request that is held or was blocked already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("escalations", sa.Column("leader", sa.String(length=64), nullable=True))
    op.create_index("escalations_by_leader", "escalations", ["tenant", "leader"])
    op.add_column("holds", sa.Column("original", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("holds", "original")
    op.drop_index("escalations_by_leader", "escalations")
    op.drop_column("escalations", "leader")
