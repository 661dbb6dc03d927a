"""Settings before and while they are applied: what is odd about them, and what they would change."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import Stack

ODD = """\
sla:
  critical: 2h
  high: 1h
chains:
  night:
    legs: [{to: "team:legal"}]
    on_exhausted: allow
"""


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    file = tmp_path / "settings.yaml"
    file.write_text(ODD)
    return file


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`kt` as an admin, with what it says on stderr."""
    environment = {**stack.environment, "KT_API_URL": stack.info["api_url"]}
    environment["KEEPTRUSTS_API_TOKEN"] = stack.token("admin")
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_what_is_odd_is_told_where_it_stands_and_taken_all_the_same(stack: Stack, odd: Path) -> None:
    with stack.settings():
        done = run(stack, "settings", "apply", "--file", str(odd))
        assert done.returncode == 0, done.stderr
        assert "settings are now version" in done.stdout
        told = done.stderr.splitlines()
        assert [line.split(" warning: ")[0] for line in told] == [
            f"{odd}:1:1: KT307",
            f"{odd}:2:3: KT305",
            f"{odd}:5:3: KT315",
            f"{odd}:7:5: KT313",
        ]
        assert told[3].endswith("set on_exhausted to expire_block, hold or page_admin, unless that is what you want")


def test_what_is_odd_is_in_the_json_with_its_place(stack: Stack, odd: Path) -> None:
    with stack.settings():
        done = json.loads(run(stack, "settings", "apply", "--file", str(odd), "--json").stdout)
        found = next(one for one in done["warnings"] if one["rule"] == "KT313")
        assert (found["line"], found["column"], found["severity"]) == (7, 5, "warning")


def test_a_comment_hides_what_was_meant(stack: Stack, odd: Path) -> None:
    odd.write_text(ODD.replace("allow\n", "allow  # kt: ignore KT313\n"))
    told = run(stack, "settings", "apply", "--dry-run", "--file", str(odd)).stderr
    assert "KT305" in told
    assert "KT313" not in told


def test_a_target_is_warned_of_by_the_unit_in_which_it_was_written(stack: Stack, tmp_path: Path) -> None:
    office = 'calendars: {office: {hours: {mon-fri: "09:00-17:00"}}}\n'
    file = tmp_path / "settings.yaml"
    for low, odd in (("24h", False), ("1d", True)):
        file.write_text(f"sla: {{calendar: office, low: {low}}}\n{office}")
        told = run(stack, "settings", "apply", "--dry-run", "--file", str(file))
        assert (told.returncode, f"{file}:1:25: KT317" in told.stderr) == (0, odd), told.stderr


def test_only_what_was_written_is_warned_of(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("decisions: {undo_window: 5s}\n")
    told = run(stack, "settings", "apply", "--dry-run", "--file", str(file)).stderr
    assert "KT" not in told


def test_over_http_the_warnings_name_rule_field_and_what_to_do(stack: Stack) -> None:
    odd = {"chains": {"night": {"legs": [{"to": "team:legal"}], "on_exhausted": "allow"}}}
    answer = stack.api("admin").put("/v1/settings", params={"dry_run": True}, json=odd)
    warnings = {one["rule"]: one for one in answer.json()["warnings"]}
    assert warnings["KT313"]["field"] == "chains.night.on_exhausted"
    assert "released" in warnings["KT313"]["problem"]
    assert "expire_block" in warnings["KT313"]["suggestion"]


def test_a_dry_run_shows_what_would_change_and_changes_nothing(stack: Stack, odd: Path) -> None:
    before = stack.api("admin").get("/v1/settings").json()
    done = run(stack, "settings", "apply", "--dry-run", "--file", str(odd))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"--- version {before['version']}", f"+++ {odd}"]
    assert "+  critical: 2h" in lines
    assert f"version {before['version']} stays in force" in done.stderr
    assert stack.api("admin").get("/v1/settings").json() == before
    diff = json.loads(run(stack, "settings", "apply", "--dry-run", "--json", "--file", str(odd)).stdout)["diff"]
    assert diff == lines


def test_a_dry_run_refuses_what_applying_would_refuse(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("notification_defaults:\n  teams: {legl: log}\n")
    done = run(stack, "settings", "apply", "--dry-run", "--file", str(file))
    assert done.returncode != 0
    assert f"{file}:2:11: notification_defaults.teams.legl" in done.stderr


def test_a_file_is_compared_with_what_is_in_force_before_it_is_applied(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(stack.kt("settings", "get"))
    same = run(stack, "settings", "diff", str(file))
    assert (same.returncode, same.stdout) == (0, "")
    assert "say the same" in same.stderr
    file.write_text("sla: {high: 83m}\n")
    changed = stack.kt("settings", "diff", str(file)).splitlines()
    assert changed[1] == f"+++ {file}"
    assert "+  high: 1h23m" in changed
    older = json.loads(stack.kt("settings", "diff", "0", str(file), "--json"))
    assert (older["from"], older["to"]) == (0, str(file))
    assert "cannot be read" in stack.kt("settings", "diff", str(tmp_path / "none.yaml"), code=1)
