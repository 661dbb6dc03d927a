"""A second, blind look at a case that is over: what it is about, who may take it, and what they say.

It changes nothing of the case: what was released stays so. It tells how far two people agree who do not know of each
other's word, so nobody who had a part in the case may take it, and it names neither the case nor its decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from escalations.case import Case
from escalations.commands import SYSTEM, Actor, ActorKind, Resolve
from escalations.errors import (
    AlreadyClaimed,
    AlreadyExpired,
    AlreadyResolved,
    EscalationError,
    NotAllowed,
    NotClaimed,
    NotHolder,
    NotIndependent,
)
from escalations.events import Event, EventType
from escalations.severity import Severity

LEASE = timedelta(hours=1)
"""How long one who took a review may think; then another may take it."""
_ALL = 1 << 64


class ReviewStatus(StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"
    EXPIRED = "expired"

    @property
    def over(self) -> bool:
        return self in (ReviewStatus.DONE, ReviewStatus.EXPIRED)


class ReviewEvent(StrEnum):
    OPENED = "opened"
    CLAIMED = "claimed"
    RETURNED = "returned"
    DONE = "done"
    EXPIRED = "expired"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ReviewOpening:
    """`apart`: the logins of those who had a part in the case. It waits in the queue of `team` for `wait`."""

    review_id: str
    escalation_id: str
    tenant: str
    team: str
    policy_rule: str
    reason_code: str
    severity: Severity
    apart: tuple[str, ...]
    wait: timedelta


@dataclass(frozen=True, slots=True)
class SecondReview:
    """`version` grows with everything that happens. `note_digest` names a text in the vault of the case."""

    opening: ReviewOpening
    version: int
    status: ReviewStatus
    opened_at: datetime
    expires_at: datetime
    reviewer: str | None = None
    claimed_at: datetime | None = None
    ended_at: datetime | None = None
    resolution: str | None = None
    category: str | None = None
    note_digest: str | None = None


def is_sampled(digest: str, share: int) -> bool:
    """Whether a case falls into a share, in percent, by a keyed digest of its own in hex: the same answer every time,
    and one that nobody without the key can foresee."""
    return int(digest[:16], 16) * 100 < share * _ALL


def opening_of(case: Case, history: tuple[Event, ...], review_id: str) -> ReviewOpening | None:
    """What the second look at a decided case is opened with; None where it was not sampled, has no team, or was
    decided by nobody."""
    opening, decision = case.opening, case.decision
    if not opening.second_review_due or decision is None or case.route.team is None:
        return None
    if decision.reviewer == SYSTEM.login:
        return None
    people = {decision.reviewer, *decision.approved_by, case.opening.requester}
    people |= {leg.route.user for leg in case.legs}
    for event in history:
        if event.type is not EventType.REFUSED:
            people.add(event.actor.login if event.actor.kind in (ActorKind.USER, ActorKind.OPERATOR) else None)
            people.add(str(event.data["assignee"]) if event.data.get("assignee") else None)
    if opening.appeal is not None:
        people.update(opening.appeal.decided_by)
    assert opening.second_review is not None
    return ReviewOpening(
        review_id=review_id,
        escalation_id=opening.escalation_id,
        tenant=opening.tenant,
        team=case.route.team,
        policy_rule=opening.policy_rule,
        reason_code=opening.reason_code,
        severity=case.severity,
        apart=tuple(sorted(login for login in people if login)),
        wait=opening.second_review,
    )


def begin(opening: ReviewOpening, now: datetime) -> SecondReview:
    return SecondReview(opening, 1, ReviewStatus.OPEN, now, now + opening.wait)


def claim(review: SecondReview, actor: Actor, now: datetime) -> SecondReview:
    """Raises AlreadyResolved, AlreadyExpired, NotIndependent, NotAllowed or AlreadyClaimed."""
    check_may_take(review, actor)
    if review.reviewer == actor.login:
        return review
    if review.claimed_at is not None and now - review.claimed_at < LEASE:
        raise AlreadyClaimed("somebody else has taken this second review", state="claimed")
    return replace(
        review, version=review.version + 1, status=ReviewStatus.CLAIMED, reviewer=actor.login, claimed_at=now
    )


def give_back(review: SecondReview, actor: Actor) -> SecondReview:
    """Raises as `decide`."""
    _check_held(review, actor)
    return replace(review, version=review.version + 1, status=ReviewStatus.OPEN, reviewer=None, claimed_at=None)


def decide(review: SecondReview, command: Resolve, now: datetime) -> SecondReview:
    """Raises AlreadyResolved, AlreadyExpired, NotIndependent, NotAllowed, NotClaimed or NotHolder."""
    _check_held(review, command.actor)
    return replace(
        review,
        version=review.version + 1,
        status=ReviewStatus.DONE,
        ended_at=now,
        resolution=command.resolution.value,
        category=command.category or "other",
        note_digest=command.note_digest,
    )


def expire(review: SecondReview, now: datetime) -> SecondReview:
    """Nobody took it, or nobody finished: that says nothing about the case."""
    return replace(review, version=review.version + 1, status=ReviewStatus.EXPIRED, ended_at=now, reviewer=None)


def refusal_of_signal(review: SecondReview, actor: Actor) -> EscalationError:
    """Why a signal does nothing to a second review: whoever it is of had a part in the case, or it has no answer."""
    if had_part(review.opening.apart, actor.login):
        return NotIndependent(f"{actor.login} had a part in this case, so somebody else has to look at it again")
    return NotAllowed("a second review is taken and done over the API, where there is an answer")


def check_may_take(review: SecondReview, actor: Actor) -> None:
    """Raises AlreadyResolved, AlreadyExpired, NotIndependent for who had a part in the case, NotAllowed for who has no
    authenticated name."""
    if review.status is ReviewStatus.DONE:
        raise AlreadyResolved("this second review is done", state="done")
    if review.status is ReviewStatus.EXPIRED:
        raise AlreadyExpired("nobody did this second review in time", state="expired")
    if actor.kind is not ActorKind.USER:
        raise NotAllowed("a second review is a person's")
    if had_part(review.opening.apart, actor.login):
        raise NotIndependent(f"{actor.login} had a part in this case, so somebody else has to look at it again")


def had_part(apart: tuple[str, ...], login: str) -> bool:
    """A login in other letters is the same person's."""
    return login.lower() in (one.lower() for one in apart)


def _check_held(review: SecondReview, actor: Actor) -> None:
    check_may_take(review, actor)
    if review.reviewer is None:
        raise NotClaimed("nobody has taken this second review; take it first", state="open")
    if review.reviewer != actor.login:
        raise NotHolder("somebody else has taken this second review", state="claimed")
