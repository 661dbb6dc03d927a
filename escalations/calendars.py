"""Business hours: which time counts, by a zone's wall clock, a week's hours, countries' holidays and closed days.

A calendar is open exactly when the clock on the wall of its zone shows an open time on a day that is not closed.
So an hour that clocks skip does not count, one that they repeat counts twice, and a day may have 23 or 25 hours.

Not for workflow code: zones and holidays change with the data that is installed. A case gets `freeze`, computed
where it is opened, and never looks at a calendar again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from zoneinfo import TZPATH

from escalations.windows import OpenTime, Window, advance, joined, overlap
from escalations.zones import offsets, to_utc, zone_of

DAY = 24 * 60
YEAR = timedelta(days=366)
FARTHEST = timedelta(days=36525)
"""How far ahead a deadline is looked for: ten years, the longest duration, of four hours a week need so much."""
MOST_WINDOWS = 400
"""Windows that a case carries; five a week last a year and a half. Beyond them all time counts as open."""

_ANY_YEAR = 2026

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Hours = tuple[tuple[int, int], ...]
"""Open stretches of one local day, in minutes since midnight by the wall clock: ordered, apart, at most 0 to 1440."""


def weekly_hours(written: Mapping[int, Iterable[tuple[int, int]]]) -> tuple[Hours, ...]:
    """The seven days' hours, Monday first, from stretches per weekday (0 is Monday) in minutes since midnight.

    A stretch that ends before its start goes over midnight and into the next day. Raises ValueError when stretches
    overlap, when one is no time of day or has no length, and when there are none.
    """
    days: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for weekday, stretches in written.items():
        if weekday not in range(7):
            raise ValueError(f"{weekday} is not a weekday; 0 is Monday, 6 is Sunday")
        for start, end in stretches:
            if not (0 <= start < DAY and 0 <= end <= DAY) or start == end:
                raise ValueError(f"{_clock(start)}-{_clock(end)} is no stretch of a day; a whole one is 00:00-24:00")
            if start < end:
                days[weekday].append((start, end))
                continue
            days[weekday].append((start, DAY))
            if end:
                days[(weekday + 1) % 7].append((0, end))
    if not any(days):
        raise ValueError("there is no open hour in the whole week")
    for name, hours in zip(DAYS, days, strict=True):
        hours.sort()
        for (start, end), (later, later_end) in pairwise(hours):
            if later < end:
                raise ValueError(
                    f"on {name} {_clock(start)}-{_clock(end)} and {_clock(later)}-{_clock(later_end)} overlap"
                )
    return tuple(tuple(hours) for hours in days)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Business hours. `hours` are those of `weekly_hours`; `holidays` are countries or their parts by ISO 3166
    (`DE`, `DE-BY`, `US-CA`): the public holidays of each are closed. `closed` are further closed days.

    Raises ValueError for a zone, a country or a part of one that is not known.
    """

    zone: str
    hours: tuple[Hours, ...]
    holidays: tuple[str, ...] = ()
    closed: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        zone_of(self.zone)
        for place in self.holidays:
            public_holidays(place, _ANY_YEAR)

    def closed_by(self, day: date) -> str | None:
        """Why that local day is closed: `closed day`, or the place and the name of its holiday; None when it is not."""
        if day in self.closed:
            return "closed day"
        for place in self.holidays:
            name = public_holidays(place, day.year).get(day)
            if name is not None:
                return f"{place}: {name}"
        return None

    def is_open(self, at: datetime) -> bool:
        """Raises ValueError for a time without a zone, as all that follow do."""
        local = to_utc(at).astimezone(zone_of(self.zone))
        minute = local.hour * 60 + local.minute
        within = any(start <= minute < end for start, end in self.hours[local.weekday()])
        return within and self.closed_by(local.date()) is None

    def add_open_time(self, start: datetime, duration: timedelta) -> datetime:
        """`start` plus so much open time, in UTC: a moment when the calendar is open or has just closed.

        Raises ValueError for a negative duration, and when a century does not hold so much open time.
        """
        start = to_utc(start)
        end = advance(self.pieces(start, start + FARTHEST), start, duration)
        if end is None:
            raise ValueError(f"this calendar is not open for {duration} within a hundred years")
        return end

    def open_time_between(self, start: datetime, end: datetime) -> timedelta:
        """Raises ValueError when the first instant is later than the second."""
        start, end = to_utc(start), to_utc(end)
        return overlap(self.pieces(start, end), start, end)

    def next_change(self, at: datetime) -> datetime | None:
        """When it next opens or closes behind `at`, in UTC; None when it does neither within a year."""
        at = to_utc(at)
        horizon = at + YEAR
        first = next(self.windows(at, horizon), None)
        if first is None:
            return None
        begin, end = first
        edge = begin if begin > at else end
        return edge if edge < horizon else None

    def check_opens(self, at: datetime) -> None:
        """Raises ValueError when the calendar is closed for the whole year after `at`."""
        start = to_utc(at)
        if next(self.pieces(start, start + YEAR), None) is None:
            raise ValueError(f"there is no open hour within the year after {start.date().isoformat()}")

    def windows(self, start: datetime, end: datetime) -> Iterator[Window]:
        """The open time between two instants, as stretches in UTC, ordered and apart."""
        return joined(self.pieces(to_utc(start), to_utc(end)))

    def pieces(self, start: datetime, end: datetime) -> Iterator[Window]:
        """The same in UTC, cut at midnights and at changes of the clocks: one that never closes yields at once."""
        zone = zone_of(self.zone)
        for since, until, offset in offsets(zone, start, end):
            for midnight, hours in self._open_days(since + offset, until + offset):
                for opens, closes in hours:
                    begin = max(midnight - offset + timedelta(minutes=opens), since, start)
                    close = min(midnight - offset + timedelta(minutes=closes), until, end)
                    if begin < close:
                        yield begin, close

    def _open_days(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, Hours]]:
        """The days that are not closed, each with its midnight; here times of the wall clock are written as UTC."""
        midnight = datetime.combine(first.date(), time(), UTC)
        while midnight < last:
            hours = self.hours[midnight.weekday()]
            if hours and self.closed_by(midnight.date()) is None:
                yield midnight, hours
            midnight += timedelta(days=1)


def freeze(calendar: Calendar, name: str, settings_version: int, start: datetime, enough: timedelta) -> OpenTime:
    """The open windows that a case keeps: from `start` on, until they hold `enough` open time.

    `enough` is the longest target that the case may ever have, plus the longest pause: a pause uses up no more open
    time than it lasts. Raises ValueError for a time without a zone.
    """
    start = to_utc(start)
    kept: list[Window] = []
    left = enough
    for begin, close in calendar.pieces(start, start + FARTHEST):
        if left <= timedelta(0) or len(kept) >= MOST_WINDOWS:
            break
        left -= close - begin
        if kept and kept[-1][1] == begin:
            begin = kept.pop()[0]
        kept.append((begin, close))
    until = kept[-1][1] if kept else start
    return OpenTime(name, settings_version, data_source(calendar), tuple(kept), until)


def data_source(calendar: Calendar) -> str:
    """Which data a calendar is read by, for the record: `tzdata 2026.6, holidays 0.108`."""
    zones = f"tzdata {_version('tzdata')}"
    if TZPATH:
        # Python prefers the system's files, which do not say their version where one could ask.
        zones = f"time zones of the system, or else {zones}"
    return f"{zones}, holidays {_version('holidays')}" if calendar.holidays else zones


@lru_cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@lru_cache(maxsize=1024)
def public_holidays(place: str, year: int) -> Mapping[date, str]:
    """The public holidays of a country (`DE`) or a part of it (`DE-BY`) in one year, with their names.

    Raises ValueError when the place is not known.
    """
    import holidays  # loads data of every country, which most installations never ask for

    country, _, part = place.partition("-")
    try:
        found = holidays.country_holidays(country, subdiv=part or None, years=year, expand=False, language="en_US")
    except NotImplementedError:
        raise ValueError(f"{place!r} is not a country or a part of one with known holidays, as DE or DE-BY") from None
    return dict(found.items())


def around_the_clock(zone: str = "UTC") -> Calendar:
    """Always open."""
    return Calendar(zone, tuple(((0, DAY),) for _ in DAYS))
