"""On-call schedules that another tool keeps, as iCalendar (RFC 5545): each event is a turn, and says who has it.

Who it is: the addresses of its ATTENDEEs, or else its SUMMARY, logins or addresses with commas between. Recurring
events go by the wall clock of their zone, whatever length a change of the clocks gives to a turn; times without a zone
are by that of the schedule. An event with a RECURRENCE-ID stands in the place of that one turn; what is CANCELLED is
none.

Not for workflow code: time-zone data is not deterministic. The library is loaded when a calendar is read for the first
time; most installations never have one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from escalations.zones import instant, to_utc, zone_of

if TYPE_CHECKING:
    from dateutil.rrule import rrule

LARGEST = 256 * 1024
MOST_EVENTS = 2000
MOST_SERIES = 100
LONGEST_COUNT = 1000
LONGEST_TURN = timedelta(days=366)
LOWEST = 10
"""The priority of an event that has none; 1 is the highest (RFC 5545, 3.8.1.9)."""
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_STEPS = {"DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}
_WITHIN_A_DAY = ("BYHOUR", "BYMINUTE", "BYSECOND")
_OF_MONTHS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYEASTER")
_NEWLINE = re.compile(r"\r\n?|\n")


@dataclass(frozen=True)
class Entry:
    """One event. `start` and `length` are by the wall clock of `zone`; `line` is where it begins in the text.

    A `rule` that repeats itself after each `step` need not be counted from its start.
    """

    line: int
    people: tuple[str, ...]
    priority: int
    start: datetime
    length: timedelta
    zone: tzinfo
    rule: rrule | None = field(default=None, compare=False)
    step: timedelta | None = None
    more: tuple[datetime, ...] = ()
    without: frozenset[datetime] = frozenset()

    def between(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Its turns that touch the time between two instants, in UTC, in no order."""
        first = start.astimezone(self.zone).replace(tzinfo=None) - self.length - timedelta(days=1)
        last = end.astimezone(self.zone).replace(tzinfo=None) + timedelta(days=1)
        recurring: list[datetime] = []
        if self.rule is not None:
            begun = 0 if self.step is None else max(0, (first - self.start) // self.step)
            rule = self.rule.replace(dtstart=self.start + begun * (self.step or timedelta(0))) if begun else self.rule
            recurring = rule.between(first, last, inc=True)
        for wall in {self.start, *self.more, *recurring} - self.without:
            begin, close = _utc(self.zone, wall), _utc(self.zone, wall + self.length)
            if begin < end and close > start:
                yield begin, close


@lru_cache(maxsize=32)
def read_calendar(text: str, zone: str) -> tuple[Entry, ...]:
    """The events of a calendar. Raises ValueError, with the line where one can be named."""
    if len(text) > LARGEST:
        raise ValueError(f"this calendar is larger than {LARGEST // 1024} KiB; leave out turns that are over")
    text = _NEWLINE.sub("\n", text)
    found = _events(text)
    lines = [number for number, line in enumerate(text.split("\n"), 1) if line.strip().upper() == "BEGIN:VEVENT"]
    if not found:
        raise ValueError("this calendar has no event, so nobody would ever be on call")
    if sum("RRULE" in event for event in found) > MOST_SERIES:
        raise ValueError(f"this calendar has more than {MOST_SERIES} events that recur")
    if len(found) > MOST_EVENTS or len(lines) != len(found):
        raise ValueError(f"this calendar has more than {MOST_EVENTS} events, or some that cannot be read")
    read: list[tuple[str, datetime | None, Entry]] = []
    cancelled: set[tuple[str, datetime | None]] = set()
    for line, event in zip(lines, found, strict=True):
        try:
            uid, instead, entry = _read(event, line, zone)
        except (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError) as fault:
            raise ValueError(f"line {line} of this calendar: {_told(fault)}") from None
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            cancelled.add((uid, instead))
        else:
            read.append((uid, instead, entry))
    replaced: dict[str, set[datetime]] = {}
    for uid, instead in (*((uid, instead) for uid, instead, _ in read), *cancelled):
        if instead is not None:
            replaced.setdefault(uid, set()).add(instead)
    entries = tuple(
        replace(entry, without=entry.without | _walls(entry, replaced.get(uid, set()))) if instead is None else entry
        for uid, instead, entry in read
        if (uid, None) not in cancelled or instead is not None
    )
    if not entries:
        raise ValueError("every event of this calendar is cancelled, so nobody would ever be on call")
    return entries


def _events(text: str) -> list[Any]:
    from icalendar import Calendar

    try:
        calendars = Calendar.from_ical(text, multiple=True)
        return [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError) as fault:
        raise ValueError(f"this is not an iCalendar file: {_told(fault)}") from None


def _read(event: Any, line: int, zone: str) -> tuple[str, datetime | None, Entry]:
    """Its UID, the turn (in UTC) that it stands in the place of, and the event itself."""
    if event.errors:
        name, problem = event.errors[0]
        raise ValueError(f"{name} cannot be read: {problem}")
    start, where = _wall(event.decoded("DTSTART"), zone)
    length = _length(event, start, where, zone)
    if not timedelta(0) < length <= LONGEST_TURN:
        raise ValueError("a turn ends after it begins, and within a year; give it a DTEND or a DURATION")
    rule = event.get("RRULE")
    if isinstance(rule, list) or event.get("EXRULE") is not None:
        raise ValueError("one RRULE for an event, and no EXRULE; use EXDATE for turns that are left out")
    instead = event.get("RECURRENCE-ID")
    if instead is not None and (rule is not None or "RANGE" in instead.params):
        raise ValueError("a RECURRENCE-ID stands for one turn alone, without RANGE or RRULE")
    series, step = (None, None) if rule is None else _rule(rule, start, where)
    entry = Entry(
        line=line,
        people=_people(event),
        priority=int(event.get("PRIORITY", 0)) or LOWEST,
        start=start,
        length=length,
        zone=where,
        rule=series,
        step=step,
        more=tuple(_listed(event, "RDATE", where)),
        without=frozenset(_listed(event, "EXDATE", where)),
    )
    uid = str(event.get("UID", f"line {line}"))
    if instead is None:
        return uid, None, entry
    wall, there = _wall(instead.dt, zone)
    return uid, _utc(there, wall), entry


def _wall(written: date | datetime, zone: str) -> tuple[datetime, tzinfo]:
    """What the wall clock shows, and of which zone."""
    if not isinstance(written, datetime):
        return datetime.combine(written, time()), zone_of(zone)
    return written.replace(tzinfo=None), written.tzinfo or zone_of(zone)


def _on(written: date | datetime, where: tzinfo) -> datetime:
    """What the wall clock of `where` shows at that time."""
    if isinstance(written, datetime) and written.tzinfo is not None:
        return written.astimezone(where).replace(tzinfo=None)
    return written if isinstance(written, datetime) else datetime.combine(written, time())


def _length(event: Any, start: datetime, where: tzinfo, zone: str) -> timedelta:
    if event.get("DTEND") is not None:
        end, there = _wall(event.decoded("DTEND"), zone)
        return (end if there == where else _on(end.replace(tzinfo=there), where)) - start
    if event.get("DURATION") is not None:
        length = event.decoded("DURATION")
        return length if isinstance(length, timedelta) else timedelta(0)
    return timedelta(0) if isinstance(event.decoded("DTSTART"), datetime) else timedelta(days=1)


def _rule(written: Any, start: datetime, where: tzinfo) -> tuple[rrule, timedelta | None]:
    """Only rules whose turns can be counted quickly, whatever else they say; and the step after which they repeat."""
    from dateutil.rrule import rrule, rrulestr

    rule = {name.upper(): values for name, values in written.items()}
    frequency = str(rule["FREQ"][0]).upper()
    if frequency not in _FREQUENCIES or any(name in rule for name in _WITHIN_A_DAY):
        raise ValueError("turns recur daily, weekly, monthly or yearly, without BYHOUR, BYMINUTE and BYSECOND")
    if frequency in ("DAILY", "WEEKLY") and any(name in rule for name in _OF_MONTHS):
        raise ValueError(f"{frequency} goes with BYDAY and BYMONTH alone; use MONTHLY or YEARLY")
    if int(rule.get("COUNT", [0])[0]) > LONGEST_COUNT:
        raise ValueError(f"a COUNT is {LONGEST_COUNT} at most; leave it out for a series without an end")
    interval = int(rule.get("INTERVAL", [1])[0])
    if interval < 1:
        raise ValueError("an INTERVAL is 1 or more")
    usual = _STEPS.get(frequency)
    step = None if usual is None or "COUNT" in rule else usual * interval
    until = rule.pop("UNTIL", None)
    found = rrulestr(type(written)(rule).to_ical().decode(), dtstart=start)
    assert isinstance(found, rrule)
    if next(iter(found), None) is None:
        raise ValueError("this RRULE never comes true")
    if until is None:
        return found, step
    last = until[0]
    ends = _on(last, where) if isinstance(last, datetime) else datetime.combine(last, time.max)
    return found.replace(until=ends), step


def _listed(event: Any, name: str, where: tzinfo) -> Iterator[datetime]:
    given = event.get(name)
    for values in given if isinstance(given, list) else [given] if given is not None else []:
        for value in values.dts:
            if isinstance(value.dt, tuple):
                raise ValueError(f"{name} with periods is not taken; write an event for each")
            yield _on(value.dt, where)


def _people(event: Any) -> tuple[str, ...]:
    attendees = event.get("ATTENDEE")
    if attendees is not None:
        names = [str(one) for one in (attendees if isinstance(attendees, list) else [attendees])]
    else:
        names = re.split(r"[,;]", str(event.get("SUMMARY", "")))
    people = tuple(dict.fromkeys(re.sub(r"(?i)^mailto:", "", name.strip()).strip() for name in names if name.strip()))
    if not people:
        raise ValueError("this event names nobody; write logins or addresses in its SUMMARY, or ATTENDEEs")
    return people


def _walls(entry: Entry, instants: set[datetime]) -> frozenset[datetime]:
    return frozenset(at.astimezone(entry.zone).replace(tzinfo=None) for at in instants)


def _utc(zone: tzinfo, wall: datetime) -> datetime:
    return instant(zone, wall) if isinstance(zone, ZoneInfo) else to_utc(wall.replace(tzinfo=zone))


def _told(fault: Exception) -> str:
    said = " ".join(str(fault).split())
    return said[:200] if isinstance(fault, ValueError) and said else "something in it is missing or out of place"
