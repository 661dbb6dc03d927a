"""On call: turns, layers, restrictions, overrides, and nights on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalations.calendars import Calendar
from escalations.operations_settings import read_hours
from escalations.schedules import Layer, Override, Schedule, Shift, gaps, on_call, shifts

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 1, 5)
DAY = timedelta(days=1)


def local(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=BERLIN)


def layer(name: str = "week", **changes: Any) -> Layer:
    plain = {"zone": "Europe/Berlin", "members": (("ana",), ("ben",), ("cara",)), "start": MONDAY, "weekday": 0}
    return Layer(name, **{**plain, **changes})


def hours(**written: str) -> Calendar:
    return Calendar("Europe/Berlin", read_hours({day.replace("_", "-"): (text,) for day, text in written.items()}))


WEEKLY = Schedule("legal", (layer(),))
NIGHTS = layer("night", members=(("eve",),), weekday=None, length=DAY, restriction=hours(mon_sun="22:00-06:00"))


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-01-05 08:59", ()),
        ("2026-01-05 09:00", ("ana",)),
        ("2026-01-12 08:59", ("ana",)),
        ("2026-01-12 09:00", ("ben",)),
        ("2026-01-19 09:00", ("cara",)),
        ("2026-01-26 09:00", ("ana",)),
        # The clocks went forward on 29 March: the turn is an hour shorter, the handoff still at nine.
        ("2026-03-30 08:59", ("cara",)),
        ("2026-03-30 09:00", ("ana",)),
        # And back on 25 October.
        ("2026-10-26 08:59", ("cara",)),
        ("2026-10-26 09:00", ("ana",)),
    ],
)
def test_turns_are_handed_on_by_the_wall_clock(at: str, who: tuple[str, ...]) -> None:
    assert on_call(WEEKLY, local(at)) == who


def test_a_turn_over_a_change_of_the_clocks_is_an_hour_off() -> None:
    lengths = {
        shift.end - shift.start for shift in shifts(WEEKLY, local("2026-01-05 09:00"), local("2027-01-04 09:00"))
    }
    assert lengths == {7 * DAY, 7 * DAY - timedelta(hours=1), 7 * DAY + timedelta(hours=1)}


def test_the_first_turn_waits_for_its_weekday() -> None:
    late = Schedule("legal", (layer(start=date(2026, 1, 7)),))
    assert on_call(late, local("2026-01-11 12:00")) == ()
    assert on_call(late, local("2026-01-12 09:00")) == ("ana",)


@pytest.mark.parametrize(
    ("handoff", "night", "expected"),
    [
        (time(2, 30), date(2026, 3, 29), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        (time(2, 30), date(2026, 10, 25), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (time(3, 0), date(2026, 10, 25), datetime(2026, 10, 25, 2, 0, tzinfo=UTC)),
    ],
)
def test_a_handoff_at_a_change_of_the_clocks(handoff: time, night: date, expected: datetime) -> None:
    daily = Schedule("d", (layer(weekday=None, length=DAY, handoff_at=handoff, start=night - DAY),))
    assert on_call(daily, expected - timedelta(microseconds=1)) == ("ana",)
    assert on_call(daily, expected) == ("ben",)


def test_turns_of_some_hours_stay_on_the_clock() -> None:
    shift = layer(weekday=None, length=timedelta(hours=12), members=(("ana",), ("ben",)), handoff_at=time(8))
    schedule = Schedule("factory", (shift,))
    for day in ("2026-03-29", "2026-06-01", "2026-10-25"):
        assert on_call(schedule, local(f"{day} 08:00")) == ("ana",)
        assert on_call(schedule, local(f"{day} 19:59")) == ("ana",)
        assert on_call(schedule, local(f"{day} 20:00")) == ("ben",)


def test_several_can_be_on_call_together() -> None:
    pairs = Schedule("p", (layer(members=(("ana", "ben"), ("cara",))),))
    assert on_call(pairs, local("2026-01-06 12:00")) == ("ana", "ben")
    assert on_call(pairs, local("2026-01-13 12:00")) == ("cara",)


def test_a_later_layer_lies_on_top_where_it_has_somebody() -> None:
    schedule = Schedule("legal", (layer(), NIGHTS))
    assert on_call(schedule, local("2026-01-06 21:59")) == ("ana",)
    assert on_call(schedule, local("2026-01-06 22:00")) == ("eve",)
    assert on_call(schedule, local("2026-01-07 05:59")) == ("eve",)
    assert on_call(schedule, local("2026-01-07 06:00")) == ("ana",)


def test_an_override_wins_over_all_layers() -> None:
    over = Override(local("2026-01-06 20:00"), local("2026-01-07 02:00"), ("dan",))
    schedule = Schedule("legal", (layer(), NIGHTS), (over,))
    found = shifts(schedule, local("2026-01-06 12:00"), local("2026-01-07 12:00"))
    assert [(shift.people, shift.source, shift.start.astimezone(BERLIN).hour) for shift in found] == [
        (("ana",), "week", 12),
        (("dan",), "override", 20),
        (("eve",), "night", 2),
        (("ana",), "week", 6),
    ]
    assert schedule.people == {"ana", "ben", "cara", "dan", "eve"}


def test_where_nobody_is_on_call_there_is_a_gap() -> None:
    office = Schedule("office", (layer(restriction=hours(mon_fri="09:00-17:00")),))
    friday, monday = local("2026-01-09 12:00"), local("2026-01-12 12:00")
    assert on_call(office, local("2026-01-10 12:00")) == ()
    assert gaps(office, friday, monday) == ((local("2026-01-09 17:00"), local("2026-01-12 09:00")),)
    assert gaps(WEEKLY, friday, monday) == ()
    before = local("2026-01-04 09:00")
    assert gaps(WEEKLY, before, friday) == ((before, local("2026-01-05 09:00")),)
    assert gaps(WEEKLY, before, before + DAY / 2) == ((before, before + DAY / 2),)
    assert shifts(WEEKLY, friday, friday) == ()
    assert gaps(WEEKLY, friday, friday) == ()


def test_shifts_are_cut_at_both_ends_and_not_in_between() -> None:
    alone = Schedule("alone", (layer(members=(("ana",),)),))
    start, end = local("2026-02-04 12:00"), local("2026-04-04 12:00")
    assert shifts(alone, start, end) == (Shift(start, end, ("ana",), "week"),)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    layers = tuple(
        layer(
            f"layer {number}",
            zone=draw(st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])),
            members=tuple((f"p{number}{member}",) for member in range(draw(st.integers(1, 3)))),
            start=date(2026, 3, 27) + DAY * draw(st.integers(0, 4)),
            handoff_at=time(draw(st.integers(0, 23)), draw(st.sampled_from([0, 15, 30]))),
            weekday=None,
            length=timedelta(hours=draw(st.sampled_from([1, 5, 12, 24, 36]))),
            restriction=draw(
                st.sampled_from([hours(mon_sun="22:00-06:00"), hours(mon="01:30-02:30", sat="02:15-09:00")])
            ),
        )
        for number in range(draw(st.integers(1, 3)))
    )
    at = datetime(2026, 3, 29, tzinfo=UTC) + timedelta(hours=draw(st.integers(0, 40)))
    return Schedule("any", layers, (Override(at, at + timedelta(hours=3), ("zoe",)),) if draw(st.booleans()) else ())


@given(schedule=schedules())
@settings(deadline=None, max_examples=40)
def test_shifts_and_gaps_say_what_on_call_says_at_every_moment(schedule: Schedule) -> None:
    start, end = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 4, 6, tzinfo=UTC)
    found = shifts(schedule, start, end)
    assert all(one.end <= other.start for one, other in pairwise(found))
    free = gaps(schedule, start, end)
    for number in range(0, int((end - start) / timedelta(minutes=1)), 45):
        at = start + timedelta(minutes=number)
        held = [shift.people for shift in found if shift.start <= at < shift.end]
        assert held == ([on_call(schedule, at)] if on_call(schedule, at) else [])
        assert any(begin <= at < close for begin, close in free) == (not held)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"members": ()}, "a turn without anybody"),
        ({"members": (("ana",), ())}, "a turn without anybody"),
        ({"members": (("ana", "ana"),)}, "twice in one turn"),
        ({"zone": "Mars/Olympus"}, "not a time zone"),
        ({"length": timedelta(minutes=59), "weekday": None}, "an hour at least"),
        ({"length": timedelta(days=400), "weekday": None}, "a year at most"),
        ({"length": DAY}, "whole weeks"),
        ({"weekday": 7}, "not a weekday"),
    ],
)
def test_a_rotation_that_makes_no_sense_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        layer(**changes)


def test_a_schedule_that_makes_no_sense_is_refused() -> None:
    noon = local("2026-01-06 12:00")
    with pytest.raises(ValueError, match="no rotation"):
        Schedule("s", ())
    with pytest.raises(ValueError, match="two rotations"):
        Schedule("s", (NIGHTS, NIGHTS))
    with pytest.raises(ValueError, match="'top' always lies on top of 'week'"):
        Schedule("s", (layer(), layer("top")))
    with pytest.raises(ValueError, match="overlap at 2026-01-06T13:00"):
        Schedule("s", (layer(),), (Override(noon, noon + DAY, ("a",)), Override(noon + DAY / 24, noon + DAY, ("b",))))
    with pytest.raises(ValueError, match="ends before it begins"):
        Override(noon, noon, ("ana",))
    with pytest.raises(ValueError, match="names nobody"):
        Override(noon, noon + DAY, ())


def test_overrides_that_touch_do_not_overlap() -> None:
    noon = local("2026-01-06 12:00")
    both = Override(noon, noon + DAY, ("dan",)), Override(noon + DAY, noon + 2 * DAY, ("eve",))
    schedule = Schedule("s", (layer(),), both)
    assert on_call(schedule, noon + DAY) == ("eve",)


def test_a_layer_that_starts_later_on_top_is_fine() -> None:
    schedule = Schedule("s", (layer(), layer("new", members=(("dan",),), start=date(2026, 3, 2))))
    assert on_call(schedule, local("2026-03-02 08:59")) == ("ben",)
    assert on_call(schedule, local("2026-03-02 09:00")) == ("dan",)


def test_an_instant_needs_a_zone() -> None:
    for ask in (on_call, lambda schedule, at: shifts(schedule, at, at)):
        with pytest.raises(ValueError, match="without a time zone"):
            ask(WEEKLY, datetime(2026, 1, 6))
