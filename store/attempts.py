"""The delivery log: what became of every attempt to tell somebody, and the dead letters among them.

One row for each attempt of each (escalation, event, channel). What was given up keeps what was to be sent, ids and
states and no content, so that it can be sent once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.notification_tables import notification_attempts

MOST_PER_PAGE = 500
KEPT = timedelta(days=90)
"""How long an attempt is in the log, dead letters too. What it told of is in the case's own record."""
_AT_A_TIME = 1000


class AttemptOutcome(StrEnum):
    """`sent`: the receiver took it. `failed`: it did not. `grouped`: it waits to be told together with others.
    `dead`: it was given up."""

    SENT = "sent"
    FAILED = "failed"
    GROUPED = "grouped"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row. `next_channel` is the one that was asked in the place of this, `body` what a dead letter holds."""

    notification_id: str
    escalation_id: str
    event: str
    channel: str
    attempt: int
    outcome: AttemptOutcome
    at: datetime
    took_ms: int = 0
    problem: str | None = None
    next_channel: str | None = None
    body: bytes | None = None
    replayed_at: datetime | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Failures:
    """How often a notification has failed, and which channel was told in its place."""

    count: int
    next_channel: str | None


async def forget_attempts(database: Database, now: datetime) -> int:
    """Drop what is older than it is kept, a few at a time, so that nobody waits for it long. Raises StoreUnavailable.

    Numbers rise with time: the first that is young enough ends it.
    """
    table, dropped = notification_attempts, 0
    while True:
        async with database.write() as connection:
            oldest = select(table.c.number, table.c.at).order_by(table.c.number).limit(_AT_A_TIME)
            rows = (await connection.execute(oldest)).all()
            old = [row.number for row in rows if row.at < now - KEPT]
            if old:
                await connection.execute(delete(table).where(table.c.number.in_(old)))
        dropped += len(old)
        if len(old) < _AT_A_TIME:
            return dropped


async def put_attempt(connection: AsyncConnection, tenant: str, attempt: Attempt) -> None:
    await connection.execute(
        notification_attempts.insert().values(
            tenant=tenant,
            notification_id=attempt.notification_id[:400],
            escalation_id=attempt.escalation_id,
            event=attempt.event,
            channel=attempt.channel[:300],
            attempt=attempt.attempt,
            outcome=attempt.outcome.value,
            problem=attempt.problem[:300] if attempt.problem else None,
            next_channel=attempt.next_channel[:300] if attempt.next_channel else None,
            at=attempt.at,
            took_ms=attempt.took_ms,
            body=attempt.body,
        )
    )


async def list_attempts(
    connection: AsyncConnection,
    tenant: str,
    *,
    escalation_id: str | None = None,
    channel: str | None = None,
    outcome: AttemptOutcome | None = None,
    waiting: bool = False,
    before: int | None = None,
    oldest: bool = False,
    limit: int = 100,
) -> list[Attempt]:
    """The newest first, or the `oldest`. `waiting`: only dead letters not sent again; `before` is a row's number."""
    table = notification_attempts
    order = table.c.number if oldest else table.c.number.desc()
    query = select(table).where(table.c.tenant == tenant).order_by(order)
    if escalation_id is not None:
        query = query.where(table.c.escalation_id == escalation_id)
    if channel is not None:
        query = query.where(table.c.channel == channel)
    if outcome is not None:
        query = query.where(table.c.outcome == outcome.value)
    if waiting:
        query = query.where(table.c.outcome == AttemptOutcome.DEAD.value, table.c.replayed_at.is_(None))
    if before is not None:
        query = query.where(table.c.number < before)
    return [_attempt(row) for row in await connection.execute(query.limit(max(1, min(limit, MOST_PER_PAGE))))]


async def find_dead_letter(connection: AsyncConnection, tenant: str, number: int) -> Attempt | None:
    table = notification_attempts
    query = select(table).where(
        table.c.tenant == tenant, table.c.number == number, table.c.outcome == AttemptOutcome.DEAD.value
    )
    row = (await connection.execute(query)).first()
    return None if row is None else _attempt(row)


async def has_dead_letter(connection: AsyncConnection, tenant: str, notification_id: str) -> bool:
    """Whether it was given up and not sent once more since."""
    table = notification_attempts
    query = select(table.c.number).where(
        table.c.tenant == tenant,
        table.c.notification_id == notification_id,
        table.c.outcome == AttemptOutcome.DEAD.value,
        table.c.replayed_at.is_(None),
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def failures_of(connection: AsyncConnection, tenant: str, escalation_id: str, notification_id: str) -> Failures:
    """Its failures since it was last given up."""
    table = notification_attempts
    mine = (
        table.c.tenant == tenant,
        table.c.escalation_id == escalation_id,
        table.c.notification_id == notification_id[:400],
    )
    dead = await connection.scalar(
        select(func.max(table.c.number)).where(*mine, table.c.outcome == AttemptOutcome.DEAD.value)
    )
    query = select(func.count(), func.max(table.c.next_channel)).where(
        *mine, table.c.outcome == AttemptOutcome.FAILED.value, table.c.number > (dead or 0)
    )
    count, following = (await connection.execute(query)).one()
    return Failures(count, following)


async def given_up_since(
    connection: AsyncConnection, tenant: str, channel: str, problem: str, since: datetime | None
) -> bool:
    """Whether the channel's last dead letter, not older than `since`, has a problem that begins like this, and nothing
    has arrived there after it."""
    table = notification_attempts
    letters = select(table.c.number).where(
        table.c.tenant == tenant,
        table.c.outcome == AttemptOutcome.DEAD.value,
        table.c.channel == channel[:300],
        table.c.problem.startswith(problem, autoescape=True),
    )
    if since is not None:
        letters = letters.where(table.c.at >= since)
    last = await connection.scalar(letters.order_by(table.c.number.desc()).limit(1))
    if last is None:
        return False
    arrived = select(table.c.number).where(
        table.c.tenant == tenant,
        table.c.outcome == AttemptOutcome.SENT.value,
        table.c.number > last,
        table.c.channel == channel[:300],
    )
    return await connection.scalar(arrived.limit(1)) is None


async def mark_replayed(connection: AsyncConnection, tenant: str, number: int, now: datetime) -> None:
    table = notification_attempts
    await connection.execute(
        update(table).where(table.c.tenant == tenant, table.c.number == number).values(replayed_at=now)
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        row.notification_id,
        row.escalation_id,
        row.event,
        row.channel,
        row.attempt,
        AttemptOutcome(row.outcome),
        row.at,
        row.took_ms,
        row.problem,
        row.next_channel,
        row.body,
        row.replayed_at,
        row.number,
    )
