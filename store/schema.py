"""Every table, once. PostgreSQL and SQLite share them; the ledger's lives in files of its own on SQLite.

Instants are stored as whole microseconds since 1970 UTC: they sort, subtract and compare alike on both engines.
Every table carries `tenant`. No column holds text of a prompt or an answer: that is in `contents`, sealed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant_number(at: datetime) -> int:
    """The instant as it is stored."""
    return (at - _EPOCH) // _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        return None if value is None else instant_number(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


metadata = MetaData()
ledger_metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")


def number_column() -> Column[int]:
    return Column("number", _Number, primary_key=True, autoincrement=True)


def tenant_column() -> Column[str]:
    return Column("tenant", String(64), nullable=False, server_default="default")


teams = Table(
    "teams",
    metadata,
    tenant_column(),
    Column("team_id", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "team_id"),
)

users = Table(
    "users",
    metadata,
    tenant_column(),
    Column("login", String(200), nullable=False),
    Column("email", String(320)),
    Column("name", String(200), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("on_shift", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "login"),
    UniqueConstraint("tenant", "email"),
)

memberships = Table(
    "memberships",
    metadata,
    tenant_column(),
    Column("login", String(200), nullable=False),
    Column("team_id", String(200), nullable=False),
    PrimaryKeyConstraint("tenant", "login", "team_id"),
)

consumers = Table(
    "consumers",
    metadata,
    tenant_column(),
    Column("consumer_id", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("team", String(200)),
    Column("consumer_group", String(200)),
    Column("owner", String(200)),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "consumer_id"),
)

tokens = Table(
    "tokens",
    metadata,
    tenant_column(),
    Column("token_hash", String(64), primary_key=True),
    Column("token_id", String(64), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("login", String(200)),
    Column("consumer_id", String(200)),
    Column("label", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200)),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

settings = Table(
    "settings",
    metadata,
    tenant_column(),
    Column("kind", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    PrimaryKeyConstraint("tenant", "kind", "version"),
)

events = Table(
    "events",
    metadata,
    number_column(),
    tenant_column(),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("policy_rule", String(200)),
    Column("reason_code", String(200)),
    Column("severity", String(20)),
    Column("escalation_id", String(64)),
    Column("request_id", String(100), nullable=False),
    Column("consumer", String(200), nullable=False),
    Column("team", String(200)),
    Column("consumer_group", String(200)),
    Column("gateway", String(200), nullable=False),
    Column("provider", String(100)),
    Column("target", String(200)),
    Column("model", String(200)),
    Column("config_version", String(200), nullable=False),
    Column("config_digest", String(64), nullable=False),
    Column("body", JSON, nullable=False),
    Index("events_by_time", "tenant", "at"),
    Index("events_by_verdict", "tenant", "verdict", "number"),
    Index("events_by_consumer", "tenant", "consumer", "number"),
    sqlite_autoincrement=True,
)

escalations = Table(
    "escalations",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("sla_state", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("severity_rank", Integer, nullable=False),
    Column("policy_rule", String(200), nullable=False),
    Column("reason_code", String(200), nullable=False),
    Column("team", String(200)),
    Column("route_user", String(200)),
    Column("assignee", String(200)),
    Column("consumer", String(200), nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sla_deadline", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("resolution", String(40)),
    Column("readers", Text),
    Column("leader", String(64)),
    Column("view", JSON, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id"),
    Index("escalations_queue", "tenant", "status", "team", "severity_rank", "created_at"),
    Index("escalations_by_deadline", "tenant", "status", "sla_deadline"),
    Index("escalations_by_assignee", "tenant", "assignee", "status"),
    Index("escalations_by_leader", "tenant", "leader"),
    Index("escalations_by_consumer", "tenant", "consumer", "created_at"),
)

escalation_events = Table(
    "escalation_events",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("type", String(40), nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", JSON, nullable=False),
    Column("data", JSON, nullable=False),
    Column("ledger_chain", String(100), nullable=False),
    Column("ledger_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id", "seq"),
)

releases = Table(
    "releases",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("outcome", String(40), nullable=False),
    Column("category", String(100)),
    Column("content_digest", String(64), nullable=False),
    Column("released_digest", String(64)),
    Column("decided_at", Instant, nullable=False),
    Column("ledger_chain", String(100), nullable=False),
    Column("ledger_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id"),
)

holds = Table(
    "holds",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("consumer", String(200), nullable=False),
    Column("request_digest", String(64), nullable=False),
    Column("idempotency_key", String(64)),
    Column("completion_id", String(200)),
    Column("state", String(20), nullable=False),
    Column("attached", Integer, nullable=False, server_default=text("0")),
    Column("created_at", Instant, nullable=False),
    Column("start", LargeBinary),
    Column("original", String(64)),
    PrimaryKeyConstraint("tenant", "escalation_id"),
    UniqueConstraint("tenant", "consumer", "idempotency_key"),
    Index("holds_by_request", "tenant", "consumer", "request_digest", "created_at"),
    Index("holds_by_completion", "tenant", "consumer", "completion_id"),
    Index("holds_by_state", "state", "created_at"),
)

background_responses = Table(
    "background_responses",
    metadata,
    tenant_column(),
    Column("response_id", String(64), nullable=False),
    Column("consumer", String(200), nullable=False),
    Column("model", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("escalation_id", String(64)),
    Column("problem", String(100)),
    PrimaryKeyConstraint("tenant", "response_id"),
)

appeals = Table(
    "appeals",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("appeal_id", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id"),
)
"""Which case contests which: at most one."""

content_keys = Table(
    "content_keys",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("blob", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id"),
)

contents = Table(
    "contents",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("field", String(100), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id", "field"),
)

changes = Table(
    "changes",
    metadata,
    number_column(),
    tenant_column(),
    Column("kind", String(40), nullable=False),
    Column("ref", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

ledger = Table(
    "ledger",
    ledger_metadata,
    Column("chain", String(100), nullable=False),
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("event_id", String(200), nullable=False),
    Column("type", String(100), nullable=False),
    Column("escalation_id", String(64)),
    Column("hash", String(64), nullable=False),
    Column("entry", LargeBinary, nullable=False),
    UniqueConstraint("chain", "event_id"),
    Index("ledger_by_escalation", "escalation_id", sqlite_where=text("escalation_id IS NOT NULL")),
)
"""As a chain's own file on SQLite has it; on PostgreSQL, where chains are partitions, a migration makes it.

Every tree of a file is a page to write and to flush for each governed request: a number that is the row's own, and
no place in an index for entries without an escalation, save two of five. Files of an earlier form go on as they are.
"""

outbox = Table(
    "outbox",
    ledger_metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
)
"""In a chain's own file on SQLite: events that are not yet in `events`, each under the number of its entry."""
