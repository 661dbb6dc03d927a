"""The tables of notifications: what became of each, and which wait to be told together."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, String, Table

from store.schema import Instant, metadata, number_column, tenant_column

notification_attempts = Table(
    "notification_attempts",
    metadata,
    number_column(),
    tenant_column(),
    Column("notification_id", String(400), nullable=False),
    Column("escalation_id", String(64), nullable=False),
    Column("event", String(40), nullable=False),
    Column("channel", String(300), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("problem", String(300)),
    Column("next_channel", String(300)),
    Column("at", Instant, nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("body", LargeBinary),
    Column("replayed_at", Instant),
    Index("notification_attempts_by_escalation", "tenant", "escalation_id", "number"),
    Index("notification_attempts_by_outcome", "tenant", "outcome", "number"),
    sqlite_autoincrement=True,
)
"""What became of every attempt to tell somebody; `body` is what was to be sent, kept only of what was given up."""

grouped_notifications = Table(
    "grouped_notifications",
    metadata,
    tenant_column(),
    Column("notification_id", String(400), nullable=False),
    Column("escalation_id", String(64), nullable=False),
    Column("channel", String(300), nullable=False),
    Column("group_id", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("batch", BigInteger),
    Column("together", Integer),
    PrimaryKeyConstraint("tenant", "notification_id"),
    Index("grouped_notifications_by_group", "tenant", "group_id", "batch"),
    Index("grouped_notifications_by_escalation", "tenant", "escalation_id", "channel"),
)
"""Notifications that wait for others of their group. `batch` is the number of the message that took them along, None
while they wait; `together` is 1 where that was one message for all of them, 0 where each was told by itself."""
