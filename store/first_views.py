"""When a case that had been given to somebody was first looked at: such cases have no time to a first claim."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.commands import REVIEWERS
from escalations.standing import is_requester, standing_of_view
from escalations.views import View
from store.assignment_tables import first_views
from store.database import Database, insert_into
from store.tokens import Principal

_AT_ONCE = 500
"""Ids in one query: SQLite takes a bounded number of parameters."""


async def note_view(database: Database, view: View, who: Principal, now: datetime) -> None:
    """Somebody looks at a case. Kept is the first look of anybody who may review it, once it was given to somebody:
    whoever holds it later does not make it a later one. Raises StoreUnavailable."""
    if not view.given or view.end is not None:
        return
    if not who.has(*REVIEWERS) or is_requester(standing_of_view(view), who.login):
        return
    async with database.read() as connection:
        if await first_views_of(connection, view.tenant, [view.escalation_id]):
            return
    row = {"tenant": view.tenant, "escalation_id": view.escalation_id, "at": now}
    async with database.write() as connection:
        await connection.execute(insert_into(connection, first_views).values(row).on_conflict_do_nothing())


async def first_views_of(
    connection: AsyncConnection, tenant: str, escalation_ids: Sequence[str]
) -> dict[str, datetime]:
    """Of these cases, those that were looked at since they had been given to somebody, and when first."""
    found: dict[str, datetime] = {}
    for start in range(0, len(escalation_ids), _AT_ONCE):
        query = select(first_views.c.escalation_id, first_views.c.at).where(
            first_views.c.tenant == tenant,
            first_views.c.escalation_id.in_(escalation_ids[start : start + _AT_ONCE]),
        )
        found |= {row.escalation_id: row.at for row in await connection.execute(query)}
    return found
