"""What is odd in SLA targets: an order nobody meant, an end before the deadline, days where open time is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

from escalations.calendars import DAY, YEAR, Calendar
from escalations.durations import format_duration
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.sla_settings import SlaOverride, SlaSettings
from escalations.windows import Window, advance
from policies.documents import Document, Trail
from policies.loading import Complaint, complain

_DAYS = re.compile(r"\d\s*[dw]", re.IGNORECASE)
_NAMES = sorted((severity.value for severity in Severity), key=lambda name: Severity(name).rank)


@dataclass(frozen=True, slots=True)
class _Clocks:
    """The clocks of some cases: those of everybody, or of an override, with what that gives itself."""

    base: Trail
    sla: SlaSettings
    given: SlaOverride | None = None

    def calendar_of(self, severity: str) -> str | None:
        """The calendar that its targets are counted in."""
        every_hour = severity == Severity.CRITICAL.value and not self.sla.calendar_for_critical
        return None if every_hour else self.sla.calendar

    def target(self, severity: str) -> timedelta:
        found: timedelta = getattr(self.sla, severity)
        return found

    def trail(self, document: Document, *fields: str) -> Trail:
        """Where the first of some fields stands that is given here."""
        given = [field for field in fields if self.given is None or field in self.given.model_fields_set]
        field = (*given, *fields)[0]
        lifted = (*self.base, "targets", field)
        return lifted if lifted in document.places else (*self.base, field)


def clock_warnings(document: Document, settings: EscalationSettings) -> Iterator[Complaint]:
    sla = settings.sla
    common = _Clocks(("sla",), sla)
    others = [
        _Clocks(("sla", "overrides", number), sla.with_override(one), one) for number, one in enumerate(sla.overrides)
    ]
    calendars = {name: calendar.calendar() for name, calendar in settings.calendars.items()}
    for clocks in (common, *others):
        yield from _order(document, clocks, None if clocks is common else common)
        yield from _ends(document, clocks, None if clocks is common else common, calendars)
        yield from _days(document, clocks, calendars)
        own = sla.calendar_for_critical if clocks.given is None else clocks.given.calendar_for_critical
        if own and clocks.sla.calendar is not None:
            told = f"critical cases wait for the opening hours of {clocks.sla.calendar!r}"
            yield complain(document, (*clocks.base, "calendar_for_critical"), "KT316", told, warning=True)


def _order(document: Document, clocks: _Clocks, common: _Clocks | None) -> Iterator[Complaint]:
    for upper, lower in pairwise(_NAMES):
        longer, shorter = clocks.target(upper), clocks.target(lower)
        known = common is not None and (longer, shorter) == (common.target(upper), common.target(lower))
        if longer > shorter and not known:
            told = f"{upper}: {format_duration(longer)} is more than the {format_duration(shorter)} of {lower}"
            yield complain(document, clocks.trail(document, upper, lower), "KT305", told, warning=True)


def _ends(
    document: Document, clocks: _Clocks, common: _Clocks | None, calendars: dict[str, Calendar]
) -> Iterator[Complaint]:
    """Both by the wall clock: for how long a target lasts there where its case comes as the calendar closes."""
    expire_after = clocks.sla.expire_after
    worst: tuple[timedelta, str, datetime | None] | None = None
    for severity in _NAMES:
        target, calendar = clocks.target(severity), clocks.calendar_of(severity)
        if common is not None and (target, calendar) == (common.target(severity), common.calendar_of(severity)):
            continue
        counted = calendars.get(calendar) if calendar is not None else None
        lasts, start = (target, None) if counted is None else _longest(counted, target, datetime.now(UTC).date())
        if expire_after <= lasts and (worst is None or lasts > worst[0]):
            worst = lasts, severity, start
    if worst is None:
        return
    lasts, severity, start = worst
    told = f"cases expire after {format_duration(expire_after)}, before the target of {severity} is up"
    if start is not None:
        due = f"one that comes at {_shown(start)} is due at {_shown(start + lasts)}"
        told += f" in the open time of {clocks.sla.calendar!r}: {due}"
    trail = ("sla", "expire_after") if common is None else clocks.trail(document, severity, "calendar")
    yield complain(document, trail, "KT306", told, warning=True)


@lru_cache(maxsize=64)
def _longest(calendar: Calendar, target: timedelta, today: date) -> tuple[timedelta, datetime | None]:
    """How long so much open time lasts at most, and from when on: it is most as the calendar closes. Of the cases of
    a year; what is not over after two lasts until then."""
    windows, end = _two_years(calendar, today)
    closing = [(number, close) for number, (_, close) in enumerate(windows) if close < end - YEAR]
    lengths = [
        ((advance(islice(windows, number + 1, None), close, target) or end) - close, close) for number, close in closing
    ]
    return max(lengths, default=(target, None))


@lru_cache(maxsize=16)
def _two_years(calendar: Calendar, today: date) -> tuple[tuple[Window, ...], datetime]:
    start = datetime.combine(today, time(), UTC)
    end = start + 2 * YEAR
    return tuple(calendar.windows(start, end)), end


def _days(document: Document, clocks: _Clocks, calendars: dict[str, Calendar]) -> Iterator[Complaint]:
    for trail, severity, written in _written(document, clocks.base):
        name = clocks.calendar_of(severity)
        calendar = calendars.get(name) if name is not None else None
        if calendar is None or not isinstance(written, str) or not _DAYS.search(written):
            continue
        open_days = [minutes for hours in calendar.hours if (minutes := sum(end - start for start, end in hours))]
        if min(open_days) == DAY and len(open_days) == len(calendar.hours):
            continue
        claims = "claim_targets" in trail
        length = clocks.sla.claim_targets[Severity(severity)] if claims else clocks.target(severity)
        hours = length.total_seconds() / 3600
        days = hours * 60 * len(open_days) / sum(open_days)
        told = f"{written} is {hours:g} hours of open time, about {days:.1f} working days of {name!r}"
        yield complain(document, trail, "KT317", told, warning=True)


def _written(document: Document, base: Trail) -> Iterator[tuple[Trail, str, Any]]:
    """The targets that stand at a place of the document, each with its severity, as they were written."""
    block: Any = document.data.get("sla", {})
    for part in base[1:]:
        block = block[part]
    for more in ((), ("targets",), ("claim_targets",)):
        found = block.get(more[0]) if more else block
        for severity in _NAMES:
            if isinstance(found, dict) and severity in found:
                yield (*base, *more, severity), severity, found[severity]


def _shown(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
