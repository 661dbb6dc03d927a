"""Whether a routing rule is for a case: every criterion that it gives must hold.

Not for workflow code: time-zone data is not deterministic.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from escalations.calendars import DAYS
from escalations.facts import Facts
from escalations.operations_settings import CalendarSettings, read_weekdays
from escalations.scores import holds
from escalations.settings import BusinessHours, EscalationSettings, Match, TimeOfDay
from escalations.zones import zone_of


def mismatch(match: Match, facts: Facts, settings: EscalationSettings, now: datetime) -> str | None:
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
        today = _began(match.time_of_day, settings, now).weekday()
        if not any(today in read_weekdays(days) for days in match.weekday):
            return f"weekday is {DAYS[today]}"
    if match.time_of_day is not None and not _within(match.time_of_day, settings, now):
        return f"time_of_day is {now.isoformat(timespec='minutes')}"
    return None


def _within(stretch: str | TimeOfDay, settings: EscalationSettings, now: datetime) -> bool:
    if isinstance(stretch, TimeOfDay):
        return _between(stretch, now.astimezone(zone_of(stretch.zone)))
    return _in_business_hours(settings, now) == (stretch == "inside_business_hours")


def _in_business_hours(settings: EscalationSettings, now: datetime) -> bool:
    hours = settings.business_hours
    if (calendar := _calendar(settings)) is not None:
        return calendar.calendar().is_open(now)
    local = now.astimezone(zone_of(hours.zone))
    return _between(hours, local) and _day_of(hours, local).isoweekday() in hours.days


def _calendar(settings: EscalationSettings) -> CalendarSettings | None:
    """The calendar of business hours; None for hours of their own, and where the settings have no such calendar."""
    name = settings.business_hours.calendar
    return None if name is None else settings.calendars.get(name)


def _began(stretch: str | TimeOfDay | None, settings: EscalationSettings, now: datetime) -> datetime:
    """By which day a case is: that on which the stretch that it is in began, or else today."""
    if isinstance(stretch, TimeOfDay):
        return _day_of(stretch, now.astimezone(zone_of(stretch.zone)))
    calendar = _calendar(settings)
    if stretch == "inside_business_hours" and calendar is None:
        hours = settings.business_hours
        return _day_of(hours, now.astimezone(zone_of(hours.zone)))
    return now.astimezone(zone_of(settings.business_hours.zone if calendar is None else calendar.zone))


def _day_of(stretch: TimeOfDay | BusinessHours, local: datetime) -> datetime:
    """After midnight a night is still that of the day before."""
    over_midnight = stretch.start > stretch.end and local.strftime("%H:%M") < stretch.end
    return local - timedelta(days=1) if over_midnight else local


def _between(stretch: TimeOfDay | BusinessHours, local: datetime) -> bool:
    start, end, clock = stretch.start, stretch.end, local.strftime("%H:%M")
    return start <= clock < end if start <= end else clock >= start or clock < end
