"""Asking for help over HTTP and with kt: told, seen by who is asked, on the record; and handing a case over."""

from __future__ import annotations

import json
from datetime import datetime

from tests.api.test_taking import desk, made
from tests.support.stack import Stack, wait_for


def test_who_is_asked_sees_the_case_while_it_is_held_and_may_comment(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        held = made(stack, kind)
        stack.must(held, "claim", who=ana)
        seen = stack.api("other_team_reviewer").get(f"/v1/escalations/{held}")
        assert seen.status_code == 404
        told = stack.must(held, "help", {"ask": "other_team_reviewer", "note": "Is it advice?", "up_to": "2h"}, ana)
        assert told["help_asked"] == "other_team_reviewer"
        assert told["lease_until"] == told["help_until"]
        context = stack.escalation(held, "other_team_reviewer", include="context")["context"]
        assert context["held_answer"]
        stack.must(held, "comment", {"text": "It is."}, "other_team_reviewer")
        stack.must(held, "resolve", {"resolution": "block"}, ana)
        assert stack.api("other_team_reviewer").get(f"/v1/escalations/{held}").status_code == 404
    asked = next(entry for entry in stack.history(held) if entry["type"] == "help_asked")
    assert (asked["data"]["asked"], asked["data"]["note"]) == ("other_team_reviewer", "Is it advice?")


def test_who_is_asked_is_told_by_the_channel_of_the_case(stack: Stack) -> None:
    with desk(stack, notification_channel="log") as ([ana], kind):
        held = made(stack, kind)
        stack.must(held, "claim", who=ana)
        stack.must(held, "help", {"ask": "team:legal", "note": "Anybody?"}, ana)
        wait_for(
            lambda: [line for line in stack.logs().splitlines() if held in line and "help_asked" in line], "the line"
        )
    assert any("team:legal" in line for line in stack.logs().splitlines() if held in line and "help_asked" in line)
    assert "Anybody?" not in stack.logs()


def test_whoever_waits_for_help_takes_the_next_case_meanwhile(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        first, second = made(stack, kind), made(stack, kind)
        stack.must(first, "claim", who=ana)
        stack.must(first, "help", {"ask": "senior", "note": "Which?"}, ana)
        assert stack.api(ana).post("/v1/escalations/next", json={}).json()["escalation_id"] == second


def test_nobody_is_asked_who_cannot_review(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        held = made(stack, kind)
        for ask, code in (("auditor", 422), ("nobody-at-all", 422), (ana, 409)):
            answer = stack.act(held, "help", {"ask": ask, "note": "?"}, ana)
            assert answer.status_code == code, answer.text
        stack.must(held, "claim", who=ana)
        assert stack.act(held, "help", {"ask": ana, "note": "?"}, ana).json()["field"] == "ask"
        assert stack.act(held, "help", {"ask": "admin", "note": "?"}, ana).json()["code"] == "conflict_of_interest"
        assert stack.act(held, "help", {"ask": "senior", "note": "?", "up_to": "5h"}, ana).json()["field"] == "up_to"


def test_kt_asks_and_hands_over_to_a_person_with_a_note(stack: Stack) -> None:
    with desk(stack, 2) as ([ana, ben], kind):
        held = made(stack, kind)
        stack.must(held, "claim", who=ana)
        told = stack.kt("escalation", "ask-for-help", held, "--ask", "senior", "--note", "Which?", who=ana)
        assert told.startswith(f"asked senior for help; you hold escalation {held} until ")
        before = stack.escalation(held)
        given = stack.kt("escalation", "assign", held, "--assignee", ben, "--note", "In section 3.", "--json", who=ana)
        after = json.loads(given)
    assert (after["assignee"], after["help_asked"], after["sla_deadline"]) == (ben, None, before["sla_deadline"])
    assert datetime.fromisoformat(after["claimed_at"]) > datetime.fromisoformat(before["claimed_at"])
    handed = stack.history(held)[-1]
    assert (handed["type"], handed["actor"], handed["data"]["note"]) == ("assigned", ana, "In section 3.")
    assert stack.act(held, "resolve", {"resolution": "allow"}, ana).json()["code"] == "not_holder"
