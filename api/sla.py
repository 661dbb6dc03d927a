"""How the clocks go: compliance and times over a window, and holding open cases to the settings of today."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.authentication import READERS, Key, Using, only, scope_of
from api.desk import AtDesk, Order
from api.schemas import RecomputeBody
from escalations.commands import Recompute, Role
from escalations.durations import parse_duration
from escalations.errors import Invalid
from escalations.events import Event, EventType
from escalations.severity import Severity
from escalations.sla import SlaTerms
from escalations.statistics import (
    Durations,
    Item,
    breach_trend,
    compliance,
    show_rate,
    time_to_acknowledge,
    time_to_resolve,
)
from escalations.terms import terms_of
from escalations.views import View, facts_of
from escalations.windows import Window
from store.escalations import timeline
from store.reports import views_between
from store.settings import current_settings
from store.tokens import Principal

router = APIRouter(tags=["sla"])

DEFAULT_WINDOW = timedelta(days=30)
LONGEST_WINDOW = timedelta(days=400)


@router.get("/v1/sla/report", summary="Compliance, time to claim and time to resolve, by severity and team")
async def report(
    caller: Annotated[Principal, Depends(only(*READERS))],
    using: Using,
    since: Annotated[str | None, Query(description="an instant, or how long ago, as 7d; 30 days without it")] = None,
    until: Annotated[str | None, Query(description="an instant, or how long ago; now without it")] = None,
) -> dict[str, Any]:
    start, end = stretch_of(since, until)
    async with using.database.read() as connection:
        views = await views_between(connection, scope_of(caller), start - (end - start), end)
    window = (start, end)
    teams = sorted({view.team for view in views if view.team is not None})
    return {
        "from": start,
        "to": end,
        "all": _figures(views, window),
        "by_severity": {
            severity.value: _figures([view for view in views if view.severity is severity], window)
            for severity in Severity
        },
        "by_team": {team: _figures([view for view in views if view.team == team], window) for team in teams},
    }


@router.post("/v1/escalations/{escalation_id}/recompute", summary="Hold an open case to the settings of today")
async def recompute(
    caller: Annotated[Principal, Depends(only(Role.ADMIN))],
    using: Using,
    at: AtDesk,
    escalation_id: str,
    body: RecomputeBody | None = None,
    key: Key = None,
) -> dict[str, Any]:
    asked = body or RecomputeBody()
    view = await at.seen_by(scope_of(caller), escalation_id)
    async with using.database.read() as connection:
        version = await current_settings(connection, caller.tenant)
        entries = await timeline(connection, caller.tenant, escalation_id)
    facts = facts_of(view)
    terms = await asyncio.to_thread(terms_of, version.settings, version.version, facts, view.created_at)
    if asked.apply:
        after = await at.carry_out(
            caller,
            escalation_id,
            Order("recompute", asked.model_dump_json().encode(), key, lambda actor, *_: Recompute(actor, terms)),
        )
        deadline = after.sla_deadline
    else:
        deadline = _expected(view, terms, [entry.event for entry in entries])
    return {
        "escalation_id": escalation_id,
        "applied": asked.apply,
        "before": view.sla_deadline,
        "after": deadline,
        "changed": deadline != view.sla_deadline,
        "settings_version": version.version,
    }


def _expected(view: View, terms: SlaTerms, events: Sequence[Event]) -> datetime:
    """Where the deadline would be. A breach stays as it is, as does a case that is over."""
    if view.breached_at is not None or view.end is not None:
        return view.sla_deadline
    return terms.due_at(view.created_at, tuple(_pauses(events)))


def _pauses(events: Iterable[Event]) -> list[Window]:
    pauses: list[Window] = []
    for event in events:
        if event.type is EventType.PAUSED:
            pauses.append((event.at, datetime.fromisoformat(str(event.data["paused_until"]))))
        elif event.type is EventType.RESUMED and pauses:
            pauses[-1] = (pauses[-1][0], min(max(event.at, pauses[-1][0]), pauses[-1][1]))
    return pauses


def stretch_of(since: str | None, until: str | None) -> Window:
    """What a report is over: 30 days until now, without more. Raises Invalid."""
    now = datetime.now(UTC)
    end = _instant(until, "until", now) if until else now
    start = _instant(since, "since", now) if since else end - DEFAULT_WINDOW
    if not timedelta(0) < end - start <= LONGEST_WINDOW:
        raise Invalid("a report is over a stretch of time that has a length, of 400 days at most", field="since")
    return start, end


def _instant(written: str, field: str, now: datetime) -> datetime:
    """An instant, or one so long ago. Raises Invalid."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        try:
            return now - parse_duration(written)
        except ValueError as fault:
            raise Invalid(f"{field}: {fault}; or write an instant, as 2026-05-07T10:00:00Z", field=field) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _figures(views: Sequence[View], window: Window) -> dict[str, Any]:
    items = [_item(view) for view in views]
    counted, trend = compliance(items, window), breach_trend(items, window)
    return {
        "met": counted.met,
        "breached": counted.breached,
        "compliance": counted.rate,
        "compliance_shown": show_rate(counted.rate),
        "breach_trend_points": trend.points,
        "breach_trend_matters": trend.arrow,
        "time_to_claim": _durations(time_to_acknowledge(items, window)),
        "time_to_resolve": _durations(time_to_resolve(items, window)),
    }


def _item(view: View) -> Item:
    return Item(
        created_at=view.created_at,
        severity=view.severity,
        resolved_at=view.ended_at if view.resolution is not None and not view.unseen else None,
        breached_at=view.breached_at,
        first_claimed_at=view.first_claimed_at,
    )


def _durations(found: Durations | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)
