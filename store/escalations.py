"""The projection of escalations: what the queue, the pages and the analytics read. The workflow stays the authority.

Writing is idempotent: a view goes in only over an older version, an event only once per (escalation, seq).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.commands import Actor
from escalations.events import Event, EventType
from escalations.views import View
from store.changes import note_change
from store.database import insert_into
from store.ledger import Receipt
from store.schema import content_keys, escalation_events, escalations
from vault.envelopes import WrappedKey

_view = TypeAdapter(View)
_actor = TypeAdapter(Actor)

MOST_PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """An event with the place of its entry in the ledger."""

    event: Event
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose cases a query may see. None as teams: everybody's (admins and auditors)."""

    tenant: str
    login: str | None = None
    teams: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is asked for. `deadline` sorts by deadline, else it is priority and age, as the queue is worked."""

    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    team: str | None = None
    assignee: str | None = None
    policy: str | None = None
    consumer: str | None = None
    leader: str | None = None
    by_deadline: bool = False
    limit: int = 50
    cursor: str | None = None


class BadCursor(ValueError):
    """A cursor that this list did not hand out."""


async def put_view(connection: AsyncConnection, view: View) -> bool:
    """Write a view unless the projection has that version or a newer one; says whether it was written."""
    row = {
        "tenant": view.tenant,
        "escalation_id": view.escalation_id,
        "version": view.version,
        "status": view.status.value,
        "sla_state": view.sla_state.value,
        "severity": view.severity.value,
        "severity_rank": view.severity.rank,
        "policy_rule": view.policy_rule,
        "reason_code": view.reason_code,
        "team": view.team,
        "route_user": view.route.user,
        "assignee": view.assignee,
        "consumer": view.consumer,
        "event_id": view.event_id,
        "created_at": view.created_at,
        "sla_deadline": view.sla_deadline,
        "ended_at": view.ended_at,
        "resolution": view.resolution,
        "readers": _readers(view),
        "leader": view.leader,
        "view": _view.dump_python(view, mode="json"),
    }
    insert = insert_into(connection, escalations).values(row)
    done = await connection.execute(
        insert.on_conflict_do_update(
            index_elements=["tenant", "escalation_id"],
            set_={name: insert.excluded[name] for name in row},
            where=escalations.c.version < insert.excluded.version,
        )
    )
    if not done.rowcount:
        return False
    await note_change(connection, view.tenant, "escalation", view.escalation_id, view.version, view.created_at)
    return True


async def put_events(
    connection: AsyncConnection, tenant: str, escalation_id: str, events: Sequence[Event], receipts: Sequence[Receipt]
) -> None:
    rows = [
        {
            "tenant": tenant,
            "escalation_id": escalation_id,
            "seq": event.seq,
            "type": event.type.value,
            "at": event.at,
            "actor": _actor.dump_python(event.actor, mode="json"),
            "data": event.data,
            "ledger_chain": receipt.chain,
            "ledger_seq": receipt.seq,
        }
        for event, receipt in zip(events, receipts, strict=True)
    ]
    if rows:
        await connection.execute(insert_into(connection, escalation_events).on_conflict_do_nothing(), rows)


async def written_down(connection: AsyncConnection, tenant: str, escalation_id: str) -> tuple[frozenset[int], int]:
    """The numbers of the events that the projection has, and the version that it shows (0: none)."""
    shown = (
        select(escalations.c.version)
        .where(escalations.c.tenant == tenant, escalations.c.escalation_id == escalation_id)
        .scalar_subquery()
    )
    table = escalation_events
    query = select(table.c.seq, shown).where(table.c.tenant == tenant, table.c.escalation_id == escalation_id)
    rows = (await connection.execute(query)).all()
    return frozenset(row[0] for row in rows), (rows[0][1] or 0) if rows else 0


async def timeline(connection: AsyncConnection, tenant: str, escalation_id: str) -> list[TimelineEntry]:
    table = escalation_events
    rows = await connection.execute(
        select(table).where(table.c.tenant == tenant, table.c.escalation_id == escalation_id).order_by(table.c.seq)
    )
    return [
        TimelineEntry(
            Event(row.seq, EventType(row.type), row.at, _actor.validate_python(row.actor), row.data),
            Receipt(row.ledger_chain, row.ledger_seq),
        )
        for row in rows
    ]


async def find_view_and_key(
    connection: AsyncConnection, scope: Scope, escalation_id: str
) -> tuple[View, WrappedKey] | None:
    """The case with its wrapped data key, in one look; None where it is not to be seen, or its content was erased."""
    keys = content_keys
    query = (
        select(escalations.c.view, keys.c.key_id, keys.c.blob)
        .join(keys, and_(keys.c.tenant == escalations.c.tenant, keys.c.escalation_id == escalations.c.escalation_id))
        .where(escalations.c.escalation_id == escalation_id, *within(scope))
    )
    row = (await connection.execute(query)).first()
    return None if row is None else (_view.validate_python(row.view), WrappedKey(row.key_id, row.blob))


async def find_view(connection: AsyncConnection, scope: Scope, escalation_id: str) -> View | None:
    """The case, if there is one and this scope may see it."""
    query = select(escalations.c.view).where(escalations.c.escalation_id == escalation_id, *within(scope))
    body = await connection.scalar(query)
    return None if body is None else _view.validate_python(body)


async def list_views(connection: AsyncConnection, scope: Scope, wanted: Filter) -> tuple[list[View], str | None]:
    """One page, and the cursor of the next. Raises BadCursor."""
    limit = max(1, min(wanted.limit, MOST_PER_PAGE))
    columns = (
        (escalations.c.sla_deadline, escalations.c.escalation_id)
        if wanted.by_deadline
        else (escalations.c.severity_rank, escalations.c.created_at, escalations.c.escalation_id)
    )
    query: Select[Any] = select(escalations.c.view).where(*within(scope), *_wanted(wanted)).order_by(*columns)
    if wanted.cursor:
        query = query.where(_behind(columns, _read_cursor(wanted.cursor, len(columns))))
    bodies = (await connection.scalars(query.limit(limit + 1))).all()
    views = [_view.validate_python(body) for body in bodies[:limit]]
    return views, _cursor(views[-1], wanted.by_deadline) if len(bodies) > limit else None


async def earlier_of(connection: AsyncConnection, view: View, limit: int = 10) -> list[View]:
    """Earlier cases of the same consumer, or of the same rule's finding, newest first."""
    query = (
        select(escalations.c.view)
        .where(
            escalations.c.tenant == view.tenant,
            escalations.c.escalation_id != view.escalation_id,
            escalations.c.created_at <= view.created_at,
            or_(
                escalations.c.consumer == view.consumer,
                and_(
                    escalations.c.policy_rule == view.policy_rule,
                    escalations.c.reason_code == view.reason_code,
                ),
            ),
        )
        .order_by(escalations.c.created_at.desc())
        .limit(limit)
    )
    return [_view.validate_python(body) for body in await connection.scalars(query)]


def sees(scope: Scope, view: View) -> bool:
    """Whether this scope may see this case: the same rule as the queries', for a view at hand."""
    if view.tenant != scope.tenant:
        return False
    if scope.teams is None or view.team in scope.teams or scope.login in (view.assignee, view.route.user):
        return True
    return scope.login is not None and _reader(scope.login) in (_readers(view) or "")


def within(scope: Scope) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [escalations.c.tenant == scope.tenant]
    if scope.teams is not None:
        mine = [
            escalations.c.team.in_(sorted(scope.teams)),
            escalations.c.assignee == scope.login,
            escalations.c.route_user == scope.login,
        ]
        if scope.login is not None:
            mine.append(escalations.c.readers.contains(_reader(scope.login), autoescape=True))
        conditions.append(or_(*mine))
    return conditions


def _readers(view: View) -> str | None:
    """Who sees a case beside its team: the named approvers while it needs them, then those who approved it; and who
    was asked for help, while it is held."""
    people = (view.approvers or ()) if view.proposal is not None else view.approved_by
    if view.help is not None:
        people = (*people, *view.help.people)
    return "".join(_reader(login) for login in people) or None


def _reader(login: str) -> str:
    return f" {login} "


def _wanted(wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.status:
        conditions.append(escalations.c.status.in_(wanted.status))
    if wanted.severity:
        conditions.append(escalations.c.severity.in_(wanted.severity))
    if wanted.team:
        conditions.append(escalations.c.team == wanted.team)
    if wanted.assignee:
        conditions.append(escalations.c.assignee == wanted.assignee)
    if wanted.policy:
        conditions.append(or_(escalations.c.policy_rule == wanted.policy, escalations.c.reason_code == wanted.policy))
    # What another case decides is no work of its own: it is listed under its leader.
    conditions.append(escalations.c.leader == wanted.leader if wanted.leader else escalations.c.leader.is_(None))
    if wanted.consumer:
        conditions.append(escalations.c.consumer == wanted.consumer)
    return conditions


def _behind(columns: Sequence[Any], place: Sequence[Any]) -> ColumnElement[bool]:
    """Lexicographically behind a place in the order of the columns."""
    clauses = [
        and_(*(columns[i] == place[i] for i in range(depth)), columns[depth] > place[depth])
        for depth in range(len(columns))
    ]
    return or_(*clauses)


def _cursor(view: View, by_deadline: bool) -> str:
    place: list[Any] = (
        [view.sla_deadline.isoformat(), view.escalation_id]
        if by_deadline
        else [view.severity.rank, view.created_at.isoformat(), view.escalation_id]
    )
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _read_cursor(cursor: str, length: int) -> list[Any]:
    try:
        place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(place, list) or len(place) != length or not isinstance(place[-1], str):
            raise ValueError(cursor)
        head = [] if length == 2 else [int(place[0])]
        return [*head, datetime.fromisoformat(place[-2]), place[-1]]
    except (ValueError, TypeError, binascii.Error):
        raise BadCursor("this cursor is not one that this list handed out; start again without it") from None
