"""Notifications that wait to be told together with others of their group. Joining twice is joining once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.attempts import KEPT, AttemptOutcome
from store.database import Database, insert_into
from store.notification_tables import grouped_notifications, notification_attempts

_table = grouped_notifications
_AT_A_TIME = 500


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


async def goes_first(
    connection: AsyncConnection, tenant: str, member: Member, wait: timedelta, interval: timedelta
) -> bool:
    """Whether one that would join finds its group calm, and is told at once instead: nobody waits in it, nothing was
    told for `wait`, and nothing for many for `interval`. Of those who ask at the same time one is the first.

    It stays so for who asks again, as an attempt does that is repeated.
    """
    await _lock(connection, tenant, member.group_id)
    table, mine = _table.c, (_table.c.tenant == tenant, _table.c.notification_id == member.notification_id[:400])
    before = (await connection.execute(select(table.batch, table.together).where(*mine))).first()
    if before is not None:
        return bool(before.together == 0 and before.batch)
    lately, of_late = _number(member.at - wait), _number(member.at - interval)
    busy = select(table.notification_id).where(
        table.tenant == tenant,
        table.group_id == member.group_id,
        or_(
            table.batch.is_(None),
            table.batch >= lately,
            and_(table.batch >= of_late, table.together == 1),
            and_(table.batch > 0, table.together.is_(None)),
        ),
    )
    if (await connection.execute(busy.limit(1))).first() is not None:
        return False
    await join_group(connection, tenant, member)
    await connection.execute(update(_table).where(*mine).values(batch=_number(member.at), together=0))
    return True


def _number(at: datetime) -> int:
    """Batches are numbered by the second in which they were called up."""
    return int(at.timestamp())


async def _lock(connection: AsyncConnection, tenant: str, group_id: str) -> None:
    """SQLite has one writer at a time anyhow."""
    if connection.dialect.name == "postgresql":
        name = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await connection.execute(name, {"name": f"kt.groups.{tenant}.{group_id}"})


async def forget_told(database: Database, now: datetime) -> int:
    """Drop who was told longer ago than the delivery log is kept, a few at a time. Raises StoreUnavailable."""
    dropped = 0
    old = select(_table.c.tenant, _table.c.notification_id).where(
        _table.c.at < now - KEPT, _table.c.together.is_not(None)
    )
    while True:
        async with database.write() as connection:
            found = (await connection.execute(old.limit(_AT_A_TIME))).all()
            for row in found:
                mine = (_table.c.tenant == row.tenant, _table.c.notification_id == row.notification_id)
                await connection.execute(delete(_table).where(*mine))
        dropped += len(found)
        if len(found) < _AT_A_TIME:
            return dropped


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
