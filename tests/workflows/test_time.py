"""The clock on a real server, with targets of seconds."""

from __future__ import annotations

from typing import Any

from tests.support.stack import Stack, wait_for

RULES = [
    {
        "name": "Legal first",
        "match": {"policy_rule": "legal_opinions"},
        "route_to": "team:legal",
        "notification_channel": "log",
    },
    {
        "name": "Then compliance",
        "match": {"severity": "high"},
        "route_to": "team:compliance",
        "notification_channel": "log",
    },
    {"name": "Catch-all", "match": {"any": True}, "route_to": "team:default-reviewers", "notification_channel": "log"},
]


def facts(stack: Stack, held: str, kind: str) -> dict[str, Any]:
    [entry] = [entry for entry in stack.history(held) if entry["type"] == kind]
    found: dict[str, Any] = entry["data"]
    return found


def test_amber_once_breach_once_and_the_next_matching_rule_takes_it(stack: Stack) -> None:
    with stack.settings(sla={"high": "2s", "expire_after": "1h"}, escalation_routing={"rules": RULES}):
        held = stack.create()["escalation_id"]
        stack.must(held, "claim")
        wait_for(lambda: "reassigned" in stack.events(held), "the reassignment")
    happened = ["opened", "claimed", "amber", "reminder", "breached", "released_at_breach", "reassigned"]
    assert stack.events(held) == happened
    case = stack.escalation(held)
    assert (case["sla_state"], case["status"], case["assignee"], case["team"]) == (
        "breached",
        "open",
        None,
        "compliance",
    )
    assert case["breached_at"] == case["sla_deadline"]
    assert facts(stack, held, "released_at_breach")["assignee"] == "reviewer"
    assert facts(stack, held, "reassigned")["rule"] == "Then compliance"
    stack.decide(held, "allow", who="other_team_reviewer")
    assert stack.escalation(held)["sla_state"] == "breached", "a breach stays"
    assert "escalation " + held + " breached" in stack.logs()


def test_with_no_rule_left_it_stays_where_it_is_and_is_told_again(stack: Stack) -> None:
    with stack.settings(
        sla={"high": "1s", "expire_after": "1h"}, escalation_routing={"rules": [{**RULES[0], "match": {"any": True}}]}
    ):
        held = stack.create()["escalation_id"]
        wait_for(lambda: "unrouted" in stack.events(held), "the end of the levels")
    assert (stack.escalation(held)["team"], stack.escalation(held)["sla_state"]) == ("legal", "breached")
    wait_for(lambda: f"escalation {held} unrouted" in stack.logs(), "the second notification")


def test_a_case_keeps_the_settings_it_was_opened_under(stack: Stack) -> None:
    held = stack.create()
    with stack.settings(sla={"high": "1s"}, escalation_routing={"rules": RULES[1:]}):
        other = stack.create()["escalation_id"]
        wait_for(lambda: stack.escalation(other)["sla_state"] == "breached", "the newer case to breach")
        assert stack.escalation(held["escalation_id"])["sla_deadline"] == held["sla_deadline"]
        assert stack.escalation(held["escalation_id"])["sla_state"] == "ok"


def test_a_claim_without_a_sign_of_life_returns_to_the_queue(stack: Stack) -> None:
    with stack.settings(sla={"claim_lease": "1s"}):
        held = stack.create()["escalation_id"]
    stack.must(held, "claim")
    wait_for(lambda: "lease_expired" in stack.events(held), "the lease to end")
    assert stack.escalation(held)["status"] == "open"


def test_a_route_to_a_user_arrives_already_claimed(stack: Stack) -> None:
    rule = {
        "name": "To senior",
        "match": {"any": True},
        "route_to": "senior@example.com",
        "notification_channel": "log",
    }
    with stack.settings(escalation_routing={"rules": [rule]}):
        held = stack.create()["escalation_id"]
    case = stack.escalation(held)
    assert (case["status"], case["assignee"], case["team"]) == ("claimed", "senior", None)
    assert stack.api("reviewer").get(f"/v1/escalations/{held}").status_code == 404
    stack.must(held, "resolve", {"resolution": "block"}, "senior")


def test_a_case_routed_to_a_user_goes_to_the_first_rule_when_it_breaches(stack: Stack) -> None:
    rules = [
        {"name": "To senior", "match": {"severity": "high"}, "route_to": "senior", "notification_channel": "log"},
        {**RULES[0], "match": {"any": True}},
    ]
    with stack.settings(sla={"high": "1s", "expire_after": "1h"}, escalation_routing={"rules": rules}):
        held = stack.create()["escalation_id"]
        wait_for(lambda: "reassigned" in stack.events(held), "the reassignment")
    assert stack.escalation(held)["team"] == "legal"
