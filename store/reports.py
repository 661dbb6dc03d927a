"""What reports are made of: the cases that were there in a stretch of time."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Table, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.views import View
from store.escalations import Scope, sees
from store.golden import not_golden
from store.schema import escalations

_view = TypeAdapter(View)


def counted(table: Table, scope: Scope) -> list[ColumnElement[bool]]:
    """Of a table with the id of an escalation, which rows count for this scope: no golden case where it may know them.

    A reviewer who found fewer cases in a report than in the queue would know which one is golden.
    """
    return [] if scope.login is not None else [not_golden(table)]


async def views_between(connection: AsyncConnection, scope: Scope, start: datetime, end: datetime) -> list[View]:
    """Every case that this scope may see, and that was open at any moment from `start` on and before `end`.

    Without those that no person decided, because the same request had been blocked, and without golden cases for who
    may know them.
    """
    query = select(escalations.c.view).where(
        escalations.c.tenant == scope.tenant,
        *counted(escalations, scope),
        escalations.c.created_at < end,
        or_(escalations.c.ended_at.is_(None), escalations.c.ended_at >= start),
    )
    views = [_view.validate_python(body) for body in await connection.scalars(query)]
    return [view for view in views if sees(scope, view) and view.precedent is None]
