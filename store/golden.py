"""Golden cases in the store: the known answers, which escalations were sent as one, and how those were decided."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Row, Table, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.commands import Role
from escalations.golden import GoldenCase, GoldenResult
from escalations.views import View
from store.database import insert_into
from store.golden_tables import golden_cases, golden_sends
from store.schema import content_keys, contents, escalations, users

_case = TypeAdapter(GoldenCase)
_view = TypeAdapter(View)
_FIELDS = tuple(field.name for field in fields(GoldenCase))
_MAY_KNOW = {Role.ADMIN.value, Role.AUDITOR.value}


@dataclass(frozen=True, slots=True)
class Send:
    """A golden case on its way to reviewers, as this escalation."""

    golden_id: str
    escalation_id: str


def not_golden(table: Table) -> ColumnElement[bool]:
    """Of a table with a tenant and the id of an escalation: the rows of what was not sent as a golden case."""
    columns = (golden_sends.c.tenant == table.c.tenant, golden_sends.c.escalation_id == table.c.escalation_id)
    return ~exists().where(*columns)


async def is_golden(connection: AsyncConnection, tenant: str, escalation_id: str) -> bool:
    query = select(golden_sends.c.golden_id).where(
        golden_sends.c.tenant == tenant, golden_sends.c.escalation_id == escalation_id
    )
    return await connection.scalar(query) is not None


async def create_golden(connection: AsyncConnection, golden: GoldenCase) -> None:
    row = asdict(golden) | {"severity": golden.severity.value, "expected": golden.expected.value}
    await connection.execute(golden_cases.insert().values(row))


async def list_golden(connection: AsyncConnection, tenant: str) -> list[GoldenCase]:
    """The oldest first, those that are sent no more among them."""
    query = select(golden_cases).where(golden_cases.c.tenant == tenant)
    rows = await connection.execute(query.order_by(golden_cases.c.created_at, golden_cases.c.golden_id))
    return [_golden(row) for row in rows]


async def find_golden(connection: AsyncConnection, tenant: str, golden_id: str) -> GoldenCase | None:
    query = select(golden_cases).where(golden_cases.c.tenant == tenant, golden_cases.c.golden_id == golden_id)
    row = (await connection.execute(query)).first()
    return None if row is None else _golden(row)


async def retire_golden(connection: AsyncConnection, tenant: str, golden_id: str, now: datetime) -> None:
    """It is sent no more, and its content is gone; how it was decided stays known."""
    mine = (golden_cases.c.tenant == tenant, golden_cases.c.golden_id == golden_id)
    await connection.execute(
        update(golden_cases).where(*mine, golden_cases.c.retired_at.is_(None)).values(retired_at=now)
    )
    for table in (contents, content_keys):
        await connection.execute(delete(table).where(table.c.tenant == tenant, table.c.escalation_id == golden_id))


async def sent_counts(connection: AsyncConnection, tenant: str) -> dict[str, tuple[int, datetime]]:
    """For each golden case that was sent: how often, and when last."""
    table = golden_sends
    query = select(table.c.golden_id, func.count().label("sent"), func.max(table.c.sent_at).label("last"))
    rows = await connection.execute(query.where(table.c.tenant == tenant).group_by(table.c.golden_id))
    return {row.golden_id: (row.sent, row.last) for row in rows}


async def reserve_send(
    connection: AsyncConnection, tenant: str, round_id: str, wanted: str | None, escalation_id: str, now: datetime
) -> Send | None:
    """What a round sends: the same again, where it is repeated; else `wanted`, or the one that was sent longest ago and
    is not under review. None where there is none."""
    mine = (golden_sends.c.tenant == tenant, golden_sends.c.round_id == round_id)
    known = (await connection.execute(select(golden_sends).where(*mine))).first()
    if known is not None:
        return Send(known.golden_id, known.escalation_id)
    golden_id = await _next(connection, tenant, wanted)
    if golden_id is None:
        return None
    row = {"tenant": tenant, "escalation_id": escalation_id, "golden_id": golden_id, "round_id": round_id}
    insert = insert_into(connection, golden_sends).values(row | {"sent_at": now})
    await connection.execute(insert.on_conflict_do_nothing(index_elements=["tenant", "round_id"]))
    sent = (await connection.execute(select(golden_sends).where(*mine))).one()
    return Send(sent.golden_id, sent.escalation_id)


async def _next(connection: AsyncConnection, tenant: str, wanted: str | None) -> str | None:
    under_review = exists().where(
        golden_sends.c.tenant == golden_cases.c.tenant,
        golden_sends.c.golden_id == golden_cases.c.golden_id,
        escalations.c.tenant == golden_sends.c.tenant,
        escalations.c.escalation_id == golden_sends.c.escalation_id,
        escalations.c.ended_at.is_(None),
    )
    last = select(func.max(golden_sends.c.sent_at)).where(
        golden_sends.c.tenant == golden_cases.c.tenant, golden_sends.c.golden_id == golden_cases.c.golden_id
    )
    query = select(golden_cases.c.golden_id).where(golden_cases.c.tenant == tenant, golden_cases.c.retired_at.is_(None))
    query = query.where(golden_cases.c.golden_id == wanted) if wanted is not None else query.where(~under_review)
    order = (last.scalar_subquery().asc().nulls_first(), golden_cases.c.created_at)
    found: str | None = await connection.scalar(query.order_by(*order).limit(1))
    return found


async def newest_like(connection: AsyncConnection, tenant: str, policy_rule: str) -> View | None:
    """The newest real case of a policy: what one of them looks like now."""
    query = select(escalations.c.view).where(
        escalations.c.tenant == tenant,
        escalations.c.policy_rule == policy_rule,
        not_golden(escalations),
    )
    body = await connection.scalar(query.order_by(escalations.c.created_at.desc()).limit(1))
    return None if body is None else _view.validate_python(body)


async def results_between(
    connection: AsyncConnection, tenant: str, start: datetime, end: datetime
) -> list[GoldenResult]:
    """Those that ended from `start` on and before `end`."""
    query = (
        select(golden_sends.c.sent_at, golden_sends.c.golden_id, escalations.c.view, escalations.c.ended_at)
        .join(
            escalations,
            (escalations.c.tenant == golden_sends.c.tenant)
            & (escalations.c.escalation_id == golden_sends.c.escalation_id),
        )
        .where(golden_sends.c.tenant == tenant, escalations.c.ended_at >= start, escalations.c.ended_at < end)
        .order_by(escalations.c.ended_at)
    )
    rows = (await connection.execute(query)).all()
    known = {golden.golden_id: golden for golden in await list_golden(connection, tenant)}
    reviewers = select(users.c.login, users.c.roles).where(users.c.tenant == tenant)
    blind = {row.login for row in await connection.execute(reviewers) if _MAY_KNOW.isdisjoint(row.roles)}
    return [_result(row, known[row.golden_id], blind) for row in rows]


def _result(row: Any, golden: GoldenCase, blind: set[str]) -> GoldenResult:
    view = _view.validate_python(row.view)
    people = () if view.reviewer is None else (view.reviewer, *view.approved_by)
    return GoldenResult(
        golden,
        view.escalation_id,
        row.sent_at,
        row.ended_at,
        view.resolution,
        view.category,
        view.reviewer,
        all(login in blind for login in people),
    )


def _golden(row: Row[Any]) -> GoldenCase:
    return _case.validate_python({name: getattr(row, name) for name in _FIELDS})
