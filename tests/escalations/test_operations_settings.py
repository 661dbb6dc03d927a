"""Calendars and schedules as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import yaml
from pydantic import Field, ValidationError

from escalations import operations_settings
from escalations.assignment import Strategy
from escalations.operations_settings import AssignmentSettings, Calendars, CalendarSettings, Schedules, ScheduleSettings
from escalations.parts import Part
from escalations.schedules import on_call


class Document(Part):
    calendars: Calendars = Field(default_factory=dict)
    schedules: Schedules = Field(default_factory=dict)
    assignment: AssignmentSettings = AssignmentSettings()


def example() -> dict[str, Any]:
    """The one that the module's docstring shows."""
    lines = (operations_settings.__doc__ or "").splitlines()
    written = yaml.safe_load("\n".join(line for line in lines if line.startswith("    ")))
    assert isinstance(written, dict)
    return written


def test_the_documented_example_means_what_it_says() -> None:
    document = Document.model_validate(example())
    office = document.calendars["office"].calendar()
    assert office.hours[4] == ((9 * 60, 15 * 60),)
    assert office.hours[0] == ((9 * 60, 12 * 60 + 30), (13 * 60, 17 * 60 + 30))
    assert office.closed_by(date(2026, 12, 24)) == "closed day"
    schedule = document.schedules["legal-on-call"].schedule("legal-on-call")
    assert on_call(schedule, datetime(2026, 1, 6, 12, tzinfo=UTC)) == ("ana",)
    assert on_call(schedule, datetime(2026, 1, 20, 12, tzinfo=UTC)) == ("cara", "dan")
    assert on_call(schedule, datetime(2026, 1, 6, 22, tzinfo=UTC)) == ("eve",)
    # 09:00 in Berlin.
    assert on_call(schedule, datetime(2026, 12, 24, 8, tzinfo=UTC)) == ("ben",)
    assert document.assignment.of("hiring").max_open_per_reviewer == 5
    assert document.assignment.of("hiring").strategy is Strategy.LEAST_LOADED
    assert document.assignment.of("legal").strategy is Strategy.ROUND_ROBIN
    assert document.assignment.of("legal").schedule == "legal-on-call"


def test_settings_survive_being_stored() -> None:
    document = Document.model_validate(example())
    stored = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    again = Document.model_validate(stored)
    assert again == document
    assert again.schedules["legal-on-call"].schedule("s") == document.schedules["legal-on-call"].schedule("s")


@pytest.mark.parametrize(
    ("written", "minutes"), [("at: 09:00", 540), ("at: 10:00", 600), ('at: "9:05"', 545), ("at: 00:00", 0)]
)
def test_a_time_of_day_may_stand_without_quotes(written: str, minutes: int) -> None:
    handoff = operations_settings.Handoff.model_validate(yaml.safe_load(written))
    assert handoff.at == time(minutes // 60, minutes % 60)


def test_norway_has_holidays() -> None:
    written = yaml.safe_load("{hours: {mon-fri: 09:00-17:00}, holidays: [NO]}")
    calendar = CalendarSettings.model_validate(written).calendar()
    assert calendar.closed_by(date(2026, 5, 17)) == "NO: Constitution Day"


@pytest.mark.parametrize(
    ("length", "expected"),
    [("daily", timedelta(days=1)), ("weekly", timedelta(weeks=1)), ("12h", timedelta(hours=12)), ("2w", timedelta(14))],
)
def test_a_turn_is_as_long_as_written(length: str, expected: timedelta) -> None:
    written = {"layers": [{"name": "a", "members": ["ana"], "start": "2026-01-05", "length": length}]}
    assert ScheduleSettings.model_validate(written).schedule("s").layers[0].length == expected


LAYER = {"name": "a", "members": ["ana"], "start": "2026-01-05"}


@pytest.mark.parametrize(
    ("document", "place", "problem"),
    [
        ({"calendars": {"c": {"hours": {}}}}, ("calendars", "c", "hours"), "no open hour"),
        ({"calendars": {"c": {"hours": {"mon": "9-5"}}}}, ("calendars", "c", "hours"), "time of day"),
        ({"calendars": {"c": {"hours": {"mon": "09:00"}}}}, ("calendars", "c", "hours"), "stretch"),
        (
            {"calendars": {"c": {"hours": {"mon": ["09:00-12:00", "11:00-13:00"]}}}},
            ("calendars", "c", "hours"),
            "overlap",
        ),
        ({"calendars": {"c": {"zone": "Europe", "hours": {"mon": "09:00-17:00"}}}}, ("calendars", "c", "zone"), "zone"),
        (
            {"calendars": {"c": {"hours": {"mon": "09:00-17:00"}, "holidays": ["DE-ZZ"]}}},
            ("calendars", "c"),
            "known holidays",
        ),
        ({"calendars": {"c d": {"hours": {"mon": "09:00-17:00"}}}}, ("calendars", "c d", "[key]"), "match"),
        ({"calendars": {"c": {"hours": {"mon": "09:00-17:00"}, "open": 1}}}, ("calendars", "c", "open"), "Extra"),
        ({"schedules": {"s": {"layers": []}}}, ("schedules", "s"), "no rotation"),
        (
            {"schedules": {"s": {"layers": [LAYER, {**LAYER, "members": []}]}}},
            ("schedules", "s", "layers", 1),
            "without anybody",
        ),
        (
            {"schedules": {"s": {"layers": [{**LAYER, "handoff": {"weekday": "noday"}}]}}},
            ("schedules", "s", "layers", 0, "handoff", "weekday"),
            "not a weekday",
        ),
        (
            {"schedules": {"s": {"layers": [{**LAYER, "handoff": {"at": "24:00"}}]}}},
            ("schedules", "s", "layers", 0, "handoff", "at"),
            "00:00 of the next",
        ),
        (
            {"schedules": {"s": {"layers": [{**LAYER, "length": "daily", "handoff": {"weekday": "mon"}}]}}},
            ("schedules", "s", "layers", 0),
            "whole weeks",
        ),
        ({"schedules": {"s": {"layers": [LAYER, {**LAYER, "name": "b"}]}}}, ("schedules", "s"), "overlap"),
        (
            {
                "schedules": {
                    "s": {
                        "layers": [LAYER],
                        "overrides": [{"from": "2026-01-06T09:00", "to": "2026-01-06T09:00", "people": "ben"}],
                    }
                }
            },
            ("schedules", "s", "overrides", 0),
            "ends before",
        ),
        *(
            (
                {"schedules": {"s": {"layers": [{**LAYER, "start": start}]}}},
                ("schedules", "s", "layers", 0, "start"),
                "out of reach",
            )
            for start in ("9999-12-31", "0001-01-01")
        ),
        (
            {
                "schedules": {
                    "s": {
                        "layers": [LAYER],
                        "overrides": [{"from": "2026-01-06T09:00", "to": "9999-12-31T23:59", "people": "ben"}],
                    }
                }
            },
            ("schedules", "s", "overrides", 0, "to"),
            "out of reach",
        ),
        ({"assignment": {"max_open_per_reviewer": 0}}, ("assignment", "max_open_per_reviewer"), "greater than"),
        ({"assignment": {"strategy": "random"}}, ("assignment", "strategy"), "queue"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(
    document: dict[str, Any], place: tuple[str | int, ...], problem: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Document.model_validate(document)
    errors = refused.value.errors()
    assert [error["loc"] for error in errors] == [place]
    assert problem in errors[0]["msg"]
