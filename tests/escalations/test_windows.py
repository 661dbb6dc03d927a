"""Frozen open time: exact, with pauses, and never without a deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from escalations.windows import ALWAYS, LAST, OpenTime, Window, joined, overlap, without

NINE = datetime(2026, 6, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def between(start: float, end: float) -> Window:
    return NINE + start * HOUR, NINE + end * HOUR


TWO_DAYS = OpenTime("office", 4, "tzdata 2026.6", (between(0, 8), between(24, 32)), NINE + 32 * HOUR)


def test_a_deadline_goes_over_the_night() -> None:
    assert TWO_DAYS.add(NINE + 7 * HOUR, 2 * HOUR) == NINE + 25 * HOUR
    assert TWO_DAYS.between(NINE + 7 * HOUR, NINE + 25 * HOUR) == 2 * HOUR


def test_a_deadline_at_the_close_is_not_moved_to_the_morning() -> None:
    assert TWO_DAYS.add(NINE + 7 * HOUR, HOUR) == NINE + 8 * HOUR


def test_a_pause_moves_the_deadline_by_the_open_time_that_it_took() -> None:
    assert TWO_DAYS.add(NINE, 4 * HOUR, [between(1, 3)]) == NINE + 6 * HOUR
    assert TWO_DAYS.add(NINE, 4 * HOUR, [between(3, 24)]) == NINE + 25 * HOUR
    assert TWO_DAYS.add(NINE, 4 * HOUR, [between(10, 20)]) == NINE + 4 * HOUR
    assert TWO_DAYS.add(NINE, 4 * HOUR, [between(2, 3), between(1, 2), between(1.5, 2.5)]) == NINE + 6 * HOUR


def test_behind_what_was_frozen_all_time_counts() -> None:
    assert TWO_DAYS.add(NINE, 20 * HOUR) == NINE + 36 * HOUR
    assert TWO_DAYS.next_change(NINE + 40 * HOUR) is None


def test_it_says_when_it_is_open_and_until_when() -> None:
    assert TWO_DAYS.is_open(NINE)
    assert not TWO_DAYS.is_open(NINE + 8 * HOUR)
    assert TWO_DAYS.next_change(NINE) == NINE + 8 * HOUR
    assert TWO_DAYS.next_change(NINE + 8 * HOUR) == NINE + 24 * HOUR
    assert TWO_DAYS.next_change(NINE - HOUR) == NINE


def test_without_a_calendar_time_is_just_time() -> None:
    assert ALWAYS.add(NINE, 5 * DAY) == NINE + 5 * DAY
    assert ALWAYS.add(NINE, HOUR, [between(0.5, 2)]) == NINE + 2.5 * HOUR
    assert ALWAYS.is_open(NINE)
    assert ALWAYS.next_change(NINE) is None


def test_a_pause_without_an_end_has_no_deadline_yet() -> None:
    assert ALWAYS.add(NINE, HOUR, [(NINE, LAST)]) == LAST


def test_it_survives_being_stored() -> None:
    adapter = TypeAdapter(OpenTime)
    for kept in (TWO_DAYS, ALWAYS):
        assert adapter.validate_json(adapter.dump_json(kept)) == kept


def test_nothing_is_taken_away() -> None:
    with pytest.raises(ValueError, match="not taken away"):
        TWO_DAYS.add(NINE, -HOUR)
    with pytest.raises(ValueError, match="later"):
        TWO_DAYS.between(NINE + HOUR, NINE)


def test_windows_that_touch_are_joined() -> None:
    assert list(joined([between(0, 1), between(1, 2), between(3, 4)])) == [between(0, 2), between(3, 4)]


HOURS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=6)


@given(opened=HOURS, paused=HOURS)
def test_pauses_take_out_exactly_what_they_cover(opened: list[tuple[int, int]], paused: list[tuple[int, int]]) -> None:
    windows = list(joined(sorted(between(start, start + length) for start, length in opened)))
    pauses = [between(start, start + length) for start, length in paused]
    left = list(without(windows, pauses))
    for number in range(100):
        at = NINE + (number + 0.5) * HOUR
        is_open = any(start <= at < end for start, end in windows)
        is_paused = any(start <= at < end for start, end in pauses)
        assert any(start <= at < end for start, end in left) == (is_open and not is_paused)
    assert left == sorted(left)


@given(opened=HOURS, paused=HOURS, start=st.integers(0, 60), target=st.integers(1, 40))
def test_a_deadline_less_open_time_is_the_target(
    opened: list[tuple[int, int]], paused: list[tuple[int, int]], start: int, target: int
) -> None:
    windows = tuple(joined(sorted(between(begin, begin + length) for begin, length in opened)))
    kept = OpenTime("c", 1, "", windows, windows[-1][1] if windows else NINE)
    pauses = [between(begin, begin + length) for begin, length in paused]
    at = NINE + start * HOUR
    due = kept.add(at, target * HOUR, pauses)
    assert kept.between(at, due, pauses) == target * HOUR
    assert overlap([(at, due)], at, due) >= target * HOUR
