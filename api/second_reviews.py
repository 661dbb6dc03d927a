"""Blind second reviews over HTTP: taking one, judging it, and how far two people agree.

What is shown is the answer that was held and what was asked, masked as in the case itself; neither the case's id nor
its decision, until one's own is in. A review that is not for these eyes is 404.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query

from api.authentication import READERS, Caller, Key, Using, only, scope_of
from api.decision_schemas import SecondDecisionBody
from api.desk import AtDesk, Desk
from api.masking import hidden_in, masked, texts_of
from api.records import note_read
from api.review_desk import carry_out
from api.services import Services
from api.sla import stretch_of
from escalations.commands import Claim, Resolve, Role, Unclaim
from escalations.errors import (
    EscalationError,
    NotAllowed,
    NotFound,
    NotHolder,
    NotIndependent,
    Refused,
    UnknownCategory,
)
from escalations.second_review import LEASE, SecondReview, had_part
from escalations.statistics import agreement
from store.contents import ANSWER, FINDING, REQUEST
from store.escalations import Scope, find_view
from store.second_reviews import find_review, read_by, reviews_between, waiting_reviews
from store.settings import current_settings
from store.tokens import Principal

router = APIRouter(prefix="/v1/second-reviews", tags=["second reviews"])

Reviewers = Annotated[Principal, Depends(only(Role.REVIEWER, Role.SENIOR))]
_NOT_BLIND = "admins and auditors see every decision, so a second review of theirs would not be blind"
Leads = Annotated[Principal, Depends(only(Role.SENIOR, Role.AUDITOR, Role.ADMIN))]


@router.get("", summary="The second reviews that wait for you; for admins and auditors, all that wait")
async def list_reviews(caller: Annotated[Principal, Depends(only(*READERS))], using: Using) -> dict[str, Any]:
    scope = scope_of(caller)
    async with using.database.read() as connection:
        reviews = await waiting_reviews(connection, scope)
        if scope.login is not None:
            reviews = await _for(using, scope, reviews)
    return {"second_reviews": [_summary(review, scope) for review in reviews]}


@router.post("/next", summary="Take the oldest second review that is yours to take")
async def take_next(caller: Reviewers, using: Using, at: AtDesk, key: Key = None) -> dict[str, Any]:
    """The one that you have taken already, where there is one. 404 when none waits for you."""
    scope = _blind(caller)
    async with using.database.read() as connection:
        waiting = await waiting_reviews(connection, scope)
    mine = await _for(using, scope, waiting)
    for review in sorted(mine, key=lambda one: one.reviewer != caller.login):
        if review.reviewer == caller.login:
            return await _content(using, at, caller, review)
        try:
            taken = await carry_out(using, caller, review, lambda _note: Claim(caller.actor), key=key)
        except Refused:
            continue
        return await _content(using, at, caller, taken)
    raise NotFound("no second review waits for you")


@router.get("/report", summary="How far second reviewers agree with the first, by policy and reviewer")
async def report(
    caller: Leads,
    using: Using,
    since: Annotated[str | None, Query(description="an instant, or how long ago, as 7d; 30 days without it")] = None,
    until: Annotated[str | None, Query(description="an instant, or how long ago; now without it")] = None,
) -> dict[str, Any]:
    """Of the second reviews done in the window. `kappa` is Cohen's, null where it says nothing."""
    start, end = stretch_of(since, until)
    async with using.database.read() as connection:
        found = await reviews_between(connection, scope_of(caller), start, end)
    every: list[tuple[str, str]] = []
    by_policy, by_reviewer = defaultdict(list), defaultdict(list)
    for review, view in found:
        pair = (str(view.resolution), str(review.resolution))
        every.append(pair)
        by_policy[view.policy_rule].append(pair)
        by_reviewer[str(view.reviewer)].append(pair)
    return {
        "from": start,
        "to": end,
        "all": _figures(every),
        "by_policy": {policy: _figures(pairs) for policy, pairs in sorted(by_policy.items())},
        "by_reviewer": {login: _figures(pairs) for login, pairs in sorted(by_reviewer.items())},
    }


@router.get("/{review_id}", summary="What you have taken")
async def get_review(caller: Caller, using: Using, at: AtDesk, review_id: str) -> dict[str, Any]:
    return await _content(using, at, caller, await _held(using, at, caller, review_id, "read"))


@router.post("/{review_id}/unclaim", summary="Give it back")
async def give_back(caller: Caller, using: Using, at: AtDesk, review_id: str, key: Key = None) -> dict[str, Any]:
    review = await _held(using, at, caller, review_id, "unclaim")
    return _summary(
        await carry_out(using, caller, review, lambda _note: Unclaim(caller.actor), key=key), scope_of(caller)
    )


@router.post("/{review_id}/resolve", summary="Say how you would have decided; then, how it was decided")
async def resolve(
    caller: Caller, using: Using, at: AtDesk, review_id: str, body: SecondDecisionBody, key: Key = None
) -> dict[str, Any]:
    review = await _held(using, at, caller, review_id, "resolve")
    async with using.database.read() as connection:
        categories = (await current_settings(connection, caller.tenant)).settings.decisions.categories
    if body.category is not None and body.category not in categories:
        known = ", ".join(categories)
        raise UnknownCategory(f"category {body.category!r} is not one of {known}", field="category")

    def make(note_digest: str | None) -> Resolve:
        return Resolve(caller.actor, body.resolution, body.category, note_digest)

    payload = body.model_dump_json().encode()
    done = await carry_out(using, caller, review, make, payload=payload, note=body.note, key=key)
    async with using.database.read() as connection:
        view = await find_view(connection, Scope(caller.tenant), done.opening.escalation_id)
    first = None if view is None else {"resolution": view.resolution, "category": view.category}
    shown = _summary(done, scope_of(caller))
    return {
        **shown,
        "escalation_id": done.opening.escalation_id,
        "resolution": done.resolution,
        "category": done.category,
        "first_decision": first,
        "agrees": first is not None and first["resolution"] == done.resolution,
    }


def _blind(caller: Principal) -> Scope:
    """Raises NotAllowed for who sees every case."""
    scope = scope_of(caller)
    if scope.login is None:
        raise NotAllowed(_NOT_BLIND)
    return scope


async def _for(using: Services, scope: Scope, reviews: Sequence[SecondReview]) -> list[SecondReview]:
    """Those that this person holds, or may take."""
    assert scope.login is not None
    login, now = scope.login, datetime.now(UTC)
    async with using.database.read() as connection:
        read = await read_by(connection, scope.tenant, login, [one.opening.escalation_id for one in reviews])
    return [
        one
        for one in reviews
        if one.opening.escalation_id not in read
        and not had_part(one.opening.apart, login)
        and (one.reviewer in (None, login) or one.claimed_at is None or now - one.claimed_at >= LEASE)
    ]


async def _held(using: Services, at: Desk, caller: Principal, review_id: str, operation: str) -> SecondReview:
    """Raises NotFound for another team's; NotAllowed for who never does any, NotIndependent for who had a part in the
    case or has seen the decision, NotHolder for everybody else who has not taken it: on the record like a refused
    command."""
    scope = scope_of(caller)
    async with using.database.read() as connection:
        review = await find_review(connection, caller.tenant, review_id)
        seen = review and await read_by(connection, caller.tenant, caller.login, [review.opening.escalation_id])
    refusal: EscalationError | None = None
    if not caller.has(Role.REVIEWER, Role.SENIOR):
        refusal = NotAllowed("a second review is for reviewers and seniors")
    elif scope.login is None:
        refusal = NotAllowed(_NOT_BLIND)
    elif review is None or scope.teams is None or review.opening.team not in scope.teams:
        raise NotFound(f"there is no second review {review_id}, or it belongs to another team")
    elif had_part(review.opening.apart, caller.login):
        refusal = NotIndependent("you had a part in this case, so somebody else has to look at it again")
    elif review.reviewer != caller.login:
        state = review.status.value
        refusal = NotHolder("you have not taken this second review, or somebody else has since", state=state)
    elif seen and not review.status.over:
        refusal = NotIndependent("you have seen how this case was decided, so somebody else has to look at it again")
    if refusal is not None:
        if review is not None:
            held, tried = review.opening.escalation_id, f"second_review.{operation}"
            await at.refusals.write(caller.tenant, held, tried, caller.actor, refusal.code)
        raise refusal
    assert review is not None
    return review


async def _content(using: Services, at: Desk, caller: Principal, review: SecondReview) -> dict[str, Any]:
    """What is to be judged. The read is in the ledger before anything is shown."""
    await _held(using, at, caller, review.opening.review_id, "read")
    escalation_id = review.opening.escalation_id
    await note_read(using, caller, escalation_id, "second_review", review_id=review.opening.review_id)
    async with using.database.read() as connection:
        found = await using.contents.read(connection, caller.tenant, escalation_id, REQUEST, ANSWER, FINDING)
    finding = orjson.loads(found.get(FINDING, b"{}"))
    request = masked(orjson.loads(found.get(REQUEST, b"null")), hidden_in(finding, "request"))
    answer = masked(orjson.loads(found.get(ANSWER, b"null")), hidden_in(finding, "answer"))
    context = {
        "request": request,
        "held_answer": answer,
        "asked": [{"path": path, "text": text} for path, text in texts_of(request, "request").items()],
        "texts": [{"path": path, "text": text} for path, text in texts_of(answer, "answer").items()],
        "policy_match": {
            "rule": review.opening.policy_rule,
            "reason_code": review.opening.reason_code,
            "findings": finding.get("findings", []),
        },
        "masked": len(hidden_in(finding, "request")) + len(hidden_in(finding, "answer")),
    }
    return {**_summary(review, scope_of(caller)), "context": context}


def _summary(review: SecondReview, scope: Scope) -> dict[str, Any]:
    opening = review.opening
    shown: dict[str, Any] = {
        "review_id": opening.review_id,
        "status": review.status.value,
        "policy_rule": opening.policy_rule,
        "reason_code": opening.reason_code,
        "severity": opening.severity.value,
        "team": opening.team,
        "opened_at": review.opened_at,
        "expires_at": review.expires_at,
        "mine": scope.login is not None and review.reviewer == scope.login,
    }
    if scope.login is None:
        shown |= {"escalation_id": opening.escalation_id, "reviewer": review.reviewer}
    return shown


def _figures(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    found = agreement(pairs)
    return {"count": found.count, "agreed": found.agreed, "rate": found.rate, "kappa": found.kappa}
