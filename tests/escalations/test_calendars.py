"""Business hours, against an implementation that knows nothing but a clock and goes minute by minute."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise, product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalations.calendars import DAY, Calendar, around_the_clock, freeze, public_holidays, weekly_hours
from escalations.operations_settings import read_hours
from escalations.zones import instant, offsets, zone_of

MINUTE = timedelta(minutes=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKDAYS, ALL_DAYS = DAYS[:5], DAYS

BAVARIA = "0101 0106 0403 0406 0501 0514 0525 0604 1003 1101 1225 1226"
UNITED_STATES = "0101 0119 0216 0525 0619 0703 0704 0907 1012 1111 1126 1225"
JAPAN = "0101 0112 0211 0223 0320 0429 0503 0504 0505 0506 0720 0811 0921 0922 0923 1012 1103 1123"
"""Public holidays of 2026, copied from the countries' own calendars as MMDD."""


def in_2026(written: str) -> frozenset[date]:
    return frozenset(date(2026, int(day[:2]), int(day[2:])) for day in written.split())


@dataclass(frozen=True)
class Shop:
    """Hours as a sign on the door says them. A stretch ends before midnight, or at 24:00."""

    zone: str
    days: tuple[str, ...]
    hours: tuple[tuple[str, str], ...]
    holidays: tuple[str, ...] = ()
    shut: frozenset[date] = frozenset()
    extra: frozenset[date] = field(default=frozenset())

    def calendar(self) -> Calendar:
        stretches = tuple(f"{start}-{end}" for start, end in self.hours)
        return Calendar(self.zone, read_hours(dict.fromkeys(self.days, stretches)), self.holidays, self.extra)


SHOPS = {
    "berlin": Shop("Europe/Berlin", WEEKDAYS, (("09:00", "17:00"),), ("DE-BY",), in_2026(BAVARIA)),
    "berlin-lunch": Shop("Europe/Berlin", WEEKDAYS, (("08:30", "12:15"), ("13:00", "17:45"))),
    "berlin-night": Shop("Europe/Berlin", ALL_DAYS, (("00:00", "06:00"), ("22:00", "24:00"))),
    "berlin-edges": Shop("Europe/Berlin", ALL_DAYS, (("01:30", "02:30"), ("02:45", "03:15"))),
    "new-york": Shop("America/New_York", WEEKDAYS, (("09:00", "17:30"),), ("US",), in_2026(UNITED_STATES)),
    "new-york-always": Shop("America/New_York", ALL_DAYS, (("00:00", "24:00"),)),
    "tokyo": Shop("Asia/Tokyo", WEEKDAYS, (("10:00", "18:00"),), ("JP",), in_2026(JAPAN)),
    "kolkata": Shop("Asia/Kolkata", DAYS[:6], (("09:30", "18:30"),)),
    "kathmandu": Shop("Asia/Kathmandu", ("sun", *DAYS[:5]), (("10:00", "17:00"),)),
    "st-johns": Shop("America/St_Johns", ALL_DAYS, (("01:15", "02:45"), ("09:00", "12:00"))),
    "adelaide": Shop("Australia/Adelaide", ALL_DAYS, (("02:15", "04:00"), ("20:00", "23:30"))),
    "lord-howe": Shop("Australia/Lord_Howe", ALL_DAYS, (("01:40", "02:10"), ("08:00", "16:00"))),
    "cairo": Shop("Africa/Cairo", ALL_DAYS, (("00:00", "00:30"), ("23:15", "24:00"))),
    "leap": Shop("UTC", ALL_DAYS, (("08:00", "20:00"),), extra=frozenset({date(2028, 2, 29)})),
    "leap-open": Shop("Pacific/Auckland", ALL_DAYS, (("08:00", "20:00"),)),
}
STARTS = {
    "berlin": "2026-03-27 16:30, 2026-04-02 16:30, 2026-10-23 16:59, 2026-12-24 12:00, 2026-05-13 17:00",
    "berlin-lunch": "2026-03-27 12:00, 2026-10-25 02:30, 2026-06-10 12:15, 2026-06-12 17:44",
    "berlin-night": "2026-03-28 23:30, 2026-03-29 01:59, 2026-10-24 23:30, 2026-10-25 02:30",
    "berlin-edges": "2026-03-28 02:40, 2026-03-29 01:45, 2026-03-29 03:00, 2026-10-25 01:45, 2026-10-25 02:50",
    "new-york": "2026-03-06 17:00, 2026-07-02 17:00, 2026-10-30 16:45, 2026-11-25 17:29, 2026-01-16 12:00",
    "new-york-always": "2026-03-08 00:30, 2026-11-01 00:30, 2026-11-01 01:30",
    "tokyo": "2026-05-01 17:30, 2026-09-18 17:30, 2026-02-10 18:00",
    "kolkata": "2026-03-28 18:00, 2026-03-30 09:29",
    "kathmandu": "2026-04-03 16:15, 2026-04-04 03:00",
    "st-johns": "2026-03-08 01:30, 2026-11-01 01:00, 2026-11-01 01:50",
    "adelaide": "2026-04-05 01:00, 2026-04-05 02:30, 2026-10-04 01:00",
    "lord-howe": "2026-04-05 01:35, 2026-04-05 01:50, 2026-10-04 01:45",
    "cairo": "2026-04-23 23:30, 2026-04-24 01:00, 2026-10-29 22:00, 2026-10-29 23:30",
    "leap": "2028-02-28 19:00, 2028-02-29 10:00, 2027-02-28 19:30",
    "leap-open": "2028-02-28 19:00, 2028-02-29 19:59",
}
LENGTHS = (1, 15, 60, 240, 1440)
CASES = [
    (name, start.strip(), minutes)
    for name, starts in STARTS.items()
    for start, minutes in product(starts.split(","), LENGTHS)
]


@cache
def is_open_minute(name: str, at: datetime) -> bool:
    shop = SHOPS[name]
    local = at.astimezone(ZoneInfo(shop.zone))
    if DAYS[local.weekday()] not in shop.days or local.date() in shop.shut | shop.extra:
        return False
    return any(start <= local.strftime("%H:%M") < end for start, end in shop.hours)


def minute_by_minute(name: str, at: datetime, minutes: int) -> datetime:
    while minutes:
        minutes -= is_open_minute(name, at)
        at += MINUTE
    return at


def in_utc(name: str, local: str) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(SHOPS[name].zone)).astimezone(UTC)


def test_the_table_is_large_enough() -> None:
    assert len(set(CASES)) >= 200


@pytest.mark.parametrize(("name", "start", "minutes"), CASES)
def test_a_deadline_is_where_counting_minutes_leads(name: str, start: str, minutes: int) -> None:
    calendar, at, length = SHOPS[name].calendar(), in_utc(name, start), timedelta(minutes=minutes)
    due = calendar.add_open_time(at, length)
    assert due == minute_by_minute(name, at, minutes)
    assert calendar.open_time_between(at, due) == length
    kept = freeze(calendar, name, 1, at, length)
    assert kept.add(at, length) == due
    assert kept.between(at, due) == length


@pytest.mark.parametrize(("name", "start"), sorted({(name, start) for name, start, _ in CASES}))
def test_open_time_and_changes_are_what_counting_minutes_finds(name: str, start: str) -> None:
    calendar, at = SHOPS[name].calendar(), in_utc(name, start) - timedelta(hours=3)
    minutes = [at + MINUTE * number for number in range(14 * 60)]
    opened = [is_open_minute(name, minute) for minute in minutes]
    assert [calendar.is_open(minute) for minute in minutes] == opened
    assert calendar.open_time_between(at, minutes[-1] + MINUTE) == MINUTE * sum(opened)
    changes = [minute for minute, was, now in zip(minutes[1:], opened, opened[1:], strict=False) if was != now]
    found, change = [], calendar.next_change(at)
    while change is not None and change <= minutes[-1]:
        found.append(change)
        change = calendar.next_change(change)
    assert found == changes


@pytest.mark.parametrize(
    ("name", "start", "length", "expected"),
    [
        ("berlin", "2026-03-27 16:30", "1h", "2026-03-30T09:30+02:00"),
        ("berlin", "2026-04-02 16:30", "1h", "2026-04-07T09:30+02:00"),
        ("new-york-always", "2026-03-08 00:00", "4h", "2026-03-08T05:00-04:00"),
        ("new-york-always", "2026-11-01 00:00", "4h", "2026-11-01T03:00-05:00"),
        ("new-york", "2026-07-02 17:00", "1h", "2026-07-06T09:30-04:00"),
        ("tokyo", "2026-05-01 17:30", "1h", "2026-05-07T10:30+09:00"),
        ("leap", "2028-02-28 19:00", "2h", "2028-03-01T09:00+00:00"),
        ("kathmandu", "2026-04-03 16:15", "1h", "2026-04-05T10:15+05:45"),
        # What the clock skips does not count, and what it shows twice counts twice.
        ("berlin-edges", "2026-03-29 01:45", "30m", "2026-03-29T03:15+02:00"),
        ("berlin-edges", "2026-10-25 01:45", "1h30m", "2026-10-25T02:30+01:00"),
        # An end of the day is where the day ends.
        ("berlin", "2026-06-08 16:00", "1h", "2026-06-08T17:00+02:00"),
    ],
)
def test_deadlines_that_were_worked_out_by_hand(name: str, start: str, length: str, expected: str) -> None:
    hours, _, minutes = length.removesuffix("m").partition("h") if "h" in length else ("0", "", length[:-1])
    span = timedelta(hours=int(hours), minutes=int(minutes or 0))
    assert SHOPS[name].calendar().add_open_time(in_utc(name, start), span) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(("place", "days"), [("DE-BY", BAVARIA), ("US", UNITED_STATES), ("JP", JAPAN)])
def test_holidays_are_those_that_the_country_keeps(place: str, days: str) -> None:
    assert public_holidays(place, 2026).keys() == in_2026(days)


def test_a_holiday_is_named_where_it_closes_a_day() -> None:
    calendar = Calendar("Europe/Berlin", read_hours({"mon-fri": ("09:00-17:00",)}), ("DE-BY",), frozenset({XMAS_EVE}))
    assert calendar.closed_by(date(2026, 4, 3)) == "DE-BY: Good Friday"
    assert calendar.closed_by(XMAS_EVE) == "closed day"
    assert calendar.closed_by(date(2026, 4, 2)) is None


XMAS_EVE = date(2026, 12, 24)


def test_an_observed_holiday_belongs_to_the_year_of_its_day() -> None:
    assert date(2021, 12, 31) in public_holidays("US", 2021)


ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo")
EDGES = st.lists(st.integers(0, DAY // 5).map(lambda number: number * 5), min_size=2, max_size=8, unique=True)
STRETCHES = EDGES.map(sorted).map(lambda edges: list(zip(edges[::2], edges[1::2], strict=False)))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    week = draw(st.dictionaries(st.integers(0, 6), STRETCHES, min_size=1))
    closed = draw(st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=40))
    place = draw(st.sampled_from([(), ("DE-BE",), ("US", "JP")]))
    return Calendar(draw(st.sampled_from(ZONES)), weekly_hours(week), place, closed)


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 3, 1), timezones=st.just(UTC))
LENGTH = st.timedeltas(timedelta(0), timedelta(hours=8))


@given(calendar=calendars(), start=INSTANTS, length=LENGTH)
@settings(deadline=None)
def test_a_deadline_less_open_time_is_the_target(calendar: Calendar, start: datetime, length: timedelta) -> None:
    due = calendar.add_open_time(start, length)
    assert calendar.open_time_between(start, due) == length
    assert not length or calendar.is_open(due - timedelta(microseconds=1))


@given(calendar=calendars(), start=INSTANTS, one=LENGTH, other=LENGTH)
@settings(deadline=None)
def test_time_can_be_added_in_parts(calendar: Calendar, start: datetime, one: timedelta, other: timedelta) -> None:
    at_once = calendar.add_open_time(start, one + other)
    assert calendar.add_open_time(calendar.add_open_time(start, one), other) == at_once


@given(calendar=calendars(), start=INSTANTS, enough=LENGTH, share=st.floats(0, 1))
@settings(deadline=None)
def test_what_a_case_keeps_agrees_with_its_calendar(
    calendar: Calendar, start: datetime, enough: timedelta, share: float
) -> None:
    kept, length = freeze(calendar, "c", 7, start, enough), enough * share
    assert kept.add(start, length) == calendar.add_open_time(start, length)
    assert len(kept.windows) <= 400


def test_what_a_case_keeps_says_where_it_is_from() -> None:
    kept = freeze(SHOPS["berlin"].calendar(), "berlin", 3, in_utc("berlin", "2026-03-27 16:30"), timedelta(hours=10))
    assert (kept.calendar, kept.settings_version) == ("berlin", 3)
    assert "tzdata" in kept.source
    assert "holidays" in kept.source


def test_a_calendar_that_never_closes_is_one_window() -> None:
    start = datetime(2026, 3, 7, 12, tzinfo=UTC)
    kept = freeze(around_the_clock("America/New_York"), "all", 1, start, timedelta(days=30))
    assert len(kept.windows) == 1
    assert kept.next_change(start) is None
    assert around_the_clock().next_change(start) is None
    assert around_the_clock().add_open_time(start, timedelta(days=3660)) == start + timedelta(days=3660)


@pytest.mark.parametrize(
    ("hours", "problem"),
    [
        ({"mon": ("09:00-12:00", "11:59-17:00")}, "on Monday 09:00-12:00 and 11:59-17:00 overlap"),
        ({"sun": ("22:00-06:00",), "mon": ("05:00-08:00",)}, "on Monday 00:00-06:00 and 05:00-08:00 overlap"),
        ({"mon-wed": ("09:00-12:00",), "tue": ("10:00-11:00",)}, "on Tuesday .* overlap"),
        ({}, "no open hour"),
        ({"mon": ()}, "no open hour"),
        ({"mon": ("09:00-09:00",)}, "no stretch of a day"),
        ({"mon": ("24:00-06:00",)}, "no stretch of a day"),
        ({"mon": ("9-17",)}, "not a time of day"),
        ({"mon": ("09:00",)}, "not a stretch of the day"),
        ({"moonday": ("09:00-17:00",)}, "not a weekday"),
    ],
)
def test_hours_that_make_no_sense_are_refused(hours: dict[str, tuple[str, ...]], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_hours(hours)


@pytest.mark.parametrize("weekday", [-1, 7])
def test_a_week_has_seven_days(weekday: int) -> None:
    with pytest.raises(ValueError, match="not a weekday"):
        weekly_hours({weekday: [(0, 60)]})


def test_hours_that_touch_are_one_window() -> None:
    calendar = Calendar("UTC", read_hours({"mon-sun": ("22:00-02:00", "02:00-04:00")}))
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    first = next(calendar.windows(start, start + timedelta(days=2)))
    assert first == (start + timedelta(hours=10), start + timedelta(hours=16))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "../etc/passwd", "", "CEST?"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="not a time zone"):
        around_the_clock(zone)


@pytest.mark.parametrize("place", ["XX", "DE-ZZ", "Bavaria", ""])
def test_an_unknown_country_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="known holidays"):
        Calendar("UTC", read_hours({"mon": ("09:00-17:00",)}), (place,))


def test_a_calendar_without_an_open_hour_in_the_next_year_is_refused() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    mondays = frozenset(date(2026, 6, 1) + timedelta(weeks=week) for week in range(54))
    calendar = Calendar("UTC", read_hours({"mon": ("09:00-17:00",)}), closed=mondays)
    with pytest.raises(ValueError, match="no open hour within the year after 2026-06-01"):
        calendar.check_opens(now)
    assert calendar.next_change(now) is None
    calendar.check_opens(now + timedelta(weeks=4))
    assert calendar.add_open_time(now, timedelta(hours=1)).date() == date(2027, 6, 14)


def test_an_instant_needs_a_zone() -> None:
    naive, calendar = datetime(2026, 1, 1), around_the_clock()
    for ask in (calendar.is_open, calendar.next_change, calendar.check_opens):
        with pytest.raises(ValueError, match="without a time zone"):
            ask(naive)
    with pytest.raises(ValueError, match="without a time zone"):
        calendar.add_open_time(naive, MINUTE)


def test_open_time_is_neither_taken_away_nor_endless() -> None:
    calendar, now = Calendar("UTC", weekly_hours({0: [(0, 1)]})), datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="not taken away"):
        calendar.add_open_time(now, -MINUTE)
    with pytest.raises(ValueError, match="later"):
        calendar.open_time_between(now, now - MINUTE)
    with pytest.raises(ValueError, match="within a hundred years"):
        calendar.add_open_time(now, timedelta(days=3660))


def test_the_wall_clock_first_shows_a_time_once() -> None:
    berlin = zone_of("Europe/Berlin")
    assert instant(berlin, datetime(2026, 3, 29, 2, 30)) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(berlin, datetime(2026, 10, 25, 2, 30)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_offsets_are_cut_at_the_second_of_the_change() -> None:
    start, end = datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    pieces = list(offsets(zone_of("Europe/Berlin"), start, end))
    changes = [later[0] for earlier, later in pairwise(pieces) if later[2] != earlier[2]]
    assert changes == [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
    assert all(earlier[1] == later[0] for earlier, later in pairwise(pieces))
    assert (pieces[0][0], pieces[-1][1]) == (start, end)


def test_the_first_hours_do_not_wait_for_the_last() -> None:
    start = datetime(2026, 3, 28, tzinfo=UTC)
    first = next(offsets(zone_of("UTC"), start, start + timedelta(days=36525)))
    assert first[1] - first[0] < timedelta(days=10)


def test_a_change_at_the_very_end_is_left_out() -> None:
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert len(list(offsets(zone_of("Europe/Berlin"), change - timedelta(hours=1), change))) == 1
