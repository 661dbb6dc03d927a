"""Notifications that wait to be told together with others of their group. Joining twice is joining once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import insert_into
from store.notification_tables import grouped_notifications

_table = grouped_notifications


@dataclass(frozen=True, slots=True)
class Member:
    """One that waits: `body` is the notification."""

    notification_id: str
    escalation_id: str
    channel: str
    group_id: str
    at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case stands on a channel: whether it was ever in a group, and whether it was ever told by itself."""

    grouped: bool
    alone: bool


async def join_group(connection: AsyncConnection, tenant: str, member: Member) -> None:
    row = {
        "tenant": tenant,
        "notification_id": member.notification_id[:400],
        "escalation_id": member.escalation_id,
        "channel": member.channel[:300],
        "group_id": member.group_id,
        "at": member.at,
        "body": member.body,
    }
    await connection.execute(insert_into(connection, _table).values(row).on_conflict_do_nothing())


async def waiting_since(connection: AsyncConnection, tenant: str, group_id: str) -> datetime | None:
    """When the first of those that wait joined; None when nobody does."""
    query = select(func.min(_table.c.at)).where(
        _table.c.tenant == tenant, _table.c.group_id == group_id, _table.c.batch.is_(None)
    )
    found: datetime | None = await connection.scalar(query)
    return found


async def take_batch(connection: AsyncConnection, tenant: str, group_id: str, batch: int) -> list[bytes]:
    """The notifications of a batch that are not told yet: all that wait, and again the same ones until it is closed."""
    mine = (_table.c.tenant == tenant, _table.c.group_id == group_id)
    open_one = (*mine, _table.c.batch == batch, _table.c.together.is_(None))
    if not await connection.scalar(select(func.count()).where(*open_one)):
        await connection.execute(update(_table).where(*mine, _table.c.batch.is_(None)).values(batch=batch))
    return list(await connection.scalars(select(_table.c.body).where(*open_one).order_by(_table.c.at)))


async def close_batch(connection: AsyncConnection, tenant: str, group_id: str, batch: int, *, together: bool) -> None:
    await connection.execute(
        update(_table)
        .where(
            _table.c.tenant == tenant,
            _table.c.group_id == group_id,
            _table.c.batch == batch,
            _table.c.together.is_(None),
        )
        .values(together=int(together))
    )


async def standing_of(connection: AsyncConnection, tenant: str, escalation_id: str, channel: str) -> Standing:
    query = select(_table.c.together).where(
        _table.c.tenant == tenant, _table.c.escalation_id == escalation_id, _table.c.channel == channel
    )
    found = list(await connection.scalars(query))
    return Standing(bool(found), 0 in found)
