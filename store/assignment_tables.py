"""The tables of assignment: who was given which case, and when each was last given one."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, String, Table

from store.schema import Instant, metadata, tenant_column

reservations = Table(
    "reservations",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("login", String(200), nullable=False),
    Column("until", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id"),
)
"""Cases that were given to somebody, until the projection shows them with that person. Each takes up a place."""

assignment_turns = Table(
    "assignment_turns",
    metadata,
    tenant_column(),
    Column("team", String(200), nullable=False),
    Column("login", String(200), nullable=False),
    Column("last_assigned", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "team", "login"),
)
"""When everybody was last given a case of a team: whose turn it is follows from it."""

assignment_habits = Table(
    "assignment_habits",
    metadata,
    tenant_column(),
    Column("team", String(200), nullable=False),
    Column("kind", String(450), nullable=False),
    Column("login", String(200), nullable=False),
    PrimaryKeyConstraint("tenant", "team", "kind"),
)
"""Who was given the last case of each kind (`consumer/policy`), for sticky assignment."""

first_views = Table(
    "first_views",
    metadata,
    tenant_column(),
    Column("escalation_id", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant", "escalation_id"),
)
"""When a case that had been given to somebody was first looked at, by anybody who may review it."""
