"""What a case is held to, by the settings of the moment: its targets, and its calendar frozen for as long as it runs.

Not for workflow code: a calendar looks up time zones and holidays.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from escalations.calendars import freeze
from escalations.facts import Facts
from escalations.settings import EscalationSettings
from escalations.sla import SlaTerms
from escalations.windows import OpenTime
from escalations.zones import to_utc

_BEFORE = timedelta(hours=1)
"""Clocks of two machines differ; no case is older than what its calendar was frozen from."""
_MARGIN = timedelta(days=1)
"""A start that nobody acknowledged is repeated later, and the case then counts from there."""

Frozen = dict[tuple[int, str, datetime, timedelta], OpenTime]
"""One tenant's calendars as they were frozen within the hour, by settings version, name, hour and length."""


def terms_of(
    settings: EscalationSettings, version: int, facts: Facts, now: datetime, frozen: Frozen | None = None
) -> SlaTerms:
    """The terms of a case that opens at `now`. A calendar that the settings do not have is left out: the deadline then
    comes earlier, never later. Raises ValueError for a time without a zone."""
    sla = settings.sla.for_case(facts)
    calendar = settings.calendars.get(sla.calendar) if sla.calendar is not None else None
    if sla.calendar is None or calendar is None:
        return sla.terms(facts.severity, version)
    hour = to_utc(now).replace(minute=0, second=0, microsecond=0)
    key = (version, sla.calendar, hour, sla.longest)
    kept = frozen if frozen is not None else {}
    open_time = kept.get(key)
    if open_time is None:
        for stale in [known for known in kept if known[2] != hour]:
            kept.pop(stale, None)
        enough = sla.longest + _MARGIN + 2 * _BEFORE
        open_time = kept[key] = freeze(calendar.calendar(), sla.calendar, version, hour - _BEFORE, enough)
    return sla.terms(facts.severity, version, open_time)
