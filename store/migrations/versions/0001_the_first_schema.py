"""The first schema. On SQLite the ledger is not here: every chain is a file of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


LEDGER = """
CREATE TABLE ledger (
    chain VARCHAR(100) NOT NULL,
    seq BIGINT NOT NULL,
    event_id VARCHAR(200) NOT NULL,
    type VARCHAR(100) NOT NULL,
    escalation_id VARCHAR(64),
    hash VARCHAR(64) NOT NULL,
    entry BYTEA NOT NULL,
    PRIMARY KEY (chain, seq),
    UNIQUE (chain, event_id)
) PARTITION BY LIST (chain)
"""
REFUSE = """
CREATE FUNCTION kt_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(LEDGER)
        op.execute("CREATE INDEX ledger_by_escalation ON ledger (escalation_id)")
        op.execute(REFUSE)
        op.execute(
            "CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON ledger"
            " FOR EACH ROW EXECUTE FUNCTION kt_refuse()"
        )
    op.create_table(
        "changes",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "consumers",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("consumer_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("team", sa.String(length=200), nullable=True),
        sa.Column("consumer_group", sa.String(length=200), nullable=True),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "consumer_id"),
    )
    op.create_table(
        "content_keys",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id"),
    )
    op.create_table(
        "contents",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("field", sa.String(length=100), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id", "field"),
    )
    op.create_table(
        "escalation_events",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.JSON(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("ledger_chain", sa.String(length=100), nullable=False),
        sa.Column("ledger_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id", "seq"),
    )
    op.create_table(
        "escalations",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("sla_state", sa.String(length=20), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("severity_rank", sa.Integer(), nullable=False),
        sa.Column("policy_rule", sa.String(length=200), nullable=False),
        sa.Column("reason_code", sa.String(length=200), nullable=False),
        sa.Column("team", sa.String(length=200), nullable=True),
        sa.Column("route_user", sa.String(length=200), nullable=True),
        sa.Column("assignee", sa.String(length=200), nullable=True),
        sa.Column("consumer", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sla_deadline", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.String(length=40), nullable=True),
        sa.Column("view", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id"),
    )
    with op.batch_alter_table("escalations", schema=None) as batch_op:
        batch_op.create_index("escalations_by_assignee", ["tenant", "assignee", "status"], unique=False)
        batch_op.create_index("escalations_by_consumer", ["tenant", "consumer", "created_at"], unique=False)
        batch_op.create_index("escalations_by_deadline", ["tenant", "status", "sla_deadline"], unique=False)
        batch_op.create_index(
            "escalations_queue", ["tenant", "status", "team", "severity_rank", "created_at"], unique=False
        )

    op.create_table(
        "events",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("policy_rule", sa.String(length=200), nullable=True),
        sa.Column("reason_code", sa.String(length=200), nullable=True),
        sa.Column("severity", sa.String(length=20), nullable=True),
        sa.Column("escalation_id", sa.String(length=64), nullable=True),
        sa.Column("request_id", sa.String(length=100), nullable=False),
        sa.Column("consumer", sa.String(length=200), nullable=False),
        sa.Column("team", sa.String(length=200), nullable=True),
        sa.Column("consumer_group", sa.String(length=200), nullable=True),
        sa.Column("gateway", sa.String(length=200), nullable=False),
        sa.Column("provider", sa.String(length=100), nullable=True),
        sa.Column("target", sa.String(length=200), nullable=True),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("config_version", sa.String(length=200), nullable=False),
        sa.Column("config_digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("event_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("events_by_consumer", ["tenant", "consumer", "number"], unique=False)
        batch_op.create_index("events_by_time", ["tenant", "at"], unique=False)
        batch_op.create_index("events_by_verdict", ["tenant", "verdict", "number"], unique=False)

    op.create_table(
        "holds",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("consumer", sa.String(length=200), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=True),
        sa.Column("completion_id", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attached", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "escalation_id"),
        sa.UniqueConstraint("tenant", "consumer", "idempotency_key"),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index("holds_by_completion", ["tenant", "consumer", "completion_id"], unique=False)
        batch_op.create_index("holds_by_request", ["tenant", "consumer", "request_digest", "created_at"], unique=False)
        batch_op.create_index("holds_by_state", ["state", "created_at"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.Column("team_id", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "login", "team_id"),
    )
    op.create_table(
        "releases",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("escalation_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=True),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("released_digest", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("ledger_chain", sa.String(length=100), nullable=False),
        sa.Column("ledger_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "escalation_id"),
    )
    op.create_table(
        "settings",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "version"),
    )
    op.create_table(
        "teams",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("team_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "team_id"),
    )
    op.create_table(
        "tokens",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("token_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=True),
        sa.Column("consumer_id", sa.String(length=200), nullable=True),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
        sa.UniqueConstraint("token_id"),
    )
    op.create_table(
        "users",
        sa.Column("tenant", sa.String(length=64), server_default="default", nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "login"),
        sa.UniqueConstraint("tenant", "email"),
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TABLE ledger")
        op.execute("DROP FUNCTION kt_refuse")
    op.drop_table("users")
    op.drop_table("tokens")
    op.drop_table("teams")
    op.drop_table("settings")
    op.drop_table("releases")
    op.drop_table("memberships")
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.drop_index("holds_by_state")
        batch_op.drop_index("holds_by_request")
        batch_op.drop_index("holds_by_completion")

    op.drop_table("holds")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("events_by_verdict")
        batch_op.drop_index("events_by_time")
        batch_op.drop_index("events_by_consumer")

    op.drop_table("events")
    with op.batch_alter_table("escalations", schema=None) as batch_op:
        batch_op.drop_index("escalations_queue")
        batch_op.drop_index("escalations_by_deadline")
        batch_op.drop_index("escalations_by_consumer")
        batch_op.drop_index("escalations_by_assignee")

    op.drop_table("escalations")
    op.drop_table("escalation_events")
    op.drop_table("contents")
    op.drop_table("content_keys")
    op.drop_table("consumers")
    op.drop_table("changes")
