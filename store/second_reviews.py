"""Blind second reviews in the store: the projection of their workflows, and who has seen what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.second_review import ReviewStatus, SecondReview
from escalations.views import View
from store.database import insert_into
from store.escalations import Scope
from store.reports import counted
from store.schema import escalations
from store.second_review_tables import decision_readers, second_reviews

_review = TypeAdapter(SecondReview)
_view = TypeAdapter(View)


async def put_review(connection: AsyncConnection, review: SecondReview) -> None:
    """Write it unless the store has that version or a newer one."""
    opening = review.opening
    row = {
        "tenant": opening.tenant,
        "review_id": opening.review_id,
        "escalation_id": opening.escalation_id,
        "version": review.version,
        "status": review.status.value,
        "team": opening.team,
        "opened_at": review.opened_at,
        "ended_at": review.ended_at,
        "review": _review.dump_python(review, mode="json"),
    }
    insert = insert_into(connection, second_reviews).values(row)
    await connection.execute(
        insert.on_conflict_do_update(
            index_elements=["tenant", "review_id"],
            set_={name: insert.excluded[name] for name in row},
            where=second_reviews.c.version < insert.excluded.version,
        )
    )


async def find_review(connection: AsyncConnection, tenant: str, review_id: str) -> SecondReview | None:
    query = select(second_reviews.c.review).where(
        second_reviews.c.tenant == tenant, second_reviews.c.review_id == review_id
    )
    body = await connection.scalar(query)
    return None if body is None else _review.validate_python(body)


async def reviews_of(
    connection: AsyncConnection, tenant: str, escalation_ids: Sequence[str]
) -> dict[str, SecondReview]:
    """The second reviews of those cases that have one, by the case."""
    query = select(second_reviews.c.review).where(
        second_reviews.c.tenant == tenant, second_reviews.c.escalation_id.in_(escalation_ids)
    )
    found = [_review.validate_python(body) for body in await connection.scalars(query)]
    return {review.opening.escalation_id: review for review in found}


async def waiting_reviews(connection: AsyncConnection, scope: Scope) -> list[SecondReview]:
    """Those of these teams that are not over, the oldest first."""
    query = select(second_reviews.c.review).where(
        second_reviews.c.tenant == scope.tenant,
        second_reviews.c.status.in_([ReviewStatus.OPEN.value, ReviewStatus.CLAIMED.value]),
    )
    if scope.teams is not None:
        query = query.where(second_reviews.c.team.in_(sorted(scope.teams)))
    query = query.order_by(second_reviews.c.opened_at, second_reviews.c.review_id)
    return [_review.validate_python(body) for body in await connection.scalars(query)]


async def reviews_between(
    connection: AsyncConnection, scope: Scope, start: datetime, end: datetime
) -> list[tuple[SecondReview, View]]:
    """Those that were done from `start` on and before `end`, each with the case that it is about; no golden case for
    who may know them."""
    query = (
        select(second_reviews.c.review, escalations.c.view)
        .join(
            escalations,
            (escalations.c.tenant == second_reviews.c.tenant)
            & (escalations.c.escalation_id == second_reviews.c.escalation_id),
        )
        .where(
            second_reviews.c.tenant == scope.tenant,
            second_reviews.c.status == ReviewStatus.DONE.value,
            *counted(second_reviews, scope),
            second_reviews.c.ended_at >= start,
            second_reviews.c.ended_at < end,
        )
        .order_by(second_reviews.c.ended_at)
    )
    if scope.teams is not None:
        query = query.where(second_reviews.c.team.in_(sorted(scope.teams)))
    rows = await connection.execute(query)
    return [(_review.validate_python(row.review), _view.validate_python(row.view)) for row in rows]


async def note_reader(connection: AsyncConnection, tenant: str, escalation_id: str, login: str) -> None:
    row = {"tenant": tenant, "escalation_id": escalation_id, "login": login}
    await connection.execute(insert_into(connection, decision_readers).values(row).on_conflict_do_nothing())


async def read_by(
    connection: AsyncConnection, tenant: str, login: str, escalation_ids: Sequence[str]
) -> frozenset[str]:
    """Of these cases, those whose decision this person was shown."""
    query = select(decision_readers.c.escalation_id).where(
        decision_readers.c.tenant == tenant,
        decision_readers.c.login == login,
        decision_readers.c.escalation_id.in_(escalation_ids),
    )
    return frozenset(await connection.scalars(query))
