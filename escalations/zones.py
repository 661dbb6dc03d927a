"""Wall clocks and UTC: what a clock on the wall of a zone shows, and when it first shows a given time.

Not for workflow code: time-zone data is not deterministic. In a gap (clocks go forward) the wall clock first shows
02:30 or later at the instant of the change; in a fold (clocks go back) it first shows 02:30 the first time round.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_STEP = timedelta(hours=6)
"""No zone changes its offset twice within so short a time."""
_SECOND = timedelta(seconds=1)
_LONGEST = timedelta(days=8)


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of that name. Raises ValueError, with a sentence for the person who wrote it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write for example Europe/Berlin") from None


def to_utc(at: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for a time without a zone: nobody knows which instant that is."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} names no instant without a time zone")
    return at.astimezone(UTC)


def offsets(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The time between two instants, cut where the zone's offset from UTC changes: (from, to, offset), in order.

    Those cuts are exact to the second; further ones keep every piece short, so that whoever needs the beginning of a
    century does not wait for its end. The first piece may begin within a second before `start`.
    """
    begin = at = start.replace(microsecond=0)
    offset = _offset(zone, at)
    while at < end:
        after = at + _STEP
        if _offset(zone, after) == offset:
            at = after
            if at - begin >= _LONGEST and at < end:
                yield begin, at, offset
                begin = at
            continue
        change = _first_change(zone, at, after)
        if change >= end:
            break
        yield begin, change, offset
        begin = at = change
        offset = _offset(zone, at)
    yield begin, end, offset


def instant(zone: ZoneInfo, wall: datetime) -> datetime:
    """The first instant, in UTC, at which the wall clock shows `wall` (a naive time) or, in a gap, has passed it."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _first_change(zone, before.replace(microsecond=0), first)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _first_change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Where the offset at `low` ends; at `high` it has ended."""
    offset = _offset(zone, low)
    while high - low > _SECOND:
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high
