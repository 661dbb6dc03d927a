"""Notifications that wait to be told together with others of their group. Joining twice is joining once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.attempts import AttemptOutcome
from store.database import insert_into
from store.notification_tables import grouped_notifications, notification_attempts

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


async def waiting_in(connection: AsyncConnection, tenant: str, group_id: str) -> list[bytes]:
    """The notifications that no message has taken along yet."""
    query = select(_table.c.body).where(
        _table.c.tenant == tenant, _table.c.group_id == group_id, _table.c.batch.is_(None)
    )
    return list(await connection.scalars(query.order_by(_table.c.at)))


async def leave_group(connection: AsyncConnection, tenant: str, notification_id: str) -> None:
    """It is told by itself; nothing where a message has taken it along."""
    await connection.execute(
        update(_table)
        .where(_table.c.tenant == tenant, _table.c.notification_id == notification_id[:400], _table.c.batch.is_(None))
        .values(batch=0, together=0)
    )


async def is_failing(connection: AsyncConnection, tenant: str, group_id: str) -> bool:
    """Whether a message of the group is under way that has failed."""
    tried = notification_attempts
    query = select(_table.c.notification_id).where(
        _table.c.tenant == tenant,
        _table.c.group_id == group_id,
        _table.c.batch.is_not(None),
        _table.c.together.is_(None),
        tried.c.tenant == tenant,
        tried.c.escalation_id == _table.c.escalation_id,
        tried.c.notification_id == _table.c.notification_id,
        tried.c.outcome == AttemptOutcome.FAILED.value,
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def standing_of(connection: AsyncConnection, tenant: str, escalation_id: str, channel: str) -> Standing:
    query = select(_table.c.together).where(
        _table.c.tenant == tenant, _table.c.escalation_id == escalation_id, _table.c.channel == channel
    )
    found = list(await connection.scalars(query))
    return Standing(bool(found), 0 in found)
