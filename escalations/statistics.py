"""How reviewing goes, in numbers, by definitions that are written down.

An item counts in the window (start included, end excluded) in which the thing that is counted happened. It meets its
SLA when it is resolved before it is breached; a breach counts once, at the deadline, even if the item is resolved
later or not at all. Without anything to count there is no number: None, shown as `no data`, never 0 % or 100 %.
Times are seconds of the wall clock, also under business hours and pauses: it is how long the consumer waited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import sqrt

from escalations.severity import Severity
from escalations.windows import Window

NO_DATA = "no data"
SMALLEST_ARROW = 1.0
"""A trend of fewer percentage points is noise to the eye."""
SMALLEST_SAMPLE = 20
_Z = 1.959964
"""Of the normal distribution, for an interval of 95 %."""

AGES = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=24), timedelta(days=3))


@dataclass(frozen=True, slots=True)
class Item:
    """What is counted of one case. `breached_at` is its deadline, where it passed undecided.

    `first_claimed_at` is the first claim by the reviewer's own hand, whatever came after it; `last_claimed_at` the
    claim, or assignment, under which it was resolved. `assigned` says that it was given to a person before anybody had
    claimed it: such cases have no time to claim, but one to `first_viewed_at`.
    """

    created_at: datetime
    severity: Severity
    resolved_at: datetime | None = None
    breached_at: datetime | None = None
    first_claimed_at: datetime | None = None
    last_claimed_at: datetime | None = None
    first_viewed_at: datetime | None = None
    assigned: bool = False


@dataclass(frozen=True, slots=True)
class Compliance:
    """Outcomes of a window: how many met their SLA, how many breached it."""

    met: int
    breached: int

    @property
    def counted(self) -> int:
        return self.met + self.breached

    @property
    def rate(self) -> float | None:
        """met / (met + breached), from 0 to 1; None when nothing was counted."""
        return self.met / self.counted if self.counted else None

    @property
    def breach_rate(self) -> float | None:
        return self.breached / self.counted if self.counted else None


def compliance(items: Iterable[Item], window: Window) -> Compliance:
    """Running items that have not breached are not counted, nor are those that expired or were withdrawn before."""
    met = breached = 0
    for item in items:
        if item.breached_at is not None:
            breached += _within(item.breached_at, window)
        elif item.resolved_at is not None:
            met += _within(item.resolved_at, window)
    return Compliance(met, breached)


@dataclass(frozen=True, slots=True)
class Trend:
    """The breach rate against that of the window of equal length before. `points` are percentage points, more is
    worse; None when either window is empty. `arrow` says whether the difference is worth one."""

    now: Compliance
    before: Compliance
    points: float | None
    arrow: bool


def breach_trend(items: Sequence[Item], window: Window) -> Trend:
    """An arrow needs a point at least and twenty counted items in either window, or else an interval of 95 % around
    the difference that does not hold zero."""
    start, end = window
    now, before = compliance(items, window), compliance(items, (start - (end - start), start))
    if now.breach_rate is None or before.breach_rate is None:
        return Trend(now, before, None, False)
    points = 100 * (now.breach_rate - before.breach_rate)
    enough = min(now.counted, before.counted) >= SMALLEST_SAMPLE and abs(points) >= SMALLEST_ARROW
    return Trend(now, before, points, enough or _differ(now, before))


def breach_series(items: Sequence[Item], window: Window, buckets: int) -> tuple[tuple[Window, Compliance], ...]:
    """The window cut into equal buckets, oldest first. Raises ValueError for fewer than one."""
    if buckets < 1:
        raise ValueError("a series has at least one bucket")
    start, end = window
    cuts = [start + (end - start) * number / buckets for number in range(buckets)] + [end]
    return tuple((bucket, compliance(items, bucket)) for bucket in pairwise(cuts))


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The Wilson score interval of 95 % for a share, both ends from 0 to 1. Raises ValueError for an empty sample.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209.
    """
    if of < 1:
        raise ValueError("an empty sample has no interval")
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def _differ(now: Compliance, before: Compliance) -> bool:
    """Whether the interval of the difference of two shares does not hold zero.

    Method 10 of R. G. Newcombe, Statistics in Medicine 17 (1998), 873, made of two Wilson intervals.
    """
    one, other = now.breached / now.counted, before.breached / before.counted
    (low, high), (low_before, high_before) = wilson(now.breached, now.counted), wilson(before.breached, before.counted)
    down = sqrt((one - low) ** 2 + (high_before - other) ** 2)
    up = sqrt((high - one) ** 2 + (other - low_before) ** 2)
    return not one - other - down <= 0 <= one - other + up


@dataclass(frozen=True, slots=True)
class Durations:
    """Lengths in seconds: how many, their mean, the median and the 90th percentile."""

    count: int
    mean: float
    p50: float
    p90: float


def durations(seconds: Iterable[float]) -> Durations | None:
    """None when there are none."""
    values = sorted(seconds)
    if not values:
        return None
    return Durations(len(values), sum(values) / len(values), percentile(values, 0.5), percentile(values, 0.9))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Between the two nearest values by linear interpolation, as `percentile_cont` of SQL does.

    Raises ValueError without values, or for a share outside 0 to 1.
    """
    if not ordered or not 0 <= share <= 1:
        raise ValueError("a percentile needs values and a share from 0 to 1")
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def time_to_acknowledge(items: Iterable[Item], window: Window) -> Durations | None:
    """MTTA: from creation to the first claim, of items first claimed in the window. Without assigned ones."""
    return _spans(items, window, lambda item: (item.created_at, None if item.assigned else item.first_claimed_at))


def time_to_first_view(items: Iterable[Item], window: Window) -> Durations | None:
    """What assigned items have instead: from creation until anybody who may review them first opened them."""
    return _spans(items, window, lambda item: (item.created_at, item.first_viewed_at if item.assigned else None))


def time_to_resolve(items: Iterable[Item], window: Window, severity: Severity | None = None) -> Durations | None:
    """MTTR: from creation to resolution, of items resolved in the window, of one severity or of all."""
    chosen = (item for item in items if severity is None or item.severity is severity)
    return _spans(chosen, window, lambda item: (item.created_at, item.resolved_at))


def handle_time(items: Iterable[Item], window: Window) -> Durations | None:
    """From the last claim to the resolution, of items resolved in the window."""
    return _spans(items, window, lambda item: (item.last_claimed_at, item.resolved_at))


def _spans(
    items: Iterable[Item],
    window: Window,
    ends: Callable[[Item], tuple[datetime | None, datetime | None]],
) -> Durations | None:
    spans = (ends(item) for item in items)
    return durations(
        (end - start).total_seconds()
        for start, end in spans
        if start is not None and end is not None and _within(end, window)
    )


@dataclass(frozen=True, slots=True)
class AgeBucket:
    """Open items at least `start` old and younger than `end`; None for any age beyond."""

    start: timedelta
    end: timedelta | None
    count: int


def aging(created: Iterable[datetime], now: datetime, edges: Sequence[timedelta] = AGES) -> tuple[AgeBucket, ...]:
    """How old the open items are. `edges` ascend; the first bucket begins at zero, the last has no end."""
    starts = [timedelta(0), *edges]
    counts = [0] * len(starts)
    for at in created:
        age = max(now - at, timedelta(0))
        counts[max(place for place, start in enumerate(starts) if start <= age)] += 1
    return tuple(AgeBucket(*bucket) for bucket in zip(starts, [*edges, None], counts, strict=True))


def cohens_kappa(pairs: Iterable[tuple[str, str]]) -> float | None:
    """How far two reviewers of the same items agree beyond chance: 1 always, 0 as chance would, negative less.

    None without pairs, and where both always said one and the same: chance then explains everything.
    J. Cohen, Educational and Psychological Measurement 20 (1960), 37.
    """
    both = list(pairs)
    if not both:
        return None
    first, second = Counter(one for one, _ in both), Counter(other for _, other in both)
    # In whole numbers until the end: a rounded chance of nearly 1 would be divided by.
    agreed = sum(one == other for one, other in both) * len(both)
    by_chance = sum(count * second[label] for label, count in first.items())
    most = len(both) ** 2
    return None if by_chance == most else (agreed - by_chance) / (most - by_chance)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two decisions of the same items compare: how many items, in how many both said the same, beyond chance."""

    count: int
    agreed: int
    kappa: float | None

    @property
    def rate(self) -> float | None:
        """From 0 to 1; None without items."""
        return self.agreed / self.count if self.count else None


def agreement(pairs: Iterable[tuple[str, str]]) -> Agreement:
    both = list(pairs)
    return Agreement(len(both), sum(one == other for one, other in both), cohens_kappa(both))


def show_rate(rate: float | None) -> str:
    """`97.3 %`, or `no data`. Rounded down, so that 100 % means all of them."""
    return NO_DATA if rate is None else f"{int(rate * 1000 + 1e-9) / 10:.1f} %"


def show_trend(points: float | None, arrow: bool) -> str:
    """`↑ +5.0 pp`, or `no data`."""
    if points is None:
        return NO_DATA
    direction = ("↑ " if points > 0 else "↓ ") if arrow else ""
    return f"{direction}{points:+.1f} pp"


def show_length(seconds: float) -> str:
    """`1d4h`, `2h05m`, `3m10s`, `12s`: two units at most."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600}h"


def _within(at: datetime, window: Window) -> bool:
    return window[0] <= at < window[1]
