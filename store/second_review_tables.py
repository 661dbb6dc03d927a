"""The tables of blind second reviews."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, PrimaryKeyConstraint, String, Table, UniqueConstraint

from store.schema import Instant, metadata, tenant_column

second_reviews = Table(
    "second_reviews",
    metadata,
    tenant_column(),
    Column("review_id", String(64), nullable=False),
    Column("escalation_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("team", String(200), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("review", JSON, nullable=False),
    PrimaryKeyConstraint("tenant", "review_id"),
    UniqueConstraint("tenant", "escalation_id"),
    Index("second_reviews_queue", "tenant", "status", "team", "opened_at"),
)
"""One row for each case that was sampled, as its workflow has it."""

decision_readers = Table(
    "decision_readers",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("login", String(200), nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id", "login"),
)
"""Who was shown the decision of a sampled case before its second review was over: they can no longer do it blind."""
