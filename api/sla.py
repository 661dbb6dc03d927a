"""How the clocks go: compliance and times over a window, and holding open cases to the settings of today."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.authentication import READERS, Key, Using, only, scope_of
from api.desk import AtDesk, Order
from api.schemas import RecomputeBody
from api.services import Services
from escalations.commands import Recompute, Role
from escalations.durations import parse_duration
from escalations.errors import Invalid
from escalations.events import Event, EventType
from escalations.severity import Severity
from escalations.sla import SlaTerms
from escalations.statistics import (
    Durations,
    Item,
    aging,
    breach_series,
    breach_trend,
    compliance,
    handle_time,
    show_rate,
    time_to_acknowledge,
    time_to_first_view,
    time_to_resolve,
)
from escalations.terms import terms_of
from escalations.views import View, facts_of
from escalations.windows import Window
from store.escalations import timeline
from store.first_views import first_views_of
from store.reports import views_between
from store.settings import current_settings
from store.tokens import Principal

router = APIRouter(tags=["sla"])

DEFAULT_WINDOW = timedelta(days=30)
LONGEST_WINDOW = timedelta(days=400)


@router.get("/v1/sla/report", summary="Compliance, times to claim, view, decide and resolve, by severity and team")
async def report(
    caller: Annotated[Principal, Depends(only(*READERS))],
    using: Using,
    since: Annotated[str | None, Query(description="an instant, or how long ago, as 7d; 30 days without it")] = None,
    until: Annotated[str | None, Query(description="an instant, or how long ago; now without it")] = None,
    buckets: Annotated[int, Query(ge=1, le=400, description="of `breach_series`, all equally long")] = 10,
) -> dict[str, Any]:
    return await report_for(caller, using, stretch_of(since, until), buckets)


async def report_for(caller: Principal, using: Services, window: Window, buckets: int) -> dict[str, Any]:
    """The figures of the cases that this caller may see. Raises StoreUnavailable."""
    start, end = window
    async with using.database.read() as connection:
        views = await views_between(connection, scope_of(caller), start - (end - start), end)
        viewed = await first_views_of(connection, caller.tenant, [view.escalation_id for view in views if view.given])
    # In a thread: a report of many cases must not hold up a claim.
    return await asyncio.to_thread(_report, views, viewed, window, buckets)


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
    """Where the deadline would be. A breach stays as it is, as do a case that is over and a deadline that a lowered
    severity kept."""
    if view.breached_at is not None or view.end is not None:
        return view.sla_deadline
    kept = replace(terms, due_no_later_than=view.due_no_later_than)
    return kept.due_at(view.created_at, tuple(_pauses(events)))


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


def _report(views: Sequence[View], viewed: Mapping[str, datetime], window: Window, buckets: int) -> dict[str, Any]:
    start, end = window
    counted = [(view, _item(view, viewed)) for view in views]
    teams = sorted({view.team for view in views if view.team is not None})
    return {
        "from": start,
        "to": end,
        "all": _figures([item for _, item in counted], window),
        "by_severity": {
            severity.value: _figures([item for view, item in counted if view.severity is severity], window)
            for severity in Severity
        },
        "by_team": {team: _figures([item for view, item in counted if view.team == team], window) for team in teams},
        "breach_series": _series([item for _, item in counted], window, buckets),
        "open_by_age": [
            {
                "from_seconds": bucket.start.total_seconds(),
                "to_seconds": None if bucket.end is None else bucket.end.total_seconds(),
                "count": bucket.count,
            }
            for bucket in aging([view.created_at for view in views if _open_at(view, end)], end)
        ],
    }


def _open_at(view: View, at: datetime) -> bool:
    return view.ended_at is None or view.ended_at >= at


def _series(items: Sequence[Item], window: Window, buckets: int) -> list[dict[str, Any]]:
    return [
        {"from": start, "to": end, "met": one.met, "breached": one.breached, "breach_rate": one.breach_rate}
        for (start, end), one in breach_series(items, window, buckets)
    ]


def _figures(items: Sequence[Item], window: Window) -> dict[str, Any]:
    counted, trend = compliance(items, window), breach_trend(items, window)
    return {
        "met": counted.met,
        "breached": counted.breached,
        "compliance": counted.rate,
        "compliance_shown": show_rate(counted.rate),
        "breach_trend_points": trend.points,
        "breach_trend_matters": trend.arrow,
        "time_to_claim": _durations(time_to_acknowledge(items, window)),
        "time_to_first_view": _durations(time_to_first_view(items, window)),
        "time_to_resolve": _durations(time_to_resolve(items, window)),
        "handle_time": _durations(handle_time(items, window)),
    }


def _item(view: View, viewed: Mapping[str, datetime]) -> Item:
    return Item(
        created_at=view.created_at,
        severity=view.severity,
        resolved_at=view.ended_at if view.resolution is not None and not view.unseen else None,
        breached_at=view.breached_at,
        first_claimed_at=view.first_claimed_at,
        last_claimed_at=view.taken_at,
        first_viewed_at=viewed.get(view.escalation_id),
        assigned=view.given,
    )


def _durations(found: Durations | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)
