"""Whether a routing rule is for a case: every criterion that it gives must hold.

Not for workflow code: time-zone data is not deterministic.
"""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatchcase

from escalations.calendars import DAYS
from escalations.facts import Facts
from escalations.operations_settings import read_weekdays
from escalations.scores import holds
from escalations.settings import BusinessHours, Match, TimeOfDay
from escalations.zones import zone_of


def mismatch(match: Match, facts: Facts, hours: BusinessHours, now: datetime) -> str | None:
    """Which criterion does not hold; None when all do."""
    if match.policy_rule is not None and facts.policy_names.isdisjoint(match.policy_rule):
        return f"policy_rule is {facts.policy_rule}.{facts.reason_code}"
    if match.severity is not None and facts.severity not in match.severity:
        return f"severity is {facts.severity.value}"
    if match.team is not None and facts.team not in match.team:
        return f"team is {facts.team or 'not set'}"
    if match.consumer_group is not None and facts.consumer_group not in match.consumer_group:
        return f"consumer_group is {facts.consumer_group or 'not set'}"
    for criterion, value in (
        ("category", facts.reason_code),
        ("consumer", facts.consumer),
        ("provider", facts.provider),
    ):
        wanted = getattr(match, criterion)
        if wanted is not None and value not in wanted:
            return f"{criterion} is {value or 'not set'}"
    if match.model is not None and not any(fnmatchcase(facts.model or "", model) for model in match.model):
        return f"model is {facts.model or 'not set'}"
    if match.score is not None and (facts.score is None or not holds(match.score, facts.score)):
        return f"score is {'not set' if facts.score is None else facts.score / 1000}"
    if match.weekday is not None:
        today = now.astimezone(zone_of(hours.zone)).weekday()
        if not any(today in read_weekdays(days) for days in match.weekday):
            return f"weekday is {DAYS[today]}"
    if match.time_of_day is not None and not _within(match.time_of_day, hours, now):
        return f"time_of_day is {now.isoformat(timespec='minutes')}"
    return None


def _within(stretch: str | TimeOfDay, hours: BusinessHours, now: datetime) -> bool:
    if isinstance(stretch, TimeOfDay):
        return _between(stretch.start, stretch.end, now.astimezone(zone_of(stretch.zone)))
    local = now.astimezone(zone_of(hours.zone))
    inside = local.isoweekday() in hours.days and _between(hours.start, hours.end, local)
    return inside == (stretch == "inside_business_hours")


def _between(start: str, end: str, local: datetime) -> bool:
    clock = local.strftime("%H:%M")
    return start <= clock < end if start <= end else clock >= start or clock < end
