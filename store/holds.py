"""Which request waits for which escalation, so that a retry finds the hold of its first attempt on any gateway.

Every first attempt registers before its workflow starts. Two first attempts are never merged for looking alike; an
Idempotency-Key merges, and a retry (the client says so) attaches to the least attached hold of the same request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.commands import SYSTEM
from escalations.decisions import Resolution
from store.schema import escalations, holds, releases

REMEMBERED = timedelta(hours=24)
"""How long a retry or an Idempotency-Key finds its hold."""


class HoldState(StrEnum):
    """`opening` until Temporal acknowledged the workflow; then `held`; `withdrawn` when it never came to be."""

    OPENING = "opening"
    HELD = "held"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """`request_digest` is a keyed digest of the canonical request; `start` is the sealed start of its workflow.

    `original` is the case whose decision settles this one.
    """

    escalation_id: str
    consumer: str
    request_digest: str
    idempotency_key: str | None
    completion_id: str | None
    state: HoldState
    created_at: datetime
    start: bytes | None = None
    original: str | None = None


async def register(connection: AsyncConnection, tenant: str, hold: HeldRequest) -> HeldRequest:
    """Write a new hold; or, where its Idempotency-Key has one already, give that one back instead."""
    if hold.idempotency_key is not None:
        existing = await find_by_key(connection, tenant, hold.consumer, hold.idempotency_key, hold.created_at)
        if existing is not None:
            return existing
        stale = update(holds).where(
            holds.c.tenant == tenant,
            holds.c.consumer == hold.consumer,
            holds.c.idempotency_key == hold.idempotency_key,
            # Not one that another attempt has committed since we looked: that one is found below.
            holds.c.created_at <= hold.created_at - REMEMBERED,
        )
        await connection.execute(stale.values(idempotency_key=None))
    row = {
        "tenant": tenant,
        "escalation_id": hold.escalation_id,
        "consumer": hold.consumer,
        "request_digest": hold.request_digest,
        "idempotency_key": hold.idempotency_key,
        "completion_id": hold.completion_id,
        "state": hold.state.value,
        "created_at": hold.created_at,
        "start": hold.start,
        "original": hold.original,
    }
    try:
        async with connection.begin_nested():
            await connection.execute(holds.insert().values(row))
    except IntegrityError:
        if hold.idempotency_key is None:
            raise
        other = await find_by_key(connection, tenant, hold.consumer, hold.idempotency_key, hold.created_at)
        if other is None:
            raise
        return other
    return hold


async def find_by_key(
    connection: AsyncConnection, tenant: str, consumer: str, key: str, now: datetime
) -> HeldRequest | None:
    query = select(holds).where(
        holds.c.tenant == tenant,
        holds.c.consumer == consumer,
        holds.c.idempotency_key == key,
        holds.c.created_at > now - REMEMBERED,
    )
    row = (await connection.execute(query)).first()
    return None if row is None else _hold(row)


async def attach_retry(
    connection: AsyncConnection, tenant: str, consumer: str, request_digest: str, now: datetime
) -> HeldRequest | None:
    """The hold that a retry of this request belongs to; counts the retry, so that the next one may find another."""
    query = (
        select(holds)
        .where(
            holds.c.tenant == tenant,
            holds.c.consumer == consumer,
            holds.c.request_digest == request_digest,
            holds.c.state != HoldState.WITHDRAWN.value,
            holds.c.created_at > now - REMEMBERED,
        )
        .order_by(holds.c.attached, holds.c.created_at)
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    counted = update(holds).where(holds.c.tenant == tenant, holds.c.escalation_id == row.escalation_id)
    await connection.execute(counted.values(attached=holds.c.attached + 1))
    return _hold(row)


async def find_leader(
    connection: AsyncConnection, tenant: str, consumer: str, request_digest: str, now: datetime
) -> str | None:
    """The oldest case of this request that is not decided, and follows no other."""
    ended = select(releases.c.escalation_id).where(
        releases.c.tenant == tenant, releases.c.escalation_id == holds.c.escalation_id
    )
    query = select(holds.c.escalation_id).where(
        *_same_request(tenant, consumer, request_digest),
        holds.c.state != HoldState.WITHDRAWN.value,
        holds.c.created_at > now - REMEMBERED,
        ~ended.exists(),
    )
    return (await connection.scalars(query.order_by(holds.c.created_at).limit(1))).first()


async def has_leader(connection: AsyncConnection, tenant: str, hold: HeldRequest) -> bool:
    """Whether another case of the request leads already.

    Until the transaction ends nobody else is told that there is none: of requests that come at once, on whichever
    gateways, one leads. SQLite has one writer at a time anyway.
    """
    if not hold.request_digest:
        return False
    if connection.dialect.name == "postgresql":
        name = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await connection.execute(name, {"name": f"kt.leader.{tenant}.{hold.consumer}.{hold.request_digest}"})
    return await find_leader(connection, tenant, hold.consumer, hold.request_digest, hold.created_at) is not None


async def last_decision(
    connection: AsyncConnection, tenant: str, consumer: str, request_digest: str
) -> tuple[str, str, str | None, datetime] | None:
    """The last decision that people made on this request: its case, outcome, category and time."""
    query = (
        select(releases.c.escalation_id, releases.c.outcome, releases.c.category, releases.c.decided_at)
        .join(holds, (holds.c.tenant == releases.c.tenant) & (holds.c.escalation_id == releases.c.escalation_id))
        .join(
            escalations,
            (escalations.c.tenant == releases.c.tenant) & (escalations.c.escalation_id == releases.c.escalation_id),
        )
        .where(
            *_same_request(tenant, consumer, request_digest),
            # What was released at the end of a chain is nobody's decision.
            escalations.c.assignee.is_distinct_from(SYSTEM.login),
            releases.c.outcome.in_([resolution.value for resolution in Resolution]),
        )
    )
    row = (await connection.execute(query.order_by(releases.c.decided_at.desc()).limit(1))).first()
    return None if row is None else (row.escalation_id, row.outcome, row.category, row.decided_at)


def _same_request(tenant: str, consumer: str, request_digest: str) -> tuple[ColumnElement[bool], ...]:
    return (
        holds.c.tenant == tenant,
        holds.c.consumer == consumer,
        holds.c.request_digest == request_digest,
        holds.c.original.is_(None),
    )


async def find_hold(
    connection: AsyncConnection, tenant: str, consumer: str, *, escalation_id: str = "", completion_id: str = ""
) -> HeldRequest | None:
    """This consumer's hold by the escalation's id, or the newest by the completion's id."""
    column, value = (holds.c.escalation_id, escalation_id) if escalation_id else (holds.c.completion_id, completion_id)
    query = select(holds).where(holds.c.tenant == tenant, holds.c.consumer == consumer, column == value)
    row = (await connection.execute(query.order_by(holds.c.created_at.desc()).limit(1))).first()
    return None if row is None else _hold(row)


async def hold_state(connection: AsyncConnection, tenant: str, escalation_id: str) -> HoldState | None:
    """Where a hold stands, whoever's it is; None where nothing is held under that id."""
    query = select(holds.c.state).where(holds.c.tenant == tenant, holds.c.escalation_id == escalation_id)
    state = (await connection.scalars(query)).first()
    return None if state is None else HoldState(state)


async def count_waiting(connection: AsyncConnection, tenant: str, consumer: str) -> int:
    """How many of this consumer's answers wait for a person."""
    ended = select(releases.c.escalation_id).where(
        releases.c.tenant == tenant, releases.c.escalation_id == holds.c.escalation_id
    )
    query = select(func.count()).where(
        holds.c.tenant == tenant,
        holds.c.consumer == consumer,
        holds.c.state != HoldState.WITHDRAWN.value,
        ~ended.exists(),
    )
    return int((await connection.execute(query)).scalar_one())


async def set_state(connection: AsyncConnection, tenant: str, escalation_id: str, state: HoldState) -> None:
    query = update(holds).where(holds.c.tenant == tenant, holds.c.escalation_id == escalation_id)
    start = {} if state is HoldState.OPENING else {"start": None}
    await connection.execute(query.values(state=state.value, **start))


async def left_opening(
    connection: AsyncConnection, before: datetime, limit: int = 100
) -> list[tuple[str, HeldRequest]]:
    """(tenant, hold) of those whose start was never acknowledged, oldest first."""
    query = select(holds).where(holds.c.state == HoldState.OPENING.value, holds.c.created_at < before)
    rows = await connection.execute(query.order_by(holds.c.created_at).limit(limit))
    return [(row.tenant, _hold(row)) for row in rows]


def _hold(row: Row[Any]) -> HeldRequest:
    return HeldRequest(
        row.escalation_id,
        row.consumer,
        row.request_digest,
        row.idempotency_key,
        row.completion_id,
        HoldState(row.state),
        row.created_at,
        row.start,
        row.original,
    )
