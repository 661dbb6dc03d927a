"""One case over HTTP: what is needed to judge it, what happened to it, why, and what its consumer may have."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from api.authentication import READERS, Caller, Using, only, scope_of
from api.blinding import blinded
from api.desk import AtDesk, Desk
from api.masking import hidden_in, masked, masked_anew, texts_of
from api.presentation import note_of, present, present_history
from api.problems import Problem
from api.records import note_read
from api.schemas import Escalation, History
from api.services import Services
from escalations.case import End
from escalations.commands import Role
from escalations.decisions import Resolution
from escalations.errors import Invalid, NotFound
from escalations.views import View
from store.appeals import find_appeal
from store.contents import ANSWER, FINDING, REQUEST, released_field
from store.escalations import TimelineEntry, earlier_of, sees, timeline
from store.events import event_row, find_event
from store.first_views import note_view
from store.holds import find_hold
from store.releases import open_release
from store.tokens import Principal

router = APIRouter(prefix="/v1/escalations", tags=["escalations"])

Readers = Annotated[Principal, Depends(only(*READERS))]
LONGEST_WAIT_S = 60
TIMELINE_WITHIN_S = 2.0
_LOOK_EVERY_S = 0.2


@router.get("/{escalation_id}", response_model=Escalation, summary="One escalation")
async def get_escalation(
    caller: Readers,
    using: Using,
    at: AtDesk,
    escalation_id: str,
    include: Annotated[str | None, Query(description="`context`: everything needed to judge it")] = None,
) -> Escalation:
    if include not in (None, "", "context"):
        raise Invalid("include takes the one word context", field="include")
    view = await at.seen_by(scope_of(caller), escalation_id)
    if include:
        return await with_context(using, caller, view)
    async with using.database.read() as connection:
        note = await note_of(connection, using, view)
        appealed_as = await find_appeal(connection, caller.tenant, escalation_id)
    if note is not None:
        await note_read(using, caller, view.escalation_id, "note")
    shown = present(view, using, note)
    shown.appealed_as = appealed_as
    return shown


@router.get("/{escalation_id}/history", response_model=History, summary="What happened, oldest first")
async def history(caller: Readers, using: Using, at: AtDesk, escalation_id: str) -> History:
    view = await at.seen_by(scope_of(caller), escalation_id)
    await note_read(using, caller, escalation_id, "history")
    entries = await _whole_timeline(using, view)
    async with using.database.read() as connection:
        texts = await using.contents.read(connection, view.tenant, escalation_id)
    return History(escalation_id=escalation_id, history=present_history(entries, texts))


@router.get("/{escalation_id}/response", summary="What the consumer may have", response_model=None)
async def get_response(
    caller: Caller,
    using: Using,
    at: AtDesk,
    escalation_id: str,
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT_S)] = 0,
    content: Annotated[bool, Query(description="false: only how it ended, as JSON with `outcome`")] = True,
) -> Response:
    """200 with the released answer; 409 while nobody has decided, 403 blocked, 410 expired or withdrawn.

    With `content=false` every ending is a 200 that says which one it was, and no content is read.
    """
    await _may_receive(using, caller, at, escalation_id)
    deadline = asyncio.get_running_loop().time() + wait
    while True:
        async with using.database.read() as connection:
            release, answer = await open_release(connection, using.contents, caller.tenant, escalation_id)
        left = deadline - asyncio.get_running_loop().time()
        if release is not None or left <= 0:
            break
        await asyncio.sleep(min(_LOOK_EVERY_S, left))
    if release is None:
        raise Problem(
            409,
            "escalation_pending",
            "nobody has decided yet",
            headers={"Retry-After": "5", "x-should-retry": "false"},
            escalation_id=escalation_id,
        )
    if not content:
        return JSONResponse({"escalation_id": escalation_id, "outcome": release.outcome})
    if answer is not None:
        await note_read(using, caller, escalation_id, "released")
        if not caller.has(Role.GATEWAY):
            answer = await _as_reviewers_see(using, caller, escalation_id, answer)
        return Response(answer, media_type="application/json", headers={"x-escalation-id": escalation_id})
    if release.outcome in (End.EXPIRED, End.WITHDRAWN):
        raise Problem(410, f"escalation_{release.outcome}", _ENDED[release.outcome], escalation_id=escalation_id)
    raise Problem(403, "human_review_blocked", "a reviewer blocked this answer", escalation_id=escalation_id)


_ENDED = {
    "expired": "nobody decided in time; this is not a denial",
    "withdrawn": "this request was withdrawn before anybody decided",
}


async def _whole_timeline(using: Services, view: View) -> list[TimelineEntry]:
    """Every event up to the version that the caller sees; those of the last moment may still be on their way."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + TIMELINE_WITHIN_S
    while True:
        async with using.database.read() as connection:
            entries = await timeline(connection, view.tenant, view.escalation_id)
        if len(entries) >= max(1, view.version) or clock.time() >= deadline:
            return entries
        await asyncio.sleep(_LOOK_EVERY_S / 4)


async def with_context(using: Services, caller: Principal, view: View) -> Escalation:
    """Everything needed to judge it. The read is in the ledger before anything is shown."""
    await note_read(using, caller, view.escalation_id, "context")
    await note_view(using.database, view, caller, datetime.now(UTC))
    async with using.database.read() as connection:
        found = await using.contents.read(connection, view.tenant, view.escalation_id, REQUEST, ANSWER, FINDING)
        note = await note_of(connection, using, view)
        event = await find_event(connection, caller.tenant, view.event_id)
        scope = scope_of(caller)
        seen = [v for v in await earlier_of(connection, view) if sees(scope, v)]
        earlier = await blinded(connection, scope, seen)
    shown = present(view, using, note)
    finding = orjson.loads(found.get(FINDING, b"{}"))
    hidden = {name: hidden_in(finding, name) for name in ("request", "answer")}
    request = masked(orjson.loads(found.get(REQUEST, b"null")), hidden["request"])
    answer = masked(orjson.loads(found.get(ANSWER, b"null")), hidden["answer"])
    proposed = await _proposed_answer(using, view)
    shown.context = {
        "request": request,
        "held_answer": answer,
        "asked": [{"path": path, "text": text} for path, text in texts_of(request, "request").items()],
        "proposed_answer": masked_anew(proposed, hidden["answer"]),
        "texts": [{"path": path, "text": text} for path, text in texts_of(answer, "answer").items()],
        "metadata": request.get("metadata") if isinstance(request, dict) else None,
        "policy_match": {
            **finding,
            "rule": view.policy_rule,
            "reason_code": view.reason_code,
        },
        "masked": sum(map(len, hidden.values())),
        "consumer": view.consumer,
        "team": view.consumer_team,
        "consumer_group": view.consumer_group,
        "gateway": view.gateway,
        "provider": view.provider,
        "model": view.model,
        "config_version": view.config_version,
        "earlier": [
            {
                "escalation_id": v.escalation_id,
                "created_at": v.created_at,
                "status": v.status.value,
                "resolution": v.resolution,
                "category": v.category,
                "same_consumer": v.consumer == view.consumer,
                "same_rule": (v.policy_rule, v.reason_code) == (view.policy_rule, view.reason_code),
            }
            for v in earlier
        ],
        "event": event_row(event) if event else None,
    }
    return shown


async def _proposed_answer(using: Services, view: View) -> Any:
    """What would leave by the proposed decision, where that is not the held answer itself."""
    proposal = view.proposal
    if proposal is None or proposal.decision.resolution is not Resolution.REDACT_AND_ALLOW:
        return None
    field = released_field(str(proposal.decision.released_digest))
    async with using.database.read() as connection:
        found = await using.contents.read(connection, view.tenant, view.escalation_id, field)
    return orjson.loads(found[field]) if field in found else None


async def _as_reviewers_see(using: Services, caller: Principal, escalation_id: str, answer: bytes) -> bytes:
    """What leaves is the consumer's; a reviewer sees of it what they see of the case."""
    async with using.database.read() as connection:
        found = await using.contents.read(connection, caller.tenant, escalation_id, FINDING)
    hidden = hidden_in(orjson.loads(found.get(FINDING, b"{}")), "answer")
    return orjson.dumps(masked_anew(orjson.loads(answer), hidden)) if hidden else answer


async def _may_receive(using: Services, caller: Principal, at: Desk, escalation_id: str) -> None:
    """A consumer's own, or what a reader may see anyway. Raises NotFound."""
    if caller.has(Role.GATEWAY):
        async with using.database.read() as connection:
            held = await find_hold(connection, caller.tenant, caller.login, escalation_id=escalation_id)
        if held is None:
            raise NotFound(f"there is no escalation {escalation_id} of this consumer")
        return
    await at.seen_by(scope_of(caller), escalation_id)
