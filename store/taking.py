"""The next case for one person: the most urgent that waits where they may take it, kept for them until it is theirs.

Who asks at the same instant gets another one: a case is reserved, in the table that assignment by rule uses too, before
it is claimed. What somebody handed on or gave back is not offered to them again; they may still claim it by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.views import View
from store.assigning import RESERVED_FOR, forget, let_go_by, lock
from store.assignment_tables import reservations
from store.database import insert_into
from store.escalations import Scope, within
from store.schema import escalations

_PAGE = 50
_view = TypeAdapter(View)


@dataclass(frozen=True, slots=True)
class Taker:
    """Who asks, of which teams' queues, and what the rules let them claim; `without` what they could not have."""

    scope: Scope
    login: str
    may_claim: Callable[[View], bool]
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rest:
    """Why nothing is left: how many are with others, were let go by who asks, or are not for them to review."""

    held_by_others: int = 0
    let_go: int = 0
    not_theirs: int = 0


async def reserve_next(connection: AsyncConnection, taker: Taker, now: datetime) -> View | Rest:
    """What they hold already, else the most urgent one that waits, which is kept for them from now on."""
    await lock(connection, taker.scope.tenant)
    await forget(connection, taker.scope.tenant, now)
    found = await find_next(connection, taker, now)
    if isinstance(found, View) and found.assignee != taker.login:
        kept = {"tenant": found.tenant, "escalation_id": found.escalation_id, "login": taker.login}
        insert = insert_into(connection, reservations).values(kept | {"until": now + RESERVED_FOR})
        await connection.execute(insert.on_conflict_do_nothing())
    return found


async def find_next(connection: AsyncConnection, taker: Taker, now: datetime) -> View | Rest:
    """The same without keeping it."""
    for view in await _page(connection, taker, _held(taker)):
        if view.paused_until is None and not _is_helped(view, now) and taker.may_claim(view):
            return view
    waiting = _waiting(taker, now)
    seen, let_go, not_theirs = 0, 0, 0
    while views := await _page(connection, taker, waiting, seen):
        seen += len(views)
        gave_up = await let_go_by(connection, taker.scope.tenant, [view.escalation_id for view in views])
        for view, people in zip(views, gave_up, strict=True):
            if view.escalation_id in taker.without:
                continue
            if not taker.may_claim(view):
                not_theirs += 1
            elif taker.login in people:
                let_go += 1
            else:
                return view
    return Rest(await _with_others(connection, taker, now), let_go, not_theirs)


async def _page(
    connection: AsyncConnection, taker: Taker, conditions: Sequence[ColumnElement[bool]], offset: int = 0
) -> list[View]:
    order = (escalations.c.severity_rank, escalations.c.created_at, escalations.c.escalation_id)
    query = select(escalations.c.view).where(*within(taker.scope), *conditions)
    bodies = await connection.scalars(query.order_by(*order).offset(offset).limit(_PAGE))
    return [_view.validate_python(body) for body in bodies]


def _is_helped(view: View, now: datetime) -> bool:
    return view.help is not None and view.help.until > now


def _held(taker: Taker) -> list[ColumnElement[bool]]:
    return [escalations.c.status == "claimed", escalations.c.assignee == taker.login, escalations.c.leader.is_(None)]


def _waiting(taker: Taker, now: datetime) -> list[ColumnElement[bool]]:
    return [escalations.c.status == "open", escalations.c.leader.is_(None), ~_kept_for_another(taker, now)]


def _kept_for_another(taker: Taker, now: datetime) -> ColumnElement[bool]:
    return exists().where(
        reservations.c.tenant == escalations.c.tenant,
        reservations.c.escalation_id == escalations.c.escalation_id,
        reservations.c.login != taker.login,
        reservations.c.until > now,
    )


async def _with_others(connection: AsyncConnection, taker: Taker, now: datetime) -> int:
    query = select(func.count()).where(*within(taker.scope), escalations.c.leader.is_(None))
    held = query.where(escalations.c.status == "claimed", escalations.c.assignee != taker.login)
    kept = query.where(escalations.c.status == "open", _kept_for_another(taker, now))
    return (await connection.scalar(held) or 0) + (await connection.scalar(kept) or 0)
