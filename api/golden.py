"""Golden cases over HTTP: for admins who keep them, and auditors who read how they were decided. Reviewers see nothing.

Which escalations they are is in no answer but these.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query

from activities.opening import new_id
from api.authentication import Using, only
from api.golden_schemas import GoldenBody
from api.problems import Problem
from api.queue import OURS, as_completion
from api.records import note_change, note_read
from api.services import Services
from api.sla import stretch_of
from escalations.commands import Role
from escalations.errors import Invalid, NotFound, UnknownCategory
from escalations.golden import GoldenCase, GoldenResult, figures
from escalations.severity import Severity
from store.contents import ANSWER, FINDING, REQUEST
from store.escalations import Scope, find_view
from store.events import find_event
from store.golden import (
    create_golden,
    find_golden,
    is_golden,
    list_golden,
    results_between,
    retire_golden,
    sent_counts,
)
from store.settings import current_settings
from store.tokens import Principal

router = APIRouter(prefix="/v1/golden-cases", tags=["golden cases"])

Knowing = Annotated[Principal, Depends(only(Role.ADMIN, Role.AUDITOR))]
Admins = Annotated[Principal, Depends(only(Role.ADMIN))]
_LIKE = ("consumer", "consumer_team", "consumer_group", "gateway", "provider", "target", "model", "requester")


@router.get("", summary="The golden cases, and how often each was sent")
async def list_(caller: Knowing, using: Using) -> dict[str, Any]:
    async with using.database.read() as connection:
        found = await list_golden(connection, caller.tenant)
        sent = await sent_counts(connection, caller.tenant)
    return {"golden_cases": [_shown(golden, sent.get(golden.golden_id)) for golden in found]}


@router.post("", status_code=201, summary="Keep a case whose right decision is known")
async def add(caller: Admins, using: Using, body: GoldenBody) -> dict[str, Any]:
    async with using.database.read() as connection:
        categories = (await current_settings(connection, caller.tenant)).settings.decisions.categories
    if body.category is not None and body.category not in categories:
        raise UnknownCategory(f"category {body.category!r} is not one of {', '.join(categories)}", field="category")
    golden, content = await _copied(using, caller, body) if body.source else _made(caller, body)
    what = {"golden_id": golden.golden_id, "policy_rule": golden.policy_rule, "copy_of": body.source}
    await note_change(using, caller, "golden.added", **what)
    key, wrapped = using.contents.new_key(caller.tenant, golden.golden_id)
    async with using.database.write() as connection:
        await using.contents.create(
            connection, caller.tenant, golden.golden_id, wrapped, key, content, golden.created_at
        )
        await create_golden(connection, golden)
    return _shown(golden, None)


@router.get("/report", summary="How golden cases were decided, by reviewer and policy")
async def report(
    caller: Knowing,
    using: Using,
    since: Annotated[str | None, Query(description="an instant, or how long ago, as 7d; 30 days without it")] = None,
    until: Annotated[str | None, Query(description="an instant, or how long ago; now without it")] = None,
) -> dict[str, Any]:
    """Of those that ended in the window. What nobody decided, or somebody who may know, does not count."""
    start, end = stretch_of(since, until)
    async with using.database.read() as connection:
        results = await results_between(connection, caller.tenant, start, end)
    by_policy, by_reviewer = defaultdict(list), defaultdict(list)
    for result in results:
        by_policy[result.golden.policy_rule].append(result)
        if result.reviewer is not None:
            by_reviewer[result.reviewer].append(result)
    return {
        "from": start,
        "to": end,
        "all": _figures(results),
        "by_policy": {policy: _figures(found) for policy, found in sorted(by_policy.items())},
        "by_reviewer": {login: _figures(found) for login, found in sorted(by_reviewer.items())},
        "results": [_result(result) for result in results],
    }


@router.delete("/{golden_id}", status_code=204, summary="Send it no more, and erase its content")
async def retire(caller: Admins, using: Using, golden_id: str) -> None:
    """Its results stay, and so do the escalations that it was sent as."""
    async with using.database.read() as connection:
        found = await find_golden(connection, caller.tenant, golden_id)
    if found is None:
        raise NotFound(f"there is no golden case {golden_id}; `kt golden list` shows them")
    await note_change(using, caller, "golden.retired", golden_id=golden_id)
    async with using.database.write() as connection:
        await retire_golden(connection, caller.tenant, golden_id, datetime.now(UTC))


async def _copied(using: Services, caller: Principal, body: GoldenBody) -> tuple[GoldenCase, dict[str, bytes]]:
    """A real case, as it looked when it was held. Reading it is on the record."""
    source = str(body.source)
    async with using.database.read() as connection:
        view = await find_view(connection, Scope(caller.tenant), source)
        golden_itself = await is_golden(connection, caller.tenant, source)
    if view is None:
        raise NotFound(f"there is no escalation {source}")
    if golden_itself:
        raise Problem(409, "already_exists", f"{source} was sent as a golden case itself", field="from")
    if view.end is None:
        raise Invalid(f"{source} is still open; a copy would give away how it is to be decided", field="from")
    await note_read(using, caller, source, "golden")
    async with using.database.read() as connection:
        found = await using.contents.read(connection, caller.tenant, source, REQUEST, ANSWER, FINDING)
        event = await find_event(connection, caller.tenant, view.event_id)
    finding = orjson.loads(found.get(FINDING, b"{}"))
    finding.pop("appeal", None)
    like = {name: getattr(view, name) for name in _LIKE} | {"body": event.body if event else {}}
    golden = GoldenCase(
        golden_id=new_id("gold"),
        tenant=caller.tenant,
        policy_rule=view.policy_rule,
        reason_code=view.reason_code,
        severity=body.severity or view.severity,
        expected=body.resolution,
        expected_category=body.category,
        score=view.score,
        created_at=datetime.now(UTC),
        created_by=caller.login,
        like=like,
    )
    return golden, {REQUEST: found[REQUEST], ANSWER: found[ANSWER], FINDING: orjson.dumps(finding)}


def _made(caller: Principal, body: GoldenBody) -> tuple[GoldenCase, dict[str, bytes]]:
    assert body.answer is not None
    answer = body.answer if isinstance(body.answer, dict) else as_completion(body.answer, body.model)
    golden = GoldenCase(
        golden_id=new_id("gold"),
        tenant=caller.tenant,
        policy_rule=str(body.policy_rule),
        reason_code=str(body.reason_code),
        severity=body.severity or Severity.MEDIUM,
        expected=body.resolution,
        expected_category=body.category,
        created_at=datetime.now(UTC),
        created_by=caller.login,
        like={"consumer": body.consumer, "provider": body.provider, "model": body.model},
    )
    finding = {name: said for name, said in body.finding.items() if name not in OURS}
    content = {REQUEST: orjson.dumps(body.request), ANSWER: orjson.dumps(answer), FINDING: orjson.dumps(finding)}
    return golden, content


def _shown(golden: GoldenCase, sent: tuple[int, datetime] | None) -> dict[str, Any]:
    return {
        "golden_id": golden.golden_id,
        "policy_rule": golden.policy_rule,
        "reason_code": golden.reason_code,
        "severity": golden.severity.value,
        "resolution": golden.expected.value,
        "category": golden.expected_category,
        "created_at": golden.created_at,
        "created_by": golden.created_by,
        "retired_at": golden.retired_at,
        "sent": sent[0] if sent else 0,
        "last_sent_at": sent[1] if sent else None,
    }


def _figures(results: list[GoldenResult]) -> dict[str, Any]:
    found = figures(results)
    return {**asdict(found), "rate": found.rate}


def _result(result: GoldenResult) -> dict[str, Any]:
    return {
        "golden_id": result.golden.golden_id,
        "escalation_id": result.escalation_id,
        "policy_rule": result.golden.policy_rule,
        "sent_at": result.sent_at,
        "ended_at": result.ended_at,
        "expected": result.golden.expected.value,
        "resolution": result.resolution,
        "category": result.category,
        "reviewer": result.reviewer,
        "right": result.right,
        "let_through": result.let_through,
        "blind": result.blind,
    }
