"""On-call schedules over HTTP: which there are, who is on call when, and when nobody is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.authentication import READERS, Using, only
from api.services import Services
from escalations.errors import Invalid, NotFound
from escalations.operations_settings import ScheduleSettings
from escalations.schedules import gaps, on_call, shifts
from escalations.zones import instant, zone_of
from store.settings import current_settings
from store.tokens import Principal

router = APIRouter(prefix="/v1/schedules", tags=["schedules"])

Readers = Annotated[Principal, Depends(only(*READERS))]
At = Annotated[str | None, Query(description="an instant, or a time by the schedule's wall clock; now without it")]
MOST_DAYS = 400


@router.get("", summary="The schedules, and who is on call now")
async def list_schedules(caller: Readers, using: Using, at: At = None) -> dict[str, Any]:
    found = await _schedules(using, caller)
    return {"schedules": [_now(name, settings, at) for name, settings in sorted(found.items())]}


@router.get("/{name}", summary="Who is on call in the days to come, and when nobody is")
async def show_schedule(
    caller: Readers,
    using: Using,
    name: str,
    at: At = None,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 14,
) -> dict[str, Any]:
    settings = (await _schedules(using, caller)).get(name)
    if settings is None:
        raise NotFound(f"there is no schedule {name!r}; `kt schedule show` lists them")
    start = _instant(settings.zone, at)
    end = start + timedelta(days=days)
    schedule = settings.schedule(name)
    return _now(name, settings, at) | {
        "from": start,
        "to": end,
        "shifts": [
            {"from": shift.start, "to": shift.end, "people": shift.people, "source": shift.source}
            for shift in shifts(schedule, start, end)
        ],
        "gaps": [{"from": begin, "to": close} for begin, close in gaps(schedule, start, end)],
    }


async def _schedules(using: Services, caller: Principal) -> dict[str, ScheduleSettings]:
    async with using.database.read() as connection:
        return (await current_settings(connection, caller.tenant)).settings.schedules


def _now(name: str, settings: ScheduleSettings, at: str | None) -> dict[str, Any]:
    moment = _instant(settings.zone, at)
    people = on_call(settings.schedule(name), moment)
    return {"name": name, "zone": settings.zone, "at": moment, "on_call": people}


def _instant(zone: str, written: str | None) -> datetime:
    """Raises Invalid."""
    if written is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(written)
        return instant(zone_of(zone), at) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"at: {written!r} is not a time; write it as 2026-12-24T22:00", field="at") from None
