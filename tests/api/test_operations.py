"""Reports, recomputed deadlines and on-call schedules, over HTTP and with kt."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.stack import Stack

NIGHT = {
    "zone": "Europe/Berlin",
    "layers": [{"name": "week", "members": ["reviewer", ["reviewer2", "senior"]], "start": "2026-01-05"}],
    "overrides": [{"from": "2026-01-06T09:00", "to": "2026-01-06T12:00", "people": ["admin"]}],
}


def report(stack: Stack, **query: str) -> dict[str, Any]:
    answer = stack.api("admin").get("/v1/sla/report", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_is_decided_in_time_met_its_sla(stack: Stack) -> None:
    before = report(stack)["by_severity"]["medium"]
    held = stack.create(severity="medium")["escalation_id"]
    stack.must(held, "claim")
    stack.decide(held, "block")
    after = report(stack)
    figures = after["by_severity"]["medium"]
    assert figures["met"] == before["met"] + 1
    assert figures["compliance"] == figures["met"] / (figures["met"] + figures["breached"])
    assert figures["time_to_claim"]["count"] >= 1
    assert figures["time_to_resolve"]["p90"] >= figures["time_to_resolve"]["p50"] >= 0
    assert after["by_team"]["legal"]["met"] >= 1


def test_without_anything_to_count_there_is_no_number(stack: Stack) -> None:
    empty = report(stack, since="2001-01-01", until="2001-02-01")["all"]
    assert (empty["compliance"], empty["compliance_shown"]) == (None, "no data")
    assert (empty["time_to_claim"], empty["time_to_resolve"], empty["breach_trend_points"]) == (None, None, None)
    shown = stack.kt("sla", "report", "--since", "2001-01-01", "--until", "2001-02-01")
    assert shown.splitlines()[1].startswith("all\tno data\t0\t0\tno data")


@pytest.mark.parametrize("query", [{"since": "soon"}, {"since": "1d", "until": "2d"}, {"since": "5000d"}])
def test_a_report_is_over_a_stretch_of_time(stack: Stack, query: dict[str, str]) -> None:
    assert stack.api("admin").get("/v1/sla/report", params=query).status_code == 422


def test_a_report_counts_what_its_reader_may_see(stack: Stack) -> None:
    assert "legal" not in stack.api("other_team_reviewer").get("/v1/sla/report").json()["by_team"]
    key = {"authorization": f"Bearer {stack.info['gateway_key']}"}
    assert stack.api().get("/v1/sla/report", headers=key).status_code == 403


def test_open_cases_move_only_when_an_admin_says_so_on_the_record(stack: Stack) -> None:
    with stack.settings(sla={"high": "2h"}):
        held = stack.create()
    held_id, due = held["escalation_id"], held["sla_deadline"]
    shown = json.loads(stack.kt("sla", "recompute", "--json", who="admin"))
    [expected] = [case for case in shown["escalations"] if case["escalation_id"] == held_id]
    assert (expected["changed"], expected["applied"]) == (True, False)
    assert stack.escalation(held_id)["sla_deadline"] == due
    done = stack.kt("sla", "recompute", "--apply", who="admin")
    assert held_id in done
    moved = stack.escalation(held_id)
    assert moved["sla_deadline"] == expected["after"]
    assert datetime.fromisoformat(due) - datetime.fromisoformat(moved["sla_deadline"]) == timedelta(hours=1)
    entry = stack.history(held_id)[-1]
    assert (entry["type"], entry["actor"], entry["data"]["target"]) == ("recomputed", "admin", "1h")
    assert "an admin had deadlines recomputed" in stack.kt("escalation", "explain", held_id)
    because = stack.api("admin").get(f"/v1/escalations/{held_id}/explain").json()["deadline"]["because"]
    assert f"a target of 1h in version {entry['data']['settings_version']} of the settings" in because
    assert stack.act(held_id, "recompute", {"apply": True}, "senior").status_code == 403


def test_who_is_on_call_and_when(stack: Stack) -> None:
    with stack.settings(schedules={"night": NIGHT}):
        who = stack.kt("schedule", "who", "night", "--at", "2026-01-06T09:00")
        assert who.splitlines()[1].split("\t") == ["night", "2026-01-06T08:00", "admin"]
        shown = stack.kt("schedule", "show", "night", "--at", "2026-01-05T00:00", "--days", "10")
        rows = [line.split("\t")[1:] for line in shown.splitlines() if line.startswith("night\t")]
        assert rows[:3] == [
            ["2026-01-05T08:00", "2026-01-06T08:00", "reviewer", "week"],
            ["2026-01-06T08:00", "2026-01-06T11:00", "admin", "override"],
            ["2026-01-06T11:00", "2026-01-12T08:00", "reviewer", "week"],
        ]
        found = stack.api().get("/v1/schedules/night", params={"at": "2026-01-05T00:00"}).json()
        assert found["gaps"] == [{"from": "2026-01-04T23:00:00Z", "to": "2026-01-05T08:00:00Z"}]
        assert stack.api().get("/v1/schedules/day").status_code == 404
        assert stack.api().get("/v1/schedules/night", params={"at": "tomorrow"}).status_code == 422
        every = json.loads(stack.kt("schedule", "who", "--json"))
        assert [one["name"] for one in every["schedules"]] == ["night"]


def test_times_when_nobody_is_on_call_are_named_beside_the_table(stack: Stack) -> None:
    layer = {"name": "day", "members": ["senior"], "start": "2026-01-05", "restrictions": {"mon-sun": "08:00-20:00"}}
    day = {"layers": [layer]}
    environment = {**stack.environment, "KT_API_URL": stack.info["api_url"]}
    environment["KEEPTRUSTS_API_TOKEN"] = stack.token("reviewer")
    command = [sys.executable, "-m", "cli.main", "schedule", "show", "day", "--at", "2026-03-02T08:00", "--days", "2"]
    with stack.settings(schedules={"day": day}):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "day: nobody is on call from 2026-03-02T20:00 to 2026-03-03T08:00 UTC",
        "day: nobody is on call from 2026-03-03T20:00 to 2026-03-04T08:00 UTC",
    ]
    assert "nobody" not in done.stdout


def test_nobody_reviews_what_they_asked_for(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    refused = stack.act(held, "claim", who="admin")
    assert (refused.status_code, refused.json()["code"]) == (403, "conflict_of_interest")
    assert stack.act(held, "assign", {"assignee": "admin"}, "senior").json()["code"] == "conflict_of_interest"
    assert stack.act(held, "escalate", {"to": "admin"}, "senior").json()["code"] == "conflict_of_interest"
    assert stack.act(held, "severity", {"severity": "low"}, "admin").json()["code"] == "conflict_of_interest"
    stack.must(held, "comment", {"text": "It was for a training."}, "admin")
    stack.must(held, "claim")
    assert stack.act(held, "assign", {"assignee": "admin"}).json()["code"] == "conflict_of_interest"
    stack.must(held, "resolve", {"resolution": "block"})


def test_a_route_to_a_schedule_arrives_with_whoever_is_on_call(stack: Stack) -> None:
    rule = {"name": "At any hour", "match": {"category": "legal_opinions"}, "route_to": "schedule:night"}
    rest = {"name": "Catch-all", "match": {"any": True}, "route_to": "team:legal"}
    night = {"layers": [{"name": "always", "members": ["senior"], "start": "2026-01-05"}]}
    with stack.settings(schedules={"night": night}, escalation_routing={"rules": [rule, rest]}):
        held = stack.create()
    assert (held["status"], held["assignee"]) == ("claimed", "senior")
