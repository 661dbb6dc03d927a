"""The queue over HTTP: what waits for a decision, in the order in which it should be worked; and bringing cases in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query

from activities.opening import Proposal, new_id
from api.authentication import READERS, Key, Using, only, scope_of
from api.blinding import blinded
from api.presentation import note_digest_of, note_of, present
from api.problems import Problem
from api.records import note_read
from api.schemas import CreateBody, Escalation, EscalationPage
from api.services import Services
from escalations.commands import Role
from escalations.errors import Invalid
from escalations.views import View
from store.escalations import Filter, Scope, find_view, list_views
from store.events import GovernedEvent
from store.tokens import Principal

router = APIRouter(prefix="/v1/escalations", tags=["escalations"])

STATUSES = ("open", "claimed", "resolved", "expired")
SEVERITIES = ("critical", "high", "medium", "low")
APPEARS_WITHIN_S = 5.0
OURS = frozenset({"appeal", "answer_model", "findings", "hidden", "request_model"})
"""Of what is kept with a case, what only this product may say: whose answer it is must not choose what is starred."""


@router.get("", response_model=EscalationPage, summary="The queue")
async def list_escalations(
    caller: Annotated[Principal, Depends(only(*READERS))],
    using: Using,
    status: Annotated[list[str] | None, Query(description="open, claimed, resolved, expired; may be repeated")] = None,
    severity: Annotated[list[str] | None, Query(description="critical, high, medium, low; may be repeated")] = None,
    team: str | None = None,
    assignee: str | None = None,
    policy: Annotated[str | None, Query(description="a policy rule or a reason code")] = None,
    consumer: str | None = None,
    leader: Annotated[str | None, Query(description="the cases that are decided with this one")] = None,
    mine: bool = False,
    sort: Annotated[Literal["priority", "deadline"], Query(description="priority and age, or deadline")] = "priority",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> EscalationPage:
    wanted = Filter(
        status=_words("status", status, STATUSES),
        severity=_words("severity", severity, SEVERITIES),
        team=team.removeprefix("team:") if team else None,
        assignee=caller.login if mine else assignee,
        policy=policy,
        consumer=consumer,
        leader=leader,
        by_deadline=sort == "deadline",
        limit=limit,
        cursor=cursor,
    )
    async with using.database.read() as connection:
        found, following = await list_views(connection, scope_of(caller), wanted)
        views = await blinded(connection, scope_of(caller), found)
        notes = {view.escalation_id: await note_of(connection, using, view) for view in views if note_digest_of(view)}
    if notes:
        await note_read(using, caller, None, "notes", escalations=sorted(notes))
    shown = [present(view, using, notes.get(view.escalation_id)) for view in views]
    return EscalationPage(escalations=shown, next_cursor=following)


@router.post("", response_model=Escalation, status_code=201, summary="Hold an answer that another system brings")
async def create_escalation(
    caller: Annotated[Principal, Depends(only(Role.GATEWAY, Role.ADMIN))],
    using: Using,
    body: CreateBody,
    key: Key = None,
) -> Escalation:
    answer = body.answer if isinstance(body.answer, dict) else as_completion(body.answer, body.model)
    consumer = caller.consumer
    event = GovernedEvent(
        event_id=new_id("evt"),
        at=datetime.now(UTC),
        verdict="escalated",
        request_id=new_id("req"),
        consumer=consumer.consumer_id if consumer else body.consumer or caller.login,
        gateway="api",
        config_version="external@0",
        config_digest="0" * 64,
        policy_rule=body.policy_rule,
        reason_code=body.reason_code,
        severity=body.severity.value,
        escalation_id=new_id("esc"),
        team=consumer.team if consumer else None,
        consumer_group=consumer.consumer_group if consumer else None,
        provider=body.provider,
        model=body.model,
        tenant=caller.tenant,
    )
    proposal = Proposal(
        event=event,
        request=orjson.dumps(body.request),
        answer=orjson.dumps(answer),
        finding=orjson.dumps({name: said for name, said in body.finding.items() if name not in OURS}),
        severity=body.severity,
        score=None if body.score is None else round(body.score * 1000),
        requester=consumer.owner if consumer else caller.login,
        completion_id=str(answer.get("id")) if answer.get("id") else None,
        request_digest="",
        idempotency_key=f"api:{key}" if key else None,
    )
    opened = await using.opener.open(proposal)
    view = await appears(using, Scope(caller.tenant), opened.escalation_id)
    return present(view, using)


def _words(field: str, given: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Repeated or comma-separated words of a known list. Raises Invalid."""
    words = tuple(word.strip() for item in given or () for word in item.split(",") if word.strip())
    for word in words:
        if word not in known:
            raise Invalid(f"{field}: {word!r} is not one of {', '.join(known)}", field=field)
    return words


def as_completion(text: str, model: str | None) -> dict[str, Any]:
    return {
        "id": new_id("chatcmpl"),
        "object": "chat.completion",
        "created": int(datetime.now(UTC).timestamp()),
        "model": model or "external",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    }


async def appears(using: Services, scope: Scope, escalation_id: str) -> View:
    """The case, as soon as the worker has written it down. Raises Problem when that takes longer than five seconds."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + APPEARS_WITHIN_S
    while clock.time() < deadline:
        async with using.database.read() as connection:
            view = await find_view(connection, scope, escalation_id)
        if view is not None and view.version > 0:
            return view
        await asyncio.sleep(0.05)
    raise Problem(
        503,
        "not_yet_visible",
        f"{escalation_id} is open, but no worker has shown it yet; look again",
        headers={"Retry-After": "2"},
        escalation_id=escalation_id,
    )
