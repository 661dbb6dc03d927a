"""Alembic's entry: runs the migrations on the connection that `store.migrating` hands over."""

from __future__ import annotations

from alembic import context

from store import assignment_tables, golden_tables, notification_tables, policy_tables, second_review_tables  # noqa: F401  they add themselves to the metadata
from store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True, compare_type=True
)
with context.begin_transaction():
    context.run_migrations()
