"""Why a case is where it is: which policy fired, which rule won, and event by event why it is due when it is due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api.authentication import READERS, Using, only, scope_of
from api.desk import AtDesk
from api.explaining_routes import hands, legs
from escalations.durations import format_duration
from escalations.events import Event, EventType
from escalations.settings import EscalationSettings
from escalations.views import View, facts_of
from store.escalations import timeline
from store.events import find_event
from store.settings import current_settings, settings_at
from store.tokens import Principal

router = APIRouter(prefix="/v1/escalations", tags=["escalations"])

Readers = Annotated[Principal, Depends(only(*READERS))]
_MOST_WINDOWS = 20


@router.get("/{escalation_id}/explain", summary="Which rule fired, which route won, why this deadline")
async def explain(caller: Readers, using: Using, at: AtDesk, escalation_id: str) -> dict[str, Any]:
    view = await at.seen_by(scope_of(caller), escalation_id)
    async with using.database.read() as connection:
        event = await find_event(connection, caller.tenant, view.event_id)
        version = await settings_at(connection, caller.tenant, view.settings_version)
        entries = await timeline(connection, caller.tenant, escalation_id)
        today = (await current_settings(connection, caller.tenant)).settings
        settings = version.settings if version is not None else today
    body, events = event.body if event else {}, [entry.event for entry in entries]
    return {
        "escalation_id": escalation_id,
        "policy": {
            "rule": view.policy_rule,
            "reason_code": view.reason_code,
            "config_version": view.config_version,
            "config_digest": view.config_digest,
            "findings": body.get("policies", []),
        },
        "severity": {"severity": view.severity.value, "description": view.severity.description},
        "route": {
            "destination": view.route.destination,
            "chosen_by": view.route.chosen_by.value,
            "name": view.route.name,
            "channel": view.route.channel,
            "chain": view.route.place.chain if view.route.place else None,
            "leg": view.route.place.leg + 1 if view.route.place else None,
            "round": view.route.place.round + 1 if view.route.place else None,
            "ack_until": view.ack_until,
            "strategy": today.assignment.of(view.team).strategy.value if view.team else None,
            "considered": body.get("routing", []),
            "legs": legs(events),
            "steps": [
                {"at": one.at, "event": one.type.value, "actor": str(one.actor), "because": because}
                for one, because in hands(events)
            ],
        },
        "deadline": _deadline(view, events, settings),
    }


def _deadline(view: View, events: list[Event], settings: EscalationSettings) -> dict[str, Any]:
    facts = facts_of(view)
    terms = settings.sla.for_case(facts).terms(view.severity, view.settings_version)
    told = next((event.data for event in reversed(events) if event.data.get("target")), {})
    target = str(told.get("target") or format_duration(terms.target))
    version = told.get("settings_version", view.settings_version)
    counted = _by(view.open_time.calendar if view.open_time else None, told.get("set_aside"))
    return {
        "created_at": view.created_at,
        "target": target,
        "sla_deadline": view.sla_deadline,
        "amber_at": view.amber_at,
        "claim_due_at": view.claim_due_at,
        "paused_until": view.paused_until,
        "expires_at": view.expires_at,
        "settings_version": view.settings_version,
        "calendar": _calendar(view),
        "because": (
            f"{view.severity.value} has a target of {target} in version {version} of the settings,"
            f" counted from creation{counted}; amber when"
            f" {terms.amber_at_remaining} % of it remain.{_kept(view)} Neither claiming nor escalating stops it."
        ),
        "steps": [
            {"at": event.at, "event": event.type.value, "actor": str(event.actor), "because": because}
            for event, because in _steps(events)
        ],
    }


def _kept(view: View) -> str:
    """A deadline that does not follow from the target: a severity that was lowered, and nobody moved it."""
    limit = view.due_no_later_than
    if limit is None or limit != view.sla_deadline:
        return ""
    return f" But it is due {limit.isoformat()}, as before its severity was changed; a senior may move it with --later."


def _calendar(view: View) -> dict[str, Any] | None:
    """The calendar that the case keeps, and the open time between its creation and its deadline."""
    kept = view.open_time
    if kept is None:
        return None
    windows = [(start, end) for start, end in kept.windows if end > view.created_at and start < view.sla_deadline]
    return {
        "name": kept.calendar,
        "settings_version": kept.settings_version,
        "source": kept.source,
        "open": [{"from": start, "to": end} for start, end in windows[:_MOST_WINDOWS]],
    }


def _steps(events: list[Event]) -> Iterator[tuple[Event, str]]:
    """Every event that the deadline follows from, and what it did to it."""
    due: str | None = None
    for event in events:
        data = event.data
        told = _told(event)
        if told is None:
            continue
        now = str(data["due_at"]) if data.get("due_at") else due
        stays = "" if now is None else f"; due {now}" if now != due else "; the deadline stays"
        due = now
        yield event, told + stays


def _told(event: Event) -> str | None:
    data = event.data
    target = f"a target of {data.get('target')} in version {data.get('settings_version')} of the settings"
    counted = f"{target}, counted from creation{_by(data.get('calendar'), data.get('set_aside'))}"
    match event.type:
        case EventType.OPENED if data.get("target"):
            return f"{data.get('severity')} has {counted}"
        case EventType.PAUSED:
            return f"its clock stands still until {data.get('paused_until')} at most, while the requester is asked"
        case EventType.RESUMED:
            return "its clock goes on" + (", for the requester answered" if data.get("by") == "answer" else "")
        case EventType.SEVERITY_CHANGED:
            return f"{data.get('from')} became {data.get('severity')}, which has {counted}"
        case EventType.RECOMPUTED:
            return f"an admin had deadlines recomputed: it has {counted}"
        case EventType.BREACHED:
            return "the deadline passed undecided, and that stays on the record"
        case _:
            return None


def _by(calendar: object, set_aside: object) -> str:
    """Which time counts, and why not that of the calendar."""
    if set_aside:
        return f" through every hour, also while the calendar {set_aside!r} is closed: it is critical, or once was"
    return f" in the open time of the calendar {calendar!r}" if calendar else ""
