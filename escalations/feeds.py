"""Who is on call by an iCalendar: whoever has a turn at that instant, of several turns that of the highest priority."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from escalations.ical import Entry, read_calendar


@dataclass(frozen=True, slots=True)
class Turn:
    """From `start`, included, to `end`, excluded, in UTC."""

    start: datetime
    end: datetime
    entry: Entry

    @property
    def people(self) -> tuple[str, ...]:
        return self.entry.people


@dataclass(frozen=True, slots=True)
class Feed:
    """A calendar as a layer of a schedule. Times without a zone are by `zone`. Raises ValueError as it is read."""

    text: str
    zone: str
    name: str = "ical"

    def __post_init__(self) -> None:
        read_calendar(self.text, self.zone)

    @property
    def people(self) -> frozenset[str]:
        return frozenset(login for _, login in self.named())

    def named(self) -> list[tuple[int, str]]:
        """Everybody whom it names, with the line of the first event that does."""
        found: dict[str, int] = {}
        for entry in read_calendar(self.text, self.zone):
            for login in entry.people:
                found.setdefault(login, entry.line)
        return [(line, login) for login, line in found.items()]

    def on_call(self, at: datetime) -> tuple[str, ...]:
        having = [turn for turn in _turns(self, at.year) if turn.start <= at < turn.end]
        highest = min((turn.entry.priority for turn in having), default=0)
        people = (login for turn in having if turn.entry.priority == highest for login in turn.people)
        return tuple(dict.fromkeys(people))

    def changes(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The instants between two others at which somebody else may be on call."""
        for turn in self.turns(start, end):
            yield turn.start
            yield turn.end

    def turns(self, start: datetime, end: datetime) -> list[Turn]:
        """Every turn that touches the time between two instants, in order."""
        years = range(start.year, end.year + 1)
        found = {turn: None for year in years for turn in _turns(self, year) if turn.start < end and turn.end > start}
        return sorted(found, key=lambda turn: (turn.start, turn.entry.line))

    def overlaps(self, start: datetime, end: datetime) -> Iterator[tuple[Turn, Turn]]:
        """Turns of one priority that two events give to different people at once: nobody could say who is on call."""
        by_priority: dict[int, list[Turn]] = {}
        for turn in self.turns(start, end):
            by_priority.setdefault(turn.entry.priority, []).append(turn)
        for turns in by_priority.values():
            last = turns[0]
            for turn in turns[1:]:
                if turn.start < last.end and set(turn.people) != set(last.people):
                    yield last, turn
                last = max(last, turn, key=lambda one: one.end)


@lru_cache(maxsize=64)
def _turns(feed: Feed, year: int) -> tuple[Turn, ...]:
    """Those that touch a year of UTC."""
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    entries = read_calendar(feed.text, feed.zone)
    found = [Turn(begin, close, entry) for entry in entries for begin, close in entry.between(start, end)]
    return tuple(sorted(found, key=lambda turn: (turn.start, turn.entry.line)))


A_YEAR = timedelta(days=366)


def feed_faults(feed: Feed, now: datetime) -> Iterator[str]:
    """What is wrong with it as it is to be used from now on."""
    now = now.astimezone(UTC)
    if not feed.turns(now, now + A_YEAR):
        yield "nobody is on call in this calendar from now on; export it anew"
    for one, other in feed.overlaps(now, now + A_YEAR):
        yield (
            f"lines {one.entry.line} and {other.entry.line} of this calendar overlap at"
            f" {other.start.isoformat(timespec='minutes')}: {', '.join(one.people)} and {', '.join(other.people)};"
            " give one a higher PRIORITY, or name both in one event"
        )
        return
