"""On-call schedules that another tool keeps, in the running product."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from escalations.ical import LARGEST
from policies.fetching import fetch
from tests.activities.receivers import Answer, serving
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


def at_an_address(stack: Stack, directory: Path, url: str) -> Path:
    file = write(stack, directory, "senior")
    file.write_text(file.read_text().replace("{file: exported.ics}", f'{{url: "{url}"}}'))
    return file


def test_a_calendar_at_an_address_is_read_when_the_settings_are_applied(stack: Stack, tmp_path: Path) -> None:
    answers = [Answer(200, calendar("senior").encode()), Answer(500), Answer(200, calendar("reviewer").encode())]
    with serving(lambda _: answers.pop(0)) as other, stack.settings():
        url = f"http://127.0.0.1:{other.port}/on-call.ics"
        apply = ("settings", "apply", "--file", str(at_an_address(stack, tmp_path, url)))
        stack.kt(*apply, who="admin")
        assert "senior" in stack.kt("schedule", "who", "exported")
        refused = stack.kt(*apply, who="admin", code=1)
        assert "cannot be fetched: the answer is 500" in refused
        assert "senior" in stack.kt("schedule", "who", "exported"), "the last good one stays in force"
        stack.kt(*apply, who="admin")
        assert "reviewer" in stack.kt("schedule", "who", "exported")
    assert answers == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(302, headers={"location": "http://169.254.169.254/latest"}), ".ical.url: 'ADDRESS' has moved"),
        (Answer(404), ".ical.url: 'ADDRESS' cannot be fetched: the answer is 404"),
        (Answer(lost=True), ".ical.url: 'ADDRESS' cannot be fetched"),
        (Answer(200, b"x" * (LARGEST + 1)), ".ical.url: 'ADDRESS' is larger than 256 KiB"),
        (Answer(200, b"<html>sign in</html>"), "this is not an iCalendar file"),
    ],
    ids=["moved", "not there", "broken off", "large", "none"],
)
def test_an_address_that_gives_no_calendar_is_refused_where_it_stands(
    stack: Stack, tmp_path: Path, answer: Answer, told: str
) -> None:
    before = stack.api("admin").get("/v1/settings").json()
    with serving(lambda _: answer) as other:
        url = f"http://127.0.0.1:{other.port}/x.ics"
        file = at_an_address(stack, tmp_path, url)
        refused = stack.kt("settings", "apply", "--file", str(file), who="admin", code=None)
    lines = file.read_text().split("\n")
    first = next(number for number, line in enumerate(lines, 1) if "exported:" in line)
    assert told.replace("ADDRESS", url) in refused
    assert any(f"{file}:{line}:" in refused for line in range(first, len(lines) + 1))
    assert "schedules.exported" in refused
    assert stack.api("admin").get("/v1/settings").json() == before


@pytest.mark.parametrize("url", ["http://calendars.example/x.ics", "file:///etc/passwd", "https://[", "ftp://x/y"])
def test_only_addresses_that_nobody_can_listen_to_are_fetched(url: str) -> None:
    with pytest.raises(ValueError, match=r"https://|is not an address"):
        fetch(url, LARGEST)


def test_the_linter_looks_at_addresses_only_when_it_is_online(stack: Stack, tmp_path: Path) -> None:
    with serving(lambda _: Answer(200, calendar("nobody-known").encode())) as other:
        file = at_an_address(stack, tmp_path, f"http://127.0.0.1:{other.port}/x.ics")
        assert "nobody-known" not in stack.kt("policy", "lint", str(file), code=None)
        assert "nobody-known" in stack.kt("policy", "lint", "--online", str(file), code=None)
