"""Settings and what became of them: who changed what, and cases that keep what they were opened under."""

from __future__ import annotations

import json
from typing import Any

from tests.support.stack import Stack


def calendar(minute: int) -> dict[str, Any]:
    """Open around the clock but for one minute of each night."""
    return {"zone": "UTC", "hours": {"mon-sun": [f"00:00-03:{minute:02}", f"03:{minute + 1:02}-24:00"]}}


def kept(stack: Stack, escalation_id: str) -> dict[str, Any]:
    """What a case says of its clock and of what it was opened under."""
    case = stack.escalation(escalation_id)
    deadline = stack.api("admin").get(f"/v1/escalations/{escalation_id}/explain").json()["deadline"]
    names = ("config_version", "sla_deadline", "sla_state", "version", "status")
    return {name: case[name] for name in names if name in case} | {
        name: deadline[name] for name in ("settings_version", "target", "amber_at", "expires_at", "calendar")
    }


def test_open_cases_keep_their_settings_and_calendar_while_both_are_edited_fifty_times(stack: Stack) -> None:
    with stack.settings(sla={"high": "90m", "calendar": "nights"}, calendars={"nights": calendar(0)}):
        cases = [stack.create()["escalation_id"] for _ in range(3)]
        before = [kept(stack, case) for case in cases]
        assert all(one["calendar"]["settings_version"] == one["settings_version"] for one in before)
        for number in range(1, 51):
            changed = {
                "sla": {"high": f"{90 + number}m", "calendar": "nights"},
                "calendars": {"nights": calendar(number)},
            }
            done = stack.api("admin").put("/v1/settings", json=changed)
            assert done.status_code == 200, done.text
        assert [kept(stack, case) for case in cases] == before
        newer = kept(stack, stack.create()["escalation_id"])
        assert newer["settings_version"] == before[0]["settings_version"] + 50
        assert (before[0]["target"], newer["target"]) == ("1h30m", "2h20m")


def test_history_names_who_changed_the_settings_and_diff_says_what(stack: Stack) -> None:
    with stack.settings(sla={"high": "77m"}):
        newest = json.loads(stack.kt("settings", "history", "--limit", "1", "--json"))["versions"]
        assert [one["created_by"] for one in newest] == ["admin"]
        lines = stack.kt("settings", "diff").splitlines()
        assert lines[0].endswith(f"version {newest[0]['version'] - 1}")
        assert any(line.startswith("+") and "1h17m" in line for line in lines)
        same = str(newest[0]["version"])
        assert json.loads(stack.kt("settings", "diff", same, same, "--json"))["diff"] == []
        assert "VERSION" in stack.kt("settings", "history")
