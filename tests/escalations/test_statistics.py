"""The definitions behind the numbers."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalations.severity import Severity
from escalations.statistics import (
    Compliance,
    Durations,
    Item,
    aging,
    breach_series,
    breach_trend,
    cohens_kappa,
    compliance,
    durations,
    handle_time,
    percentile,
    show_rate,
    time_to_acknowledge,
    time_to_first_view,
    time_to_resolve,
    wilson,
)

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
START = datetime(2026, 6, 1, tzinfo=UTC)
TODAY = (START, START + DAY)


def met(after: timedelta = HOUR, severity: Severity = Severity.HIGH) -> Item:
    return Item(START, severity, resolved_at=START + after)


def breached(after: timedelta = HOUR, resolved: timedelta | None = None) -> Item:
    return Item(START, Severity.HIGH, START + resolved if resolved else None, START + after)


def test_compliance_is_met_of_met_and_breached() -> None:
    counted = compliance([met(), met(), met(), breached(), Item(START, Severity.LOW)], TODAY)
    assert (counted, counted.rate, counted.breach_rate) == (Compliance(3, 1), 0.75, 0.25)


def test_nothing_counted_is_no_data() -> None:
    counted = compliance([Item(START, Severity.LOW)], TODAY)
    assert (counted.rate, counted.breach_rate, show_rate(counted.rate)) == (None, None, "no data")


def test_a_breach_counts_once_at_its_deadline_even_when_resolved_later() -> None:
    late = breached(after=HOUR, resolved=2 * DAY)
    assert compliance([late], TODAY) == Compliance(0, 1)
    assert compliance([late], (START + DAY, START + 3 * DAY)) == Compliance(0, 0)


def test_a_window_has_its_start_and_not_its_end() -> None:
    assert compliance([met(timedelta(0)), met(DAY)], TODAY) == Compliance(1, 0)


@pytest.mark.parametrize(
    ("rate", "shown"), [(1.0, "100.0 %"), (0.9999, "99.9 %"), (0.973, "97.3 %"), (0.0, "0.0 %"), (0.29, "29.0 %")]
)
def test_a_hundred_percent_means_all(rate: float, shown: str) -> None:
    assert show_rate(rate) == shown


def days(before: tuple[int, int], now: tuple[int, int]) -> list[Item]:
    """Items of yesterday and of today: so many met, so many breached."""
    yesterday = [met(-HOUR)] * before[0] + [breached(-HOUR)] * before[1]
    return yesterday + [met()] * now[0] + [breached()] * now[1]


@pytest.mark.parametrize(
    ("before", "now", "points", "arrow"),
    [
        ((90, 10), (85, 15), 5.0, True),
        ((995, 5), (991, 9), 0.4, False),
        ((9, 1), (8, 2), 10.0, False),
        ((10, 0), (0, 10), 100.0, True),
        ((19, 1), (20, 0), -5.0, True),
        ((18, 1), (19, 0), -100 / 19, False),
        ((10, 10), (10, 10), 0.0, False),
    ],
)
def test_a_trend_is_in_percentage_points(
    before: tuple[int, int], now: tuple[int, int], points: float, arrow: bool
) -> None:
    trend = breach_trend(days(before, now), TODAY)
    assert trend.points == pytest.approx(points)
    assert trend.arrow is arrow


@pytest.mark.parametrize(("before", "now"), [((0, 0), (5, 5)), ((5, 5), (0, 0)), ((0, 0), (0, 0))])
def test_a_trend_needs_something_on_both_sides(before: tuple[int, int], now: tuple[int, int]) -> None:
    trend = breach_trend(days(before, now), TODAY)
    assert (trend.points, trend.arrow) == (None, False)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 86399)), max_size=40), st.integers(1, 30))
def test_a_series_loses_nothing(outcomes: list[tuple[bool, int]], buckets: int) -> None:
    items = [(met if good else breached)(timedelta(seconds=at)) for good, at in outcomes]
    series = breach_series(items, TODAY, buckets)
    assert len(series) == buckets
    assert (series[0][0][0], series[-1][0][1]) == TODAY
    whole = compliance(items, TODAY)
    assert sum(one.met for _, one in series) == whole.met
    assert sum(one.breached for _, one in series) == whole.breached


def test_a_series_has_a_bucket() -> None:
    with pytest.raises(ValueError, match="at least one"):
        breach_series([], TODAY, 0)


def test_wilson_is_as_published() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    with pytest.raises(ValueError, match="empty"):
        wilson(0, 0)


def test_time_to_acknowledge_is_to_the_first_claim_by_ones_own_hand() -> None:
    items = [
        Item(START, Severity.HIGH, first_claimed_at=START + HOUR, last_claimed_at=START + 3 * HOUR),
        Item(START, Severity.HIGH, first_claimed_at=START + 3 * HOUR),
        Item(START, Severity.HIGH, first_claimed_at=START + 9 * HOUR, assigned=True, first_viewed_at=START + HOUR / 2),
        Item(START, Severity.HIGH),
    ]
    found = time_to_acknowledge(items, TODAY)
    assert found is not None
    assert (found.count, found.mean) == (2, 7200.0)
    assert time_to_first_view(items, TODAY) == Durations(1, 1800.0, 1800.0, 1800.0)


def test_time_to_resolve_is_by_severity_and_shows_its_tail() -> None:
    items = [met(HOUR * number) for number in range(1, 12)] + [met(20 * HOUR, Severity.CRITICAL)]
    assert time_to_resolve(items, TODAY, Severity.HIGH) == Durations(11, 6 * 3600, 6 * 3600, 10 * 3600)
    assert time_to_resolve(items, TODAY, Severity.LOW) is None
    everything = time_to_resolve(items, TODAY)
    assert everything is not None
    assert everything.count == 12


def test_handle_time_is_from_the_last_claim() -> None:
    item = Item(START, Severity.HIGH, START + 3 * HOUR, first_claimed_at=START, last_claimed_at=START + 2 * HOUR)
    found = handle_time([item, met()], TODAY)
    assert found is not None
    assert (found.count, found.mean) == (1, 3600.0)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=60))
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    found = durations(values)
    assert found is not None
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    assert found.p50 == pytest.approx(statistics.median(values))
    assert found.p90 == pytest.approx(tenths[8])
    assert found.mean == pytest.approx(statistics.fmean(values))


def test_a_percentile_of_nothing_is_refused() -> None:
    assert durations([]) is None
    with pytest.raises(ValueError, match="needs values"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="needs values"):
        percentile([1.0], 1.1)


def test_open_items_are_counted_by_age() -> None:
    ages = [timedelta(minutes=14), timedelta(minutes=15), 5 * HOUR, 4 * DAY, -HOUR]
    buckets = aging([START - age for age in ages], START)
    assert [bucket.count for bucket in buckets] == [2, 1, 0, 1, 0, 1]
    assert (buckets[0].start, buckets[0].end, buckets[-1].end) == (timedelta(0), timedelta(minutes=15), None)
    assert [bucket.count for bucket in aging([], START)] == [0] * 6


def test_kappa_is_as_published() -> None:
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    assert cohens_kappa(pairs) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        ([], None),
        ([("allow", "allow")] * 9, None),
        ([("allow", "allow"), ("block", "block")], 1.0),
        ([("allow", "block"), ("block", "allow")], -1.0),
        ([("allow", "allow"), ("allow", "block"), ("block", "allow"), ("block", "block")], 0.0),
        ([("allow", "block")] * 3, 0.0),
    ],
)
def test_kappa_at_its_ends(pairs: list[tuple[str, str]], kappa: float | None) -> None:
    assert cohens_kappa(pairs) == kappa


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=50))
def test_kappa_does_not_care_who_is_first(pairs: list[tuple[str, str]]) -> None:
    kappa = cohens_kappa(pairs)
    turned = cohens_kappa([(other, one) for one, other in pairs])
    assert kappa == turned
    assert kappa is None or -1 <= kappa <= 1
