"""The next case over HTTP: what is most urgent and mine to take, claimed and shown in one step.

What the caller holds already comes first, so asking twice is harmless and nobody hoards cases by asking.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.authentication import Key, Using, only, scope_of
from api.cases import with_context
from api.desk import AtDesk, Desk, Order, refuse_early
from api.schemas import Escalation, NextBody
from api.services import Services
from escalations.commands import REVIEWERS, Claim
from escalations.errors import EscalationError, Invalid, NotAllowed, NothingWaits, Refused
from escalations.views import View
from store.assigning import release
from store.escalations import Scope
from store.taking import Rest, Taker, find_next, reserve_next
from store.tokens import Principal

router = APIRouter(prefix="/v1/escalations", tags=["escalations"])

Reviewers = Annotated[Principal, Depends(only(*sorted(REVIEWERS)))]


@router.get("/next", response_model=Escalation, summary="What is next for you, without taking it")
async def look(
    caller: Reviewers,
    using: Using,
    at: AtDesk,
    team: Annotated[str | None, Query(description="only this team's queue")] = None,
) -> Escalation:
    """404 `nothing_waits` when there is nothing for you to take."""
    taker = _taker(caller, team)
    async with using.database.read() as connection:
        found = await find_next(connection, taker, datetime.now(UTC))
    return await _shown(using, at, caller, taker, found)


@router.post("/next", response_model=Escalation, summary="Take the most urgent escalation that is yours to take")
async def take_next(
    caller: Reviewers, using: Using, at: AtDesk, body: NextBody | None = None, key: Key = None
) -> Escalation:
    """The one that you hold already, where there is one. Two who ask at the same instant get different ones."""
    taker = _taker(caller, body.team if body else None)
    while True:
        now = datetime.now(UTC)
        async with using.database.write() as connection:
            found = await reserve_next(connection, taker, now)
        if isinstance(found, View) and found.assignee != caller.login:
            escalation_id = found.escalation_id
            taken: View | None = None
            with suppress(Refused, NotAllowed):
                order = Order("claim", b"", key, lambda actor, *_: Claim(actor))
                taken = await at.carry_out(caller, escalation_id, order)
            # Where nobody knows whether it was claimed, it stays reserved: asking again finds it.
            async with using.database.write() as connection:
                await release(connection, caller.tenant, [escalation_id])
            if taken is None:
                taker = replace(taker, without=taker.without | {escalation_id})
                continue
            found = taken
        return await _shown(using, at, caller, taker, found)


def _taker(caller: Principal, team: str | None) -> Taker:
    """Raises Invalid for a team that the caller does not belong to, unless they see every team."""
    wanted = team.removeprefix("team:") if team else None
    seen = scope_of(caller).teams
    if wanted is not None and seen is not None and wanted not in seen:
        raise Invalid(f"you are not in the team {wanted!r}; `kt auth status` shows yours", field="team")
    teams = caller.teams if wanted is None else frozenset({wanted})
    return Taker(Scope(caller.tenant, caller.login, teams), caller.login, lambda view: _may_claim(caller, view))


def _may_claim(caller: Principal, view: View) -> bool:
    try:
        refuse_early(view, caller.actor, "claim")
    except EscalationError:
        return False
    return True


async def _shown(using: Services, at: Desk, caller: Principal, taker: Taker, found: View | Rest) -> Escalation:
    """Raises NothingWaits, with what is there instead and what to do about it."""
    if isinstance(found, View):
        return await with_context(using, caller, await at.seen_by(scope_of(caller), found.escalation_id))
    reasons = [
        f"{count} {what}"
        for count, what in (
            (found.held_by_others, "with others"),
            (found.let_go, "that you gave back or handed on (`kt escalation claim ID` takes one again)"),
            (found.not_theirs, "that others have to review"),
        )
        if count
    ]
    if not taker.scope.teams:
        reasons.append("you are in no team (`--team NAME` asks for the queue of one)")
    there = f": {', '.join(reasons)}" if reasons else ""
    raise NothingWaits(
        f"no escalation waits for you{there}; `kt escalation watch` tells when one comes",
        held_by_others=found.held_by_others,
        let_go=found.let_go,
        not_yours=found.not_theirs,
    )
