"""Open time as plain instants in UTC, frozen when a case opens, and exact arithmetic on it.

No time zone and no holiday is looked up here, so a workflow may compute with it and replay years later: whatever
happens to calendars, to `tzdata` or to a country's holidays, the same case has the same deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Window = tuple[datetime, datetime]
"""From the first instant, included, to the second, excluded."""

LAST = datetime.max.replace(tzinfo=UTC)


def advance(windows: Iterable[Window], start: datetime, duration: timedelta) -> datetime | None:
    """The instant at which so much of the windows has passed since `start`; None when they end before that.

    A duration that is used up exactly at the end of a window ends there, not at the beginning of the next.
    Raises ValueError for a negative duration.
    """
    if duration < timedelta(0):
        raise ValueError("open time can only be added, not taken away")
    if not duration:
        return start
    for begin, end in windows:
        begin = max(begin, start)
        if begin >= end:
            continue
        if end - begin >= duration:
            return begin + duration
        duration -= end - begin
    return None


def overlap(windows: Iterable[Window], start: datetime, end: datetime) -> timedelta:
    """How much of the windows lies between two instants. Raises ValueError when they are in the wrong order."""
    if end < start:
        raise ValueError("the first instant must not be later than the second")
    total = timedelta(0)
    for begin, close in windows:
        if begin >= end:
            break
        total += max(min(close, end) - max(begin, start), timedelta(0))
    return total


def joined(windows: Iterable[Window]) -> Iterator[Window]:
    """Ordered windows with those that touch each other made one."""
    held: Window | None = None
    for window in windows:
        if held is None:
            held = window
        elif window[0] <= held[1]:
            held = held[0], max(held[1], window[1])
        else:
            yield held
            held = window
    if held is not None:
        yield held


def without(windows: Iterable[Window], pauses: Sequence[Window]) -> Iterator[Window]:
    """Ordered windows less the pauses, which may lie in any order and overlap."""
    stops = sorted(pauses)
    for begin, end in windows:
        for stop, resume in stops:
            if resume <= begin or stop >= end:
                continue
            if begin < stop:
                yield begin, stop
            begin = min(resume, end)
        if begin < end:
            yield begin, end


@dataclass(frozen=True, slots=True)
class OpenTime:
    """A calendar as one case keeps it: its open windows until `until`, in order.

    From `until` on all time counts as open, so that a deadline may at worst come too early and never gets lost.
    `calendar` and `settings_version` say which calendar of which settings it was, `source` by which data the
    zone and the holidays were read. Times are UTC.
    """

    calendar: str
    settings_version: int
    source: str
    windows: tuple[Window, ...]
    until: datetime

    def add(self, start: datetime, duration: timedelta, pauses: Sequence[Window] = ()) -> datetime:
        """`start` plus so much open time outside the pauses. Raises ValueError for a negative duration."""
        return advance(without(self._all(), pauses), start, duration) or LAST

    def between(self, start: datetime, end: datetime, pauses: Sequence[Window] = ()) -> timedelta:
        """The open time between two instants, outside the pauses. Raises ValueError in the wrong order."""
        return overlap(without(self._all(), pauses), start, end)

    def is_open(self, at: datetime) -> bool:
        return any(begin <= at < end for begin, end in self._all())

    def next_change(self, at: datetime) -> datetime | None:
        """When it next closes or opens behind `at`; None when it stays open for ever."""
        edges = (edge for window in joined(self._all()) for edge in window)
        return next((edge for edge in edges if at < edge < LAST), None)

    def _all(self) -> Iterator[Window]:
        yield from self.windows
        yield self.until, LAST


ALWAYS = OpenTime("", 0, "", (), datetime.min.replace(tzinfo=UTC))
"""Every day around the clock: what a case without a calendar is held to."""
