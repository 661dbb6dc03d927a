"""The tables of golden cases."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, PrimaryKeyConstraint, String, Table, UniqueConstraint

from store.schema import Instant, metadata, tenant_column

golden_cases = Table(
    "golden_cases",
    metadata,
    tenant_column(),
    Column("golden_id", String(64), nullable=False),
    Column("policy_rule", String(200), nullable=False),
    Column("reason_code", String(200), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("expected", String(40), nullable=False),
    Column("expected_category", String(100)),
    Column("score", Integer),
    Column("like", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("retired_at", Instant),
    PrimaryKeyConstraint("tenant", "golden_id"),
)
"""Known answers; their content is sealed in `contents`, under the id of the golden case."""

golden_sends = Table(
    "golden_sends",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("golden_id", String(64), nullable=False),
    Column("round_id", String(200), nullable=False),
    Column("sent_at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id"),
    UniqueConstraint("tenant", "round_id"),
    Index("golden_sends_by_case", "tenant", "golden_id", "sent_at"),
)
"""Which escalations are golden cases. Every statistic leaves these out."""
