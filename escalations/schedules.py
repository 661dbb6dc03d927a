"""On call: who it is at an instant, by rotations in layers and by overrides.

A later layer lies on top of the earlier ones and wins wherever it has somebody; an override wins over all layers.
Handoffs happen by the wall clock of the layer's zone: a shift over a change of the clocks is an hour shorter or
longer, and a handoff at a time that the clocks skip happens at the change. Who is on call depends on nothing but the
schedule and the instant.

Not for workflow code: time-zone data is not deterministic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from escalations.calendars import DAYS, Calendar
from escalations.feeds import Feed
from escalations.windows import Window
from escalations.zones import instant, to_utc, zone_of

SHORTEST_TURN = timedelta(hours=1)
"""Clocks skip an hour at most: a shorter turn could vanish at a change."""
LONGEST_TURN = timedelta(days=366)

People = tuple[str, ...]
"""Logins. Several are on call together; none means that nobody is."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One rotation: `members` take turns of `length`, in this order, over and over.

    The first turn begins at the first handoff (`handoff_at`, and on `weekday`, 0 is Monday, where one is given) on or
    after the local day `start`; before that the layer has nobody. A length of days counts by the wall clock, so a
    weekly turn is always handed on at the same time of day. Outside `restriction` the layer has nobody either.
    Raises ValueError for an unknown zone, no members, somebody twice in one turn, or a length out of bounds.
    """

    name: str
    zone: str
    members: tuple[People, ...]
    start: date
    handoff_at: time = time(9)
    weekday: int | None = None
    length: timedelta = timedelta(weeks=1)
    restriction: Calendar | None = None

    def __post_init__(self) -> None:
        zone_of(self.zone)
        if not self.members or not all(self.members):
            raise ValueError(f"the rotation {self.name!r} has a turn without anybody")
        for people in self.members:
            if len(set(people)) < len(people):
                raise ValueError(f"the rotation {self.name!r} names somebody twice in one turn: {', '.join(people)}")
        if not SHORTEST_TURN <= self.length <= LONGEST_TURN:
            raise ValueError(f"a turn of the rotation {self.name!r} must last an hour at least and a year at most")
        if self.weekday is not None and self.weekday not in range(7):
            raise ValueError(f"{self.weekday} is not a weekday; 0 is Monday, 6 is Sunday")
        if self.weekday is not None and self.length % timedelta(weeks=1):
            raise ValueError(
                f"the rotation {self.name!r} is handed on every {DAYS[self.weekday]}, so its length must be whole weeks"
            )

    @property
    def people(self) -> frozenset[str]:
        return frozenset(login for turn in self.members for login in turn)

    def handoff(self, turn: int) -> datetime:
        """When that turn begins, in UTC; the first is turn 0."""
        wait = 0 if self.weekday is None else (self.weekday - self.start.weekday()) % 7
        first = datetime.combine(self.start + timedelta(days=wait), self.handoff_at)
        return instant(zone_of(self.zone), first + turn * self.length)

    def turn(self, at: datetime) -> int:
        """Which turn it is at an instant; negative before the first."""
        zone = zone_of(self.zone)
        at = to_utc(at)
        since = at.astimezone(zone).replace(tzinfo=None) - self.handoff(0).astimezone(zone).replace(tzinfo=None)
        turn = since // self.length
        while self.handoff(turn) > at:
            turn -= 1
        while self.handoff(turn + 1) <= at:
            turn += 1
        return turn

    def on_call(self, at: datetime) -> People:
        turn = self.turn(at)
        if turn < 0 or (self.restriction is not None and not self.restriction.is_open(at)):
            return ()
        return self.members[turn % len(self.members)]

    def changes(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The instants between two others at which this layer may have somebody else."""
        turn = max(self.turn(start), -1) + 1
        while (at := self.handoff(turn)) < end:
            yield at
            turn += 1
        if self.restriction is not None:
            for window in self.restriction.windows(start, end):
                yield from window


@dataclass(frozen=True, slots=True)
class Override:
    """For a while other people, whoever the layers say. Raises ValueError without people or without a length."""

    start: datetime
    end: datetime
    people: People

    def __post_init__(self) -> None:
        if to_utc(self.end) <= to_utc(self.start):
            raise ValueError(f"the override from {self.start.isoformat()} ends before it begins")
        if not self.people:
            raise ValueError(f"the override from {self.start.isoformat()} names nobody")


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is on call from `start`, included, to `end`, excluded, in UTC. `source` names the layer, or is `override`."""

    start: datetime
    end: datetime
    people: People
    source: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule, of rotations or of one calendar. Raises ValueError when it has no layer, two layers share a name, two
    overrides overlap, or a layer could never have anybody, because one on top always does."""

    name: str
    layers: tuple[Layer | Feed, ...]
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError(f"the schedule {self.name!r} has no rotation, so nobody would ever be on call")
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rotations of the schedule {self.name!r} are named {name!r}")
        rotations = [layer for layer in self.layers if isinstance(layer, Layer)]
        for position, layer in enumerate(rotations):
            for above in rotations[position + 1 :]:
                if above.restriction is None and above.handoff(0) <= layer.handoff(0):
                    raise ValueError(
                        f"the rotations of the schedule {self.name!r} overlap: {above.name!r} always lies on top of"
                        f" {layer.name!r}, which never has anybody on call; restrict it or let it start later"
                    )
        for one, other in pairwise(sorted(self.overrides, key=lambda override: to_utc(override.start))):
            if to_utc(other.start) < to_utc(one.end):
                raise ValueError(f"two overrides of the schedule {self.name!r} overlap at {other.start.isoformat()}")

    def begins(self, now: datetime) -> datetime | None:
        """When the first of its rotations begins, where none does within a year; else None, as for a calendar."""
        first = min((layer.handoff(0) for layer in self.layers if isinstance(layer, Layer)), default=None)
        return first if first is not None and first > to_utc(now) + LONGEST_TURN else None

    @property
    def people(self) -> frozenset[str]:
        """Everybody whom it names, to be looked up in the directory."""
        people = [*(layer.people for layer in self.layers), *(override.people for override in self.overrides)]
        return frozenset(login for some in people for login in some)


def on_call(schedule: Schedule, at: datetime) -> People:
    """Who is on call at an instant; empty when nobody is. Raises ValueError for a time without a zone."""
    return _held(schedule, to_utc(at))[0]


def shifts(schedule: Schedule, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """Who is on call between two instants, in order, cut at both. Time when nobody is has no shift.

    Raises ValueError for a time without a zone.
    """
    start, end = to_utc(start), to_utc(end)
    found: list[Shift] = []
    for begin, close in pairwise(_edges(schedule, start, end)):
        people, source = _held(schedule, begin)
        if not people:
            continue
        last = found[-1] if found else None
        if last is not None and (last.end, last.people, last.source) == (begin, people, source):
            begin = found.pop().start
        found.append(Shift(begin, close, people, source))
    return tuple(found)


def gaps(schedule: Schedule, start: datetime, end: datetime) -> tuple[Window, ...]:
    """When nobody is on call between two instants, in order. Raises ValueError for a time without a zone."""
    start, end = to_utc(start), to_utc(end)
    found: list[Window] = []
    covered = start
    for shift in shifts(schedule, start, end):
        if covered < shift.start:
            found.append((covered, shift.start))
        covered = shift.end
    if covered < end:
        found.append((covered, end))
    return tuple(found)


def _held(schedule: Schedule, at: datetime) -> tuple[People, str]:
    for override in schedule.overrides:
        if to_utc(override.start) <= at < to_utc(override.end):
            return override.people, "override"
    for layer in reversed(schedule.layers):
        people = layer.on_call(at)
        if people:
            return people, layer.name
    return (), ""


def _edges(schedule: Schedule, start: datetime, end: datetime) -> Sequence[datetime]:
    """Every instant at which the answer may change, with both ends."""
    edges = {start, end} if start < end else set()
    for layer in schedule.layers:
        edges.update(at for at in layer.changes(start, end) if start < at < end)
    for override in schedule.overrides:
        edges.update(at for at in (to_utc(override.start), to_utc(override.end)) if start < at < end)
    return sorted(edges)
