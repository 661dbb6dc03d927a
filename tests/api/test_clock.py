"""The clock over HTTP and kt: pauses, severities, calendars, and what explains a deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.stack import Stack, wait_for

HOUR = timedelta(hours=1)


def at(case: dict[str, Any], field: str) -> datetime:
    return datetime.fromisoformat(case[field])


@pytest.fixture
def held(stack: Stack) -> str:
    with stack.settings(sla={"max_pause": "2h"}):
        return str(stack.create(severity="medium")["escalation_id"])


def test_the_clock_stands_still_while_the_requester_is_asked(stack: Stack, held: str) -> None:
    before = stack.must(held, "claim")
    paused = stack.must(held, "wait", {"reason": "Asked for the source.", "up_to": "30m"})
    assert paused["sla_state"] == "paused"
    assert at(paused, "sla_deadline") - at(before, "sla_deadline") == HOUR / 2
    refused = stack.act(held, "wait", {"reason": "again"})
    assert (refused.status_code, refused.json()["code"], refused.json()["reason"]) == (409, "cannot_pause", "paused")
    stack.must(held, "resume")
    assert stack.act(held, "resume").json()["code"] == "not_paused"
    waited = next(entry for entry in stack.history(held) if entry["type"] == "paused")
    assert waited["data"]["reason"] == "Asked for the source."
    assert stack.act(held, "wait", {"reason": "x", "up_to": "3h"}).status_code == 422
    assert stack.act(held, "wait", {"up_to": "3h"}).status_code == 422
    assert stack.act(held, "wait", {"reason": "x"}, "reviewer2").json()["code"] == "not_holder"


def test_an_answer_of_the_requester_lets_the_clock_go_on_and_is_explained(stack: Stack, held: str) -> None:
    stack.must(held, "claim")
    stack.must(held, "wait", {"reason": "Asked whoever brought it.", "up_to": "1h"})
    assert stack.must(held, "comment", {"text": "It is section 3."}, "reviewer2")["sla_state"] == "paused"
    answered = stack.must(held, "comment", {"text": "It is section 4."}, "admin")
    assert answered["sla_state"] == "ok"
    assert stack.events(held)[-2:] == ["resumed", "commented"]
    assert "its clock goes on, for the requester answered" in stack.kt("escalation", "explain", held)


def test_without_the_setting_no_clock_stands_still(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    stack.must(held, "claim")
    assert stack.act(held, "wait", {"reason": "x"}).json()["reason"] == "not_allowed"


def test_a_severity_is_raised_lowered_and_explained_event_by_event(stack: Stack, held: str) -> None:
    stack.must(held, "claim")
    raised = stack.must(held, "severity", {"severity": "high", "note": "It names a patient."})
    assert at(raised, "sla_deadline") - at(raised, "created_at") == HOUR
    lowered = stack.must(held, "severity", {"severity": "low"})
    assert (lowered["severity"], lowered["sla_deadline"]) == ("low", raised["sla_deadline"])
    assert stack.act(held, "severity", {"severity": "medium", "later": True}).status_code == 403
    later = stack.must(held, "severity", {"severity": "medium", "later": True}, "senior")
    assert at(later, "sla_deadline") - at(later, "created_at") == 4 * HOUR
    told = stack.kt("escalation", "explain", held)
    assert "medium has a target of 4h in version" in told
    assert "medium became high, which has a target of 1h" in told
    assert "high became low, which has a target of 1d" in told
    assert "the deadline stays" in told
    listed = stack.api().get("/v1/escalations", params={"severity": "medium"}).json()["escalations"]
    assert held in {item["escalation_id"] for item in listed}


def test_kt_waits_resumes_and_says_how_severe(stack: Stack, held: str) -> None:
    stack.kt("escalation", "claim", held)
    told = stack.kt("escalation", "wait-for", held, "--reason", "Asked the author.", "--up-to", "20m")
    assert told.startswith(f"the clock of escalation {held} stands still until ")
    assert stack.kt("escalation", "resume", held).startswith(f"the clock of escalation {held} goes on; due ")
    told = stack.kt("escalation", "severity", held, "--severity", "critical")
    assert told.startswith(f"escalation {held} is critical; due ")
    assert "never stopped" in stack.kt("escalation", "wait-for", held, "--reason", "x", code=6)


def test_a_case_keeps_the_calendar_of_its_opening(stack: Stack) -> None:
    office = {"zone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}, "holidays": ["DE-BY"]}
    with stack.settings(sla={"calendar": "office", "low": "80h"}, calendars={"office": office}):
        held = stack.create(severity="low")
    assert (held["calendar"], at(held, "sla_deadline") - at(held, "created_at") > 11 * 24 * HOUR) == ("office", True)
    deadline = stack.api().get(f"/v1/escalations/{held['escalation_id']}/explain").json()["deadline"]
    assert "in the open time of the calendar 'office'" in deadline["because"]
    assert deadline["calendar"]["name"] == "office"
    assert deadline["calendar"]["open"]
    assert stack.escalation(held["escalation_id"])["sla_deadline"] == held["sla_deadline"]


def test_a_critical_case_runs_while_the_calendar_is_closed_and_says_why(stack: Stack) -> None:
    # Open for an hour a week, and not today or tomorrow.
    day = f"{datetime.now(UTC) + timedelta(days=3):%a}".lower()
    settings: dict[str, Any] = {"calendars": {"office": {"hours": {day: "09:00-10:00"}}}}
    with stack.settings(sla={"calendar": "office"}, **settings):
        held = stack.create(severity="critical")
        raised = stack.create(severity="medium")["escalation_id"]
    assert (held["calendar"], at(held, "sla_deadline") - at(held, "created_at")) == (None, HOUR / 4)
    stack.must(raised, "claim")
    after = stack.must(raised, "severity", {"severity": "critical"})
    assert at(after, "sla_deadline") - at(after, "created_at") == HOUR / 4
    for case in (held["escalation_id"], raised):
        told = stack.kt("escalation", "explain", case)
        assert "also while the calendar 'office' is closed: it is critical, or once was" in told
    with stack.settings(sla={"calendar": "office", "calendar_for_critical": True}, **settings):
        waits = stack.create(severity="critical")
    assert (waits["calendar"], at(waits, "sla_deadline") - at(waits, "created_at") > 24 * HOUR) == ("office", True)


def test_nobody_claims_in_time_and_everybody_is_reminded(stack: Stack) -> None:
    sla = {"high": "3s", "claim_targets": {"high": "1s"}, "notify_at_remaining": ["50%", "20%"], "expire_after": "1h"}
    with stack.settings(sla=sla):
        held = stack.create()["escalation_id"]
        wait_for(lambda: "breached" in stack.events(held), "the breach")
    assert stack.events(held)[:5] == ["opened", "claim_overdue", "amber", "reminder", "breached"]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"sla": {"calendar": "offize"}}, "sla.calendar"),
        ({"sla": {"claim_lease": "3d"}}, "sla.claim_lease"),
        (
            {"schedules": {"night": {"layers": [{"name": "a", "members": ["nobody"], "start": "2026-01-05"}]}}},
            "schedules.night.layers.0.members.0",
        ),
        ({"business_hours": {"zone": "Europe"}}, "business_hours.zone"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(stack: Stack, document: dict[str, Any], field: str) -> None:
    before = stack.api("admin").get("/v1/settings").json()["version"]
    refused = stack.api("admin").put("/v1/settings", json=document)
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert stack.api("admin").get("/v1/settings").json()["version"] == before
