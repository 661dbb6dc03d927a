"""The settings of review operations: calendars, on-call schedules, how cases find their people.

    calendars:
      office:
        zone: Europe/Berlin
        hours: {mon-thu: ["09:00-12:30", "13:00-17:30"], fri: "09:00-15:00"}
        holidays: [DE-BY]
        closed: [2026-12-24]
    schedules:
      legal-on-call:
        zone: Europe/Berlin
        layers:
        - {name: week, members: [ana, ben, [cara, dan]], start: 2026-01-05, handoff: {weekday: mon, at: "09:00"}}
        - {name: night, members: [eve], start: 2026-01-05, length: daily, restrictions: {mon-sun: "22:00-06:00"}}
        overrides:
        - {from: "2026-12-24T09:00", to: "2026-12-27T09:00", people: [ben]}
    assignment:
      strategy: least_loaded
      max_open_per_reviewer: 5
      teams:
        legal: {strategy: round_robin, schedule: legal-on-call}

A schedule may have an `ical`, the text of an iCalendar, instead of its layers.

What makes no sense in itself is refused here; whether the people exist, and whether a calendar opens within the year,
is for `Schedule.people` and `Calendar.check_opens`, with the directory and the clock of the moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from escalations.assignment import Strategy
from escalations.calendars import DAY, DAYS, Calendar, Hours, weekly_hours
from escalations.feeds import Feed
from escalations.ical import LARGEST
from escalations.parts import Duration, Part, Zone, one_or_many
from escalations.schedules import Layer, Override, People, Schedule
from escalations.zones import instant, zone_of

_SHORT_DAYS = [name[:3].lower() for name in DAYS]
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|(24):(00)")


def _minutes(value: Any) -> int:
    """Minutes since midnight. YAML reads an unquoted 10:00 as sixty times ten, which is the very same number."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= DAY:
        return value
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a time of day; write it as 09:00")
    return int(found[1] or found[3]) * 60 + int(found[2] or found[4])


def read_weekdays(written: str) -> list[int]:
    """The weekdays, 0 is Monday, of `mon`, `Monday` or `mon-fri`, which may go over the end of the week.

    Raises ValueError for anything else.
    """
    first, _, last = written.partition("-")
    start, end = _weekday(first), _weekday(last or first)
    return [(start + day) % 7 for day in range((end - start) % 7 + 1)]


def _weekday(written: str) -> int:
    word = written.strip().lower()
    for number, name in enumerate(DAYS):
        if word in (_SHORT_DAYS[number], name.lower()):
            return number
    raise ValueError(f"{written!r} is not a weekday; write {', '.join(_SHORT_DAYS)}, or a range as mon-fri")


def _stretch(written: str) -> tuple[int, int]:
    start, dash, end = written.partition("-")
    if not dash:
        raise ValueError(f"{written!r} is not a stretch of the day; write it as 09:00-17:00")
    return _minutes(start), _minutes(end)


def read_hours(written: Mapping[str, tuple[str, ...]]) -> tuple[Hours, ...]:
    """A week's hours from their writing. Raises ValueError for an unknown day or time, overlaps, and no hour at all."""
    stretches: dict[int, list[tuple[int, int]]] = {}
    for days, hours in written.items():
        for day in read_weekdays(days):
            stretches.setdefault(day, []).extend(_stretch(stretch) for stretch in hours)
    return weekly_hours(stretches)


def _readable(written: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    read_hours(written)
    return written


WeeklyHours = Annotated[
    dict[str, Annotated[tuple[str, ...], BeforeValidator(one_or_many)]],
    AfterValidator(_readable),
]
"""Days or ranges of days, each with one or several stretches. One that ends before its start, as 22:00-06:00, goes
into the next day."""


def _norway(value: Any) -> Any:
    """YAML reads the country NO as false."""
    return "NO" if value is False else value


Place = Annotated[str, BeforeValidator(_norway), Field(pattern=r"^[A-Z]{2}(-\w{1,10})?$")]


class CalendarSettings(Part):
    """Business hours: a zone, the hours of a week, holidays of countries or their parts, further closed days."""

    zone: Zone = "UTC"
    hours: WeeklyHours
    holidays: Annotated[tuple[Place, ...], BeforeValidator(one_or_many)] = ()
    closed: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> CalendarSettings:
        self.calendar()
        return self

    def calendar(self) -> Calendar:
        return Calendar(self.zone, read_hours(self.hours), self.holidays, frozenset(self.closed))


Clock = Annotated[
    time,
    BeforeValidator(lambda value: value if isinstance(value, time) else _time(_minutes(value))),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str),
]


def _time(minutes: int) -> time:
    if minutes == DAY:
        raise ValueError("a handoff at the end of a day is one at 00:00 of the next")
    return time(minutes // 60, minutes % 60)


class Handoff(Part):
    """When turns are handed on: a time of day of the wall clock, and a weekday where a turn lasts whole weeks."""

    at: Clock = time(9)
    weekday: Annotated[str, AfterValidator(lambda value: _SHORT_DAYS[_weekday(value)])] | None = None


_NAMED = {"daily": timedelta(days=1), "weekly": timedelta(weeks=1)}

_FIRST, _LAST = 2, 9000


def _within_reach(value: date) -> date:
    """Far enough from both ends of what dates can be: a zone and a turn go beyond it."""
    if not _FIRST <= value.year <= _LAST:
        raise ValueError(f"the year {value.year} is out of reach; write one from {_FIRST} to {_LAST}")
    return value


Login = Annotated[str, Field(min_length=1, max_length=200)]
Turn = Annotated[tuple[Login, ...], BeforeValidator(one_or_many)]
"""One person, or a list of people who are on call together."""


class LayerSettings(Part):
    """One rotation. `length` is `daily`, `weekly` or a duration; `zone` is the schedule's unless it is given."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    members: tuple[Turn, ...]
    start: Annotated[date, AfterValidator(_within_reach)]
    handoff: Handoff = Handoff()
    length: Literal["daily", "weekly"] | Duration = "weekly"
    zone: Zone | None = None
    restrictions: WeeklyHours | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> LayerSettings:
        self.layer("UTC")
        return self

    def layer(self, zone: str) -> Layer:
        """Raises ValueError when the parts do not fit together."""
        zone = self.zone or zone
        length = self.length if isinstance(self.length, timedelta) else _NAMED[self.length]
        weekday = None if self.handoff.weekday is None else _weekday(self.handoff.weekday)
        restriction = None if self.restrictions is None else Calendar(zone, read_hours(self.restrictions))
        return Layer(self.name, zone, self.members, self.start, self.handoff.at, weekday, length, restriction)


class OverrideSettings(Part):
    """Other people for a while. Times without an offset are by the wall clock of the schedule's zone."""

    start: Annotated[datetime, AfterValidator(_within_reach), Field(alias="from")]
    end: Annotated[datetime, AfterValidator(_within_reach), Field(alias="to")]
    people: Annotated[People, BeforeValidator(one_or_many)]

    @model_validator(mode="after")
    def _makes_sense(self) -> OverrideSettings:
        self.override("UTC")
        return self

    def override(self, zone: str) -> Override:
        return Override(_instant(zone, self.start), _instant(zone, self.end), self.people)


def _instant(zone: str, written: datetime) -> datetime:
    return instant(zone_of(zone), written) if written.tzinfo is None else written.astimezone(UTC)


def _text(value: Any) -> Any:
    if isinstance(value, dict):
        raise ValueError("write the calendar itself; {file: NAME} and {url: ADDRESS} are for kt, which reads them")
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


class ScheduleSettings(Part):
    """Who is on call: rotations, of which a later one lies on top of the earlier, or an iCalendar (`ical`, its text);
    and overrides on top of all."""

    zone: Zone = "UTC"
    layers: tuple[LayerSettings, ...] = ()
    ical: Annotated[str, BeforeValidator(_text), Field(max_length=LARGEST)] | None = None
    overrides: tuple[OverrideSettings, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> ScheduleSettings:
        if self.ical is not None and self.layers:
            raise ValueError("a schedule has layers or an ical, not both")
        self.schedule("this one")
        return self

    @property
    def feed(self) -> Feed | None:
        return None if self.ical is None else Feed(self.ical, self.zone)

    def schedule(self, name: str) -> Schedule:
        layers: tuple[Layer | Feed, ...] = tuple(layer.layer(self.zone) for layer in self.layers)
        layers = layers if self.feed is None else (self.feed,)
        return Schedule(name, layers, tuple(override.override(self.zone) for override in self.overrides))


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,99}$")]


class TeamAssignment(Part):
    """How the cases of a team find their people. `queue`: reviewers take what they like.

    Nobody holds more than `max_open_per_reviewer` cases by it, of all teams together; what they claim themselves
    counts. With a `schedule`, only those get cases who are on call in it. Whoever went off shift gets none.
    """

    strategy: Strategy = Strategy.QUEUE
    max_open_per_reviewer: Annotated[int, Field(ge=1, le=1000)] | None = None
    schedule: Name | None = None


class AssignmentSettings(TeamAssignment):
    """The same for all teams, and for some of them what stands under their name instead."""

    teams: dict[str, TeamAssignment] = Field(default_factory=dict)

    def of(self, team: str) -> TeamAssignment:
        return self.teams.get(team, self)

    @property
    def used(self) -> bool:
        """Whether any team's cases are given out."""
        return any(one.strategy is not Strategy.QUEUE for one in (self, *self.teams.values()))


Calendars = dict[Name, CalendarSettings]
Schedules = dict[Name, ScheduleSettings]
