"""Events: one per governed request, with its verdict. They carry names, scores and digests, never text.

The ledger's writer brings them here (`LedgerWriter.append`). Nobody follows them by the change feed: there can be
thousands in a second, and whoever wants them live asks for those behind a cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import insert_into
from store.golden import not_golden
from store.schema import events


@dataclass(frozen=True, slots=True)
class GovernedEvent:
    """One request through the gateway. `verdict` is `passed`, `redacted`, `blocked`, `escalated` or `failed`.

    `body` holds what each policy found (names, scores, detector versions), token usage and timings.
    """

    event_id: str
    at: datetime
    verdict: str
    request_id: str
    consumer: str
    gateway: str
    config_version: str
    config_digest: str
    policy_rule: str | None = None
    reason_code: str | None = None
    severity: str | None = None
    escalation_id: str | None = None
    team: str | None = None
    consumer_group: str | None = None
    provider: str | None = None
    target: str | None = None
    model: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    tenant: str = "default"


EVENT_FIELDS: tuple[str, ...] = tuple(GovernedEvent.__slots__)


@dataclass(frozen=True, slots=True)
class EventFilter:
    since: datetime | None = None
    until: datetime | None = None
    verdict: tuple[str, ...] = ()
    team: str | None = None
    policy: str | None = None
    reason_code: str | None = None
    config_version: str | None = None
    consumer: str | None = None
    after: int | None = None
    limit: int = 100
    golden: bool = True


async def put_events(connection: AsyncConnection, batch: Sequence[GovernedEvent]) -> None:
    """Write events; one that is there already is left as it is."""
    statement = insert_into(connection, events).on_conflict_do_nothing(index_elements=["event_id"])
    await connection.execute(statement, [event_row(event) for event in batch])


def event_row(event: GovernedEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in EVENT_FIELDS}


async def find_event(connection: AsyncConnection, tenant: str, event_id: str) -> GovernedEvent | None:
    row = (
        await connection.execute(select(events).where(events.c.tenant == tenant, events.c.event_id == event_id))
    ).first()
    return None if row is None else _event(row)


async def list_events(connection: AsyncConnection, tenant: str, wanted: EventFilter) -> list[tuple[int, GovernedEvent]]:
    """Events with their numbers, oldest first: behind `after` when it is given, else the newest that fit."""
    columns = events.c
    query = select(events).where(columns.tenant == tenant)
    for column, value in (
        (columns.team, wanted.team),
        (columns.policy_rule, wanted.policy),
        (columns.reason_code, wanted.reason_code),
        (columns.config_version, wanted.config_version),
        (columns.consumer, wanted.consumer),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.verdict:
        query = query.where(columns.verdict.in_(wanted.verdict))
    if wanted.since is not None:
        query = query.where(columns.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(columns.at < wanted.until)
    if not wanted.golden:
        query = query.where(not_golden(events))
    if wanted.after is not None:
        rows = await connection.execute(
            query.where(columns.number > wanted.after).order_by(columns.number).limit(wanted.limit)
        )
        return [(row.number, _event(row)) for row in rows]
    rows = await connection.execute(query.order_by(columns.number.desc()).limit(wanted.limit))
    return [(row.number, _event(row)) for row in reversed(rows.all())]


async def count_escalated(
    connection: AsyncConnection, tenant: str, since: datetime, split: datetime, *, without: str
) -> dict[str, tuple[int, int]]:
    """Escalated requests of each consumer: (from `split` on, before it), those of the policy `without` left out."""
    columns = events.c
    recent = func.sum(case((columns.at >= split, 1), else_=0))
    query = (
        select(columns.consumer, recent, func.count())
        .where(columns.tenant == tenant, columns.verdict == "escalated", columns.at >= since)
        .where(columns.policy_rule != without, not_golden(events))
        .group_by(columns.consumer)
    )
    return {name: (int(new), int(total) - int(new)) for name, new, total in await connection.execute(query)}


def _event(row: Row[Any]) -> GovernedEvent:
    return GovernedEvent(**{name: getattr(row, name) for name in EVENT_FIELDS})
