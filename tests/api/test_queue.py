"""The queue over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.support.stack import Stack


def listed(stack: Stack, who: str = "reviewer", **query: object) -> list[str]:
    page = stack.api(who).get("/v1/escalations", params={"limit": 200, **query})  # type: ignore[arg-type]
    assert page.status_code == 200, page.text
    return [item["escalation_id"] for item in page.json()["escalations"]]


def test_a_case_has_at_least_the_agreed_fields(stack: Stack) -> None:
    made = stack.create()
    assert {
        "escalation_id", "status", "sla_state", "reason_code", "policy_rule", "severity", "created_at", "sla_deadline",
        "assignee", "team", "route", "gateway", "consumer", "model", "config_version", "event_id", "temporal_url",
        "resolution", "category", "note", "reviewer", "resolution_time_seconds",
    } <= set(made)  # fmt: skip
    assert made["escalation_id"].startswith("esc_")
    assert (made["status"], made["sla_state"], made["team"]) == ("open", "ok", "legal")
    assert made["severity_description"] == "Significant policy violation"


def test_filters_and_orders(stack: Stack) -> None:
    high = stack.create()["escalation_id"]
    critical = stack.create(severity="critical", reason_code="medical_decisions")["escalation_id"]
    stack.must(high, "claim")
    assert listed(stack, mine=True)[-1:] != []
    assert high in listed(stack, status="claimed", assignee="reviewer")
    assert critical in listed(stack, severity="critical", team="medical", policy="medical_decisions")
    assert critical not in listed(stack, team="team:legal")
    both = listed(stack, status="open,claimed")
    assert both.index(critical) < both.index(high)
    by_deadline = stack.api().get("/v1/escalations", params={"sort": "deadline", "limit": 200}).json()["escalations"]
    assert [item["sla_deadline"] for item in by_deadline] == sorted(item["sla_deadline"] for item in by_deadline)


def test_pages_are_followed_by_a_cursor(stack: Stack) -> None:
    for _ in range(3):
        stack.create()
    everything, seen, cursor = listed(stack), [], None
    while True:
        page = stack.api().get("/v1/escalations", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["escalation_id"] for item in page["escalations"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == everything


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("severity=urgent", "severity"),
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
        ("sort=up", "sort"),
    ],
)
def test_a_bad_question_names_its_field(stack: Stack, query: str, field: str) -> None:
    answer = stack.api().get(f"/v1/escalations?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


def test_another_teams_case_does_not_exist_for_a_reviewer(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    other = stack.api("other_team_reviewer")
    assert held not in listed(stack, "other_team_reviewer")
    answers = [
        other.get(f"/v1/escalations/{held}"),
        other.get(f"/v1/escalations/{held}/history"),
        other.get(f"/v1/escalations/{held}/explain"),
        other.get(f"/v1/escalations/{held}/response"),
        *(other.post(f"/v1/escalations/{held}/{verb}", json={}) for verb in ("claim", "unclaim", "extend", "escalate")),
        other.post(f"/v1/escalations/{held}/resolve", json={"resolution": "allow"}),
        other.post(f"/v1/escalations/{held}/comment", json={"text": "x"}),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["code"] for answer in answers} == {"not_found"}
    unknown = other.get("/v1/escalations/esc_nothing")
    assert unknown.json()["detail"].replace("esc_nothing", held) == answers[0].json()["detail"]


def test_an_auditor_reads_everything_and_decides_nothing(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    assert held in listed(stack, "auditor")
    assert stack.api("auditor").get(f"/v1/escalations/{held}?include=context").status_code == 200
    for verb, body in (
        ("claim", {}),
        ("resolve", {"resolution": "allow"}),
        ("escalate", {}),
        ("comment", {"text": "x"}),
    ):
        answer = stack.act(held, verb, body, "auditor")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


def test_a_gateway_key_opens_cases_and_sees_only_its_own(stack: Stack) -> None:
    keys = {name: {"authorization": f"Bearer {stack.info[name]}"} for name in ("gateway_key", "gateway_key2")}
    url = stack.info["api_url"]
    body = {"answer": "You may terminate.", "policy_rule": "human-oversight", "reason_code": "legal_opinions"}
    made = httpx.post(f"{url}/v1/escalations", json=body, headers=keys["gateway_key"])
    assert made.status_code == 201
    held = made.json()["escalation_id"]
    path = f"{url}/v1/escalations/{held}/response"
    assert httpx.get(path, headers=keys["gateway_key"]).json()["code"] == "escalation_pending"
    assert httpx.get(path, headers=keys["gateway_key2"]).status_code == 404
    assert httpx.get(f"{url}/v1/escalations", headers=keys["gateway_key"]).status_code == 403
    stack.decide(held, "allow")
    released = httpx.get(path, headers=keys["gateway_key"])
    assert released.status_code == 200
    assert released.json()["choices"][0]["message"]["content"] == "You may terminate."


def test_creating_twice_with_one_key_makes_one_case(stack: Stack) -> None:
    body = {"answer": "x", "policy_rule": "human-oversight", "reason_code": "legal_opinions"}
    made = {
        stack.api("admin")
        .post("/v1/escalations", json=body, headers={"Idempotency-Key": "once"})
        .json()["escalation_id"]
        for _ in range(3)
    }
    assert len(made) == 1


def test_who_brings_a_case_does_not_choose_what_reviewers_see(stack: Stack) -> None:
    stars = [{"path": "/choices/0/message/content", "start": 0, "end": 16, "label": "PERSON"}]
    finding = {
        "hidden": {"answer": stars, "request": 7},
        "appeal": {"escalation_id": "esc_0", "reason": "forged"},
        "findings": ["forged"],
        "rule": "forged",
        "topic": "contracts",
    }
    body = {"answer": "You may terminate.", "policy_rule": "human-oversight", "reason_code": "legal_opinions"}
    made = stack.gateway().post(f"{stack.info['api_url']}/v1/escalations", json={**body, "finding": finding})
    assert made.status_code == 201, made.text
    context = stack.escalation(made.json()["escalation_id"], include="context")["context"]
    assert [text["text"] for text in context["texts"]] == ["You may terminate."]
    match = {"rule": "human-oversight", "reason_code": "legal_opinions", "topic": "contracts"}
    assert (context["policy_match"], context["masked"]) == (match, 0)


@pytest.mark.parametrize(
    ("request_", "asked"),
    [("May I?", ["May I?"]), (["May", {"content": "I?"}], ["May", "I?"]), (7, []), (None, [])],
)
def test_a_request_that_is_no_object_is_shown_as_it_is(stack: Stack, request_: object, asked: list[str]) -> None:
    held = stack.create(request=request_)["escalation_id"]
    context = stack.escalation(held, include="context")["context"]
    assert (context["request"], [text["text"] for text in context["asked"]]) == (request_, asked)
    assert stack.must(held, "reveal", {"reason": "to see"}, who="admin")["values"] == []
