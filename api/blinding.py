"""Keeping the decision of a sampled case from those who may be asked for theirs.

Until its second review is over, a list shows such a case without its decision to everybody who had no part in it. Who
opens the case itself may see the decision, and cannot do the second review any more; who has taken the review, cannot
open the case. Admins and auditors see everything, so they never review a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.errors import NotIndependent
from escalations.second_review import SecondReview, had_part
from escalations.views import View
from store.database import Database
from store.escalations import Scope
from store.second_reviews import note_reader, read_by, reviews_of


def _is_decided(view: View) -> bool:
    return view.resolution is not None or view.pending is not None or view.proposal is not None


def _knows(review: SecondReview | None, view: View, login: str) -> bool:
    """Whether they may see the decision anyway: by their part in it, or because nobody has to judge it any more."""
    if review is None:
        people = (view.reviewer, view.assignee, view.requester, *view.approved_by, *view.apart)
        return had_part(tuple(one for one in people if one is not None), login)
    return review.status.over or had_part(review.opening.apart, login)


async def note_seen(database: Database, scope: Scope, view: View) -> None:
    """Somebody is about to see all of a case. Raises NotIndependent for who has taken its second review."""
    if scope.login is None or not view.second_review or not _is_decided(view):
        return
    ids = [view.escalation_id]
    async with database.read() as connection:
        review = (await reviews_of(connection, scope.tenant, ids)).get(view.escalation_id)
        known = await read_by(connection, scope.tenant, scope.login, ids)
    if _knows(review, view, scope.login):
        return
    if not known:
        async with database.write() as connection:
            review = (await reviews_of(connection, scope.tenant, ids)).get(view.escalation_id)
            if review is None or review.reviewer != scope.login:
                await note_reader(connection, scope.tenant, view.escalation_id, scope.login)
    if review is not None and review.reviewer == scope.login and not review.status.over:
        raise NotIndependent("you look at this case a second time: say first how you would have decided")


async def blinded(connection: AsyncConnection, scope: Scope, views: Sequence[View]) -> list[View]:
    """The views as this scope may see them in a list."""
    sampled = [view.escalation_id for view in views if view.second_review and _is_decided(view)]
    if scope.login is None or not sampled:
        return list(views)
    reviews = await reviews_of(connection, scope.tenant, sampled)
    read = await read_by(connection, scope.tenant, scope.login, sampled)
    hidden = {
        view.escalation_id
        for view in views
        if view.escalation_id in sampled
        and view.escalation_id not in read
        and not _knows(reviews.get(view.escalation_id), view, scope.login)
    }
    return [_without_decision(view) if view.escalation_id in hidden else view for view in views]


def _without_decision(view: View) -> View:
    return replace(
        view,
        assignee=None if view.end is not None else view.assignee,
        resolution=None,
        category=None,
        reviewer=None,
        note_digest=None,
        released_digest=None,
        approved_by=(),
        proposal=None,
        pending=None,
    )
