"""Which case contests which: a block is contested once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import insert_into
from store.schema import appeals


async def register_appeal(
    connection: AsyncConnection, tenant: str, escalation_id: str, appeal_id: str, now: datetime
) -> str:
    """The id of the appeal: the given one, or that of the one that there was already."""
    row = {"tenant": tenant, "escalation_id": escalation_id, "appeal_id": appeal_id, "created_at": now}
    await connection.execute(insert_into(connection, appeals).values(row).on_conflict_do_nothing())
    return await find_appeal(connection, tenant, escalation_id) or appeal_id


async def replace_appeal(
    connection: AsyncConnection, tenant: str, escalation_id: str, withdrawn: str, appeal_id: str
) -> str:
    """The id of the appeal: the given one in the place of one that never came to be, or whichever took it before."""
    mine = (appeals.c.tenant == tenant, appeals.c.escalation_id == escalation_id, appeals.c.appeal_id == withdrawn)
    await connection.execute(update(appeals).where(*mine).values(appeal_id=appeal_id))
    return await find_appeal(connection, tenant, escalation_id) or appeal_id


async def find_appeal(connection: AsyncConnection, tenant: str, escalation_id: str) -> str | None:
    query = select(appeals.c.appeal_id).where(appeals.c.tenant == tenant, appeals.c.escalation_id == escalation_id)
    return await connection.scalar(query)
