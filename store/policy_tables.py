"""The tables of policy versions: what was pushed, and what became of it."""

from __future__ import annotations

from sqlalchemy import Column, Integer, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from store.schema import Instant, metadata, tenant_column

policy_versions = Table(
    "policy_versions",
    metadata,
    tenant_column(),
    Column("name", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("pack_version", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    PrimaryKeyConstraint("tenant", "name", "version"),
    UniqueConstraint("tenant", "name", "digest"),
    UniqueConstraint("tenant", "name", "pack_version"),
)
"""Policy configurations as they were pushed. A row is never changed."""

policy_moves = Table(
    "policy_moves",
    metadata,
    tenant_column(),
    Column("name", String(100), nullable=False),
    Column("number", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("stage", String(20), nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(200), nullable=False),
    Column("proposed_by", String(200)),
    PrimaryKeyConstraint("tenant", "name", "number"),
)
"""What became of the versions: proposed, in shadow, active, or taken out again; the last one counts."""
