"""On-call schedules from iCalendar: who has a turn when, and what cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from escalations.directory import Directory
from escalations.feeds import Feed, feed_faults
from escalations.operations_settings import ScheduleSettings
from escalations.schedules import gaps, on_call, shifts
from escalations.settings import EscalationSettings
from escalations.settings_checks import contradictions

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)  # a Wednesday
PEOPLE = Directory(frozenset(), {login: login for login in ("ana", "ben", "cara", "ana@example.com")})


def calendar(*events: str) -> str:
    """A calendar of events that are written as lines with `|` between."""
    blocks = []
    for number, event in enumerate(events):
        lines = event.split("|") if "UID" in event else [f"UID:{number}", *event.split("|")]
        blocks.append("\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"]))
    body = "\n".join(blocks)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{body}\nEND:VCALENDAR\n"


def fortnightly(first: str, last: str, who: str) -> str:
    start, end = (f"TZID=Europe/Berlin:{day}T090000" for day in (first, last))
    return f"DTSTART;{start}|DTEND;{end}|RRULE:FREQ=WEEKLY;INTERVAL=2|SUMMARY:{who}"


ANA = fortnightly("20260302", "20260309", "ana")
BEN = fortnightly("20260309", "20260316", "ben")
DAILY = "DTSTART;TZID=Europe/Berlin:20260506T100000|DURATION:PT1H|RRULE:FREQ=DAILY"


def at(written: str, *events: str, zone: str = "Europe/Berlin") -> tuple[str, ...]:
    return on_call(ScheduleSettings(zone=zone, ical=calendar(*events)).schedule("s"), datetime.fromisoformat(written))


@pytest.mark.parametrize(
    ("when", "people"),
    [
        ("2026-03-02T07:59+00:00", ()),
        ("2026-03-02T08:00+00:00", ("ana",)),
        ("2026-03-09T07:59+00:00", ("ana",)),
        ("2026-03-09T08:00+00:00", ("ben",)),
        # Clocks go forward on 29 March: handed over at nine all the same, by the wall.
        ("2026-03-30T06:59+00:00", ("ben",)),
        ("2026-03-30T07:00+00:00", ("ana",)),
        ("2026-04-06T07:00+00:00", ("ben",)),
        ("2031-01-01T00:00+00:00", ("ana",)),
    ],
)
def test_turns_recur_by_the_wall_clock_of_their_zone(when: str, people: tuple[str, ...]) -> None:
    assert at(when, ANA, BEN) == people


def test_a_change_of_the_clocks_leaves_no_gap_and_no_overlap() -> None:
    schedule = ScheduleSettings(zone="UTC", ical=calendar(ANA, BEN)).schedule("s")
    start, end = datetime(2026, 3, 3, tzinfo=UTC), datetime(2027, 3, 3, tzinfo=UTC)
    assert gaps(schedule, start, end) == ()
    turns = shifts(schedule, start, end)
    assert {turn.source for turn in turns} == {"ical"}
    assert all(turn.start.hour in (7, 8) for turn in turns[1:])
    assert [turn.people for turn in turns] == [(("ana",), ("ben",))[number % 2] for number in range(len(turns))]
    assert list(Feed(calendar(ANA, BEN), "UTC").overlaps(start, end)) == []


@pytest.mark.parametrize(
    ("when", "event", "there"),
    [
        ("2026-05-05T22:00+00:00", "DTSTART;VALUE=DATE:20260506|SUMMARY:ana", True),
        ("2026-05-06T22:00+00:00", "DTSTART;VALUE=DATE:20260506|SUMMARY:ana", False),
        ("2026-05-06T08:00+00:00", "DTSTART:20260506T100000|DURATION:PT1H|SUMMARY:ana", True),
        ("2026-05-06T10:00+00:00", "DTSTART:20260506T100000Z|DURATION:PT1H|SUMMARY:ana", True),
        ("2026-05-06T08:00+00:00", "DTSTART:20260506T100000Z|DTEND:20260506T110000Z|SUMMARY:ana", False),
        ("2026-05-08T08:00+00:00", "DTSTART:20260506T100000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3|SUMMARY:ana", True),
        ("2026-05-09T08:00+00:00", "DTSTART:20260506T100000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3|SUMMARY:ana", False),
        ("2026-05-08T08:00+00:00", f"{DAILY};UNTIL=20260508T080000Z|SUMMARY:ana", True),
        ("2026-05-09T08:00+00:00", f"{DAILY};UNTIL=20260508T080000Z|SUMMARY:ana", False),
        ("2026-05-08T08:00+00:00", f"{DAILY};UNTIL=20260508|SUMMARY:ana", True),
        (
            "2026-05-07T08:00+00:00",
            "DTSTART:20260506T100000|DURATION:PT1H|RRULE:FREQ=DAILY|EXDATE:20260507T100000|SUMMARY:ana",
            False,
        ),
        ("2026-06-01T08:00+00:00", "DTSTART:20260506T100000|DURATION:PT1H|RDATE:20260601T100000|SUMMARY:ana", True),
        (
            "2026-05-13T08:00+00:00",
            "DTSTART:20260506T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY;BYDAY=WE,FR|SUMMARY:ana",
            True,
        ),
        ("2031-05-06T08:00+00:00", f"{DAILY};INTERVAL=3|SUMMARY:ana", False),
        ("2031-05-07T08:00+00:00", f"{DAILY};INTERVAL=3|SUMMARY:ana", True),
        ("2031-05-08T08:00+00:00", f"{DAILY};INTERVAL=3|SUMMARY:ana", False),
        ("2026-06-01T08:00+00:00", "DTSTART:20260501T100000|DURATION:PT1H|RRULE:FREQ=MONTHLY|SUMMARY:ana", True),
    ],
)
def test_what_calendars_can_say(when: str, event: str, there: bool) -> None:
    assert at(when, event) == (("ana",) if there else ())


def test_one_turn_of_a_series_may_be_somebody_else_s_or_nobody_s() -> None:
    daily = "UID:x|DTSTART:20260506T100000|DURATION:PT1H|RRULE:FREQ=DAILY|SUMMARY:ana"
    moved = "UID:x|RECURRENCE-ID:20260507T100000|DTSTART:20260507T120000|DURATION:PT1H|SUMMARY:ben"
    gone = "UID:x|RECURRENCE-ID:20260508T100000|DTSTART:20260508T100000|DURATION:PT1H|SUMMARY:ana|STATUS:CANCELLED"
    events = (daily, moved, gone)
    found = {hour: at(f"2026-05-{hour}:30+00:00", *events) for hour in ("06T08", "07T08", "07T10", "08T08", "09T08")}
    assert found == {"06T08": ("ana",), "07T08": (), "07T10": ("ben",), "08T08": (), "09T08": ("ana",)}


@pytest.mark.parametrize(
    ("who", "people"),
    [
        ("SUMMARY:ana", ("ana",)),
        ("SUMMARY:ana@example.com", ("ana@example.com",)),
        ("SUMMARY:ana\\, ben", ("ana", "ben")),
        ("SUMMARY:On call: legal|ATTENDEE;CN=Ana:mailto:ana@example.com", ("ana@example.com",)),
        (
            "SUMMARY:x|ATTENDEE:mailto:ana@example.com|ATTENDEE:MAILTO:ben@example.com",
            ("ana@example.com", "ben@example.com"),
        ),
    ],
)
def test_who_has_a_turn(who: str, people: tuple[str, ...]) -> None:
    assert at("2026-05-06T12:00+00:00", f"DTSTART;VALUE=DATE:20260506|{who}") == people


def test_the_highest_priority_is_on_call_and_an_override_before_all() -> None:
    usual = "DTSTART:20260501T000000Z|DURATION:P30D|SUMMARY:ana"
    cover = "DTSTART:20260506T000000Z|DURATION:P1D|PRIORITY:1|SUMMARY:ben"
    document = {
        "ical": calendar(usual, cover),
        "overrides": [{"from": "2026-05-06T13:00", "to": "2026-05-06T14:00", "people": "cara"}],
    }
    schedule = ScheduleSettings.model_validate(document).schedule("s")
    found = [on_call(schedule, NOW + timedelta(hours=hours)) for hours in (-24, 0, 1, 24)]
    assert found == [("ana",), ("ben",), ("cara",), ("ana",)]
    assert list(feed_faults(Feed(calendar(usual, cover), "UTC"), NOW)) == []


DAY = "DTSTART;VALUE=DATE:20260506|SUMMARY:ana"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no event"),
        ("hello", "not an iCalendar file"),
        (calendar(), "no event"),
        (calendar("DTSTART:20260506T100000|DURATION:PT1H"), "line 4 of this calendar: this event names nobody"),
        (calendar(DAY, "SUMMARY:ben"), "line 9 of this calendar:"),
        (calendar("DTSTART:20260506T100000|SUMMARY:ana"), "a turn ends after it begins"),
        (calendar("DTSTART:20260506T100000|DTEND:20260506T090000|SUMMARY:ana"), "a turn ends after it begins"),
        (calendar("DTSTART:20260506T100000|DURATION:P3Y|SUMMARY:ana"), "line 4"),
        (calendar("DTSTART:yesterday|SUMMARY:ana"), "line 4"),
        (calendar(f"{DAY}|RRULE:FREQ=SECONDLY"), "daily, weekly, monthly or yearly"),
        (calendar(f"{DAY}|RRULE:FREQ=DAILY;BYHOUR=1,2,3"), "without BYHOUR"),
        (calendar(f"{DAY}|RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "use MONTHLY or YEARLY"),
        (calendar(f"{DAY}|RRULE:FREQ=SOMETIMES"), "line 4"),
        (calendar(f"{DAY}|STATUS:CANCELLED"), "every event of this calendar is cancelled"),
        (calendar(f"{DAY}|RECURRENCE-ID;RANGE=THISANDFUTURE:20260506T000000"), "without RANGE"),
        (calendar(*[f"{DAY}|RRULE:FREQ=DAILY"] * 101), "more than 100 events that recur"),
        (calendar(f"{DAY}|RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU"), "never comes true"),
        (calendar(f"{DAY}|RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31"), "never comes true"),
        (calendar(f"{DAY}|RRULE:FREQ=DAILY;COUNT=1001"), "1000 at most"),
        (calendar(f"{DAY}|RRULE:FREQ=DAILY;INTERVAL=0"), "an INTERVAL is 1 or more"),
        (calendar(*[DAY] * 2001), "more than 2000 events"),
        ("x" * 300_000, "larger than|at most"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ScheduleSettings(ical=text)


def test_layers_and_a_calendar_do_not_go_together() -> None:
    layer = {"name": "week", "members": ["ana"], "start": "2026-01-05"}
    for document, told in (
        ({"ical": calendar(DAY), "layers": [layer]}, "not both"),
        ({}, "no rotation"),
        ({"ical": {"file": "legal.ics"}}, "write the calendar itself"),
    ):
        with pytest.raises(ValidationError, match=told):
            ScheduleSettings.model_validate(document)


def faults(*events: str) -> list[tuple[str, str]]:
    document: dict[str, Any] = {"schedules": {"legal": {"zone": "Europe/Berlin", "ical": calendar(*events)}}}
    found = contradictions(EscalationSettings.model_validate(document), PEOPLE, NOW)
    return [(".".join(str(part) for part in one.trail), one.message) for one in found]


def test_people_whom_nobody_knows_are_named_with_their_line() -> None:
    [(field, told)] = faults(ANA, BEN.replace("ben", "zoe"))
    assert field == "schedules.legal.ical"
    assert told.startswith("line 11 of this calendar: there is no active user 'zoe'; see `kt user list`")


def test_turns_of_two_people_at_once_are_refused_with_both_lines() -> None:
    [(field, told)] = faults(ANA, BEN, "DTSTART:20260601T120000|DURATION:PT1H|SUMMARY:cara")
    assert field == "schedules.legal.ical"
    assert "overlap at 2026-06-01T10:00+00:00" in told
    assert told.endswith("give one a higher PRIORITY, or name both in one event")


def test_a_calendar_that_is_over_is_refused() -> None:
    [(field, told)] = faults("DTSTART:20250506T100000Z|DURATION:PT1H|SUMMARY:ana")
    assert (field, told) == ("schedules.legal.ical", "nobody is on call in this calendar from now on; export it anew")


def test_a_calendar_is_kept_as_it_was_read() -> None:
    schedule = ScheduleSettings(zone="Europe/Berlin", ical=calendar(ANA, BEN).replace("\n", "\r\n"))
    kept = schedule.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert ScheduleSettings.model_validate(kept) == schedule
    assert on_call(schedule.schedule("s"), datetime(2026, 3, 5, tzinfo=UTC)) == ("ana",)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_stands_there_is_read_or_refused(data: st.DataObject) -> None:
    lines = calendar(ANA, f"{DAY}|RRULE:FREQ=MONTHLY;BYDAY=2TU/EXDATE:20260512").split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "cut", "junk"]))
        if change == "drop":
            del lines[number]
        elif change == "double":
            lines.insert(number, lines[number])
        elif change == "cut":
            lines[number] = lines[number][: data.draw(st.integers(0, len(lines[number])))]
        else:
            lines[number] += data.draw(st.text(max_size=8))
    try:
        schedule = ScheduleSettings(ical="\n".join(lines)).schedule("s")
    except ValidationError:
        return
    assert isinstance(on_call(schedule, NOW), tuple)
