"""On-call schedules that another tool keeps, in the running product."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.stack import Stack

SETTINGS = """{before}
schedules:
  exported:
    zone: Europe/Berlin
    ical: {{file: exported.ics}}
"""


def calendar(*people: str) -> str:
    """Each has a week from Monday at nine, in turn."""
    events = "".join(
        f"BEGIN:VEVENT\r\nUID:{number}\r\nDTSTART:202601{5 + 7 * number:02}T090000\r\nDURATION:P7D\r\n"
        f"RRULE:FREQ=WEEKLY;INTERVAL={len(people)}\r\nSUMMARY:{person}\r\nEND:VEVENT\r\n"
        for number, person in enumerate(people)
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//other//EN\r\n{events}END:VCALENDAR\r\n"


def write(stack: Stack, directory: Path, *people: str) -> Path:
    """The settings in force, with a schedule whose calendar is a file beside them."""
    before = stack.api("admin").get("/v1/settings").json()["settings"]
    before["escalation_routing"] = {
        "rules": [
            {"name": "exported", "match": {"policy_rule": "exported"}, "route_to": "schedule:exported"},
            {"name": "else", "match": {"any": True}, "route_to": "team:default-reviewers"},
        ]
    }
    before.pop("schedules", None)
    (directory / "exported.ics").write_text(calendar(*people), newline="")
    lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in before.items())
    file = directory / "settings.yaml"
    file.write_text(SETTINGS.format(before=lines))
    return file


def test_a_calendar_says_who_is_on_call_and_routes_to_them(stack: Stack, tmp_path: Path) -> None:
    file = write(stack, tmp_path, "reviewer@example.com", "senior")
    with stack.settings():
        stack.kt("settings", "apply", "--file", str(file), who="admin")
        monday = "2026-11-16T09:00"
        shown = json.loads(stack.kt("schedule", "show", "exported", "--at", monday, "--days", "14", "--json"))
        [schedule] = shown["schedules"]
        turns = [(shift["people"], shift["from"][:16], shift["source"]) for shift in schedule["shifts"]]
        assert turns == [
            (["senior"], "2026-11-16T08:00", "ical"),
            (["reviewer@example.com"], "2026-11-23T08:00", "ical"),
        ]
        assert schedule["gaps"] == []
        assert "senior" in stack.kt("schedule", "who", "exported", "--at", "2026-11-22T22:00")
        assert "reviewer@example.com" in stack.kt("schedule", "who", "--at", "2026-11-23T09:00")
        held = stack.create(policy_rule="exported")
        assert held["assignee"] in ("reviewer", "senior")


def test_people_and_turns_that_make_no_sense_are_refused_with_file_line_and_field(stack: Stack, tmp_path: Path) -> None:
    file = write(stack, tmp_path, "senior", "nobody-known")
    line = file.read_text().split("\n").index("    ical: {file: exported.ics}") + 1
    refused = stack.kt("settings", "apply", "--file", str(file), who="admin", code=2)
    assert f"{file}:{line}:" in refused
    assert "schedules.exported.ical: line 11 of this calendar: there is no active user 'nobody-known'" in refused
    both = calendar("senior").replace("END:VCALENDAR", calendar("reviewer").partition("EN\r\n")[2])
    (tmp_path / "exported.ics").write_text(both, newline="")
    refused = stack.kt("settings", "apply", "--file", str(file), who="admin", code=2)
    assert "schedules.exported.ical: lines 4 and 11 of this calendar overlap at" in refused
    (tmp_path / "exported.ics").unlink()
    refused = stack.kt("settings", "apply", "--file", str(file), who="admin", code=1)
    assert f"{file}:{line}:" in refused
    assert "'exported.ics' cannot be read" in refused
