"""One case over HTTP: its context, history, explanation, and the ways to be refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.support.stack import LEGAL, Stack, wait_for


@pytest.fixture
def held(stack: Stack) -> str:
    return str(stack.create()["escalation_id"])


def test_the_context_has_everything_needed_to_judge(stack: Stack) -> None:
    with ThreadPoolExecutor(1) as pool:
        text = f"context test {LEGAL} ANSWER: In our opinion you may sue. MRN 4471-0096."
        asking = pool.submit(
            lambda: stack.openai().chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": text}]
            )
        )
        case = stack.case_about("context test")
        shown = stack.escalation(case["escalation_id"], "reviewer", include="context")
        context = shown["context"]
        assert context["request"]["messages"][0]["content"].startswith("context test")
        answer = context["held_answer"]["choices"][0]["message"]["content"]
        assert answer == "In our opinion you may sue. MRN [MEDICAL_RECORD_NUMBER]."
        match = context["policy_match"]
        assert (match["rule"], match["reason_code"]) == ("human-oversight", "legal_opinions")
        oversight = next(found for found in match["findings"] if found["policy"] == "human-oversight")
        assert oversight["score"] >= 500
        assert "decides" in oversight["patterns"]
        span = next(span for span in oversight["spans"] if span["pattern"] == "decides")
        assert answer[span["start"] : span["end"]]
        assert (context["consumer"], context["gateway"], context["provider"], context["model"]) == (
            "demo-app", "gateway", "openai", "gpt-4o-mini",
        )  # fmt: skip
        assert context["config_version"] == "oversight-demo@0.1.0"
        assert context["event"]["escalation_id"] == case["escalation_id"]
        assert any(item["same_rule"] for item in context["earlier"]) or context["earlier"] == []
        stack.decide(case["escalation_id"], "allow")
        asking.result(30)


def test_the_event_of_a_case_is_found_by_its_id(stack: Stack, held: str) -> None:
    event_id = stack.escalation(held)["event_id"]
    event = stack.api().get(f"/v1/events/{event_id}").json()
    assert (event["verdict"], event["escalation_id"]) == ("escalated", held)
    assert stack.api().get("/v1/events/evt_nothing").status_code == 404


def test_claiming_what_another_holds_names_the_holder_and_since_when(stack: Stack, held: str) -> None:
    stack.must(held, "claim", who="reviewer2")
    refused = stack.act(held, "claim")
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["assignee"]) == (409, "already_claimed", "reviewer2")
    assert datetime.fromisoformat(problem["since"]).tzinfo is not None
    assert "reviewer2" in problem["detail"]
    assert refused.headers["x-request-id"] == problem["request_id"]


def test_resolving_what_nobody_holds_says_to_claim_it_first(stack: Stack, held: str) -> None:
    refused = stack.act(held, "resolve", {"resolution": "allow"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_claimed")
    assert "claim it first" in refused.json()["detail"]


def test_resolving_anothers_or_a_resolved_case_says_its_state(stack: Stack, held: str) -> None:
    stack.must(held, "claim", who="reviewer2")
    assert stack.act(held, "resolve", {"resolution": "allow"}).json()["code"] == "not_holder"
    stack.must(held, "resolve", {"resolution": "block"}, "reviewer2")
    again = stack.act(held, "resolve", {"resolution": "allow"}, "reviewer2")
    problem = again.json()
    assert (again.status_code, problem["code"], problem["state"], problem["reviewer"]) == (
        409, "already_resolved", "resolved", "reviewer2",
    )  # fmt: skip


def test_an_expired_case_is_never_called_a_denial(stack: Stack) -> None:
    with stack.settings(sla={"high": "1s", "expire_after": "1s"}):
        held = stack.create()["escalation_id"]
        wait_for(lambda: stack.escalation(held)["status"] == "expired", "the case to expire")
    refused = stack.act(held, "claim")
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (409, "already_expired", "expired")
    gone = stack.api("admin").get(f"/v1/escalations/{held}/response")
    assert (gone.status_code, gone.json()["code"]) == (410, "escalation_expired")
    assert stack.escalation(held)["resolution"] is None


def test_the_note_is_kept_and_shown_to_those_who_may_read_it(stack: Stack, held: str) -> None:
    done = stack.decide(held, "approved", category="false_positive", note="Advisory training content only.")
    assert (done["resolution"], done["category"], done["note"], done["reviewer"]) == (
        "allow", "false_positive", "Advisory training content only.", "reviewer",
    )  # fmt: skip
    assert stack.escalation(held)["note"] == "Advisory training content only."
    assert stack.escalation(held)["resolution_time_seconds"] >= 0
    row = next(
        item
        for item in stack.api().get("/v1/escalations?limit=200").json()["escalations"]
        if item["escalation_id"] == held
    )
    assert row["note"] == "Advisory training content only."


def test_redact_and_allow_without_redactions_strips_what_the_detector_finds(stack: Stack) -> None:
    held = stack.create("Write to jane@roe.example about it.")["escalation_id"]
    stack.decide(held, "redact_and_allow")
    released = stack.api("admin").get(f"/v1/escalations/{held}/response").json()
    assert released["choices"][0]["message"]["content"] == "Write to [EMAIL_ADDRESS] about it."


def test_redact_and_allow_with_nothing_to_redact_is_refused(stack: Stack, held: str) -> None:
    stack.must(held, "claim")
    refused = stack.act(held, "resolve", {"resolution": "redact_and_allow"})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
        422,
        "invalid_redaction",
        "redactions",
    )
    overlapping = [{"start": 0, "end": 5}, {"start": 4, "end": 8}]
    refused = stack.act(held, "resolve", {"resolution": "redact_and_allow", "redactions": overlapping})
    assert "overlaps" in refused.json()["detail"]
    assert stack.escalation(held)["status"] == "claimed"


def test_a_decision_on_what_was_shown_earlier_is_refused_as_stale(stack: Stack, held: str) -> None:
    stack.must(held, "claim")
    for body, code in (({"claim_epoch": 7}, "stale_claim"), ({"content_digest": "0" * 64}, "stale_content")):
        refused = stack.act(held, "resolve", {"resolution": "allow", **body})
        assert (refused.status_code, refused.json()["code"]) == (409, code)


def test_a_setting_demands_category_and_note(stack: Stack) -> None:
    with stack.settings(decisions={"require_note_from": "high"}):
        held = stack.create()["escalation_id"]
    stack.must(held, "claim")
    for body, code in (
        ({}, "category_required"),
        ({"category": "other"}, "note_required"),
        ({"category": "other", "note": "too short"}, "note_required"),
        ({"category": "mine", "note": "long enough now"}, "unknown_category"),
    ):
        refused = stack.act(held, "resolve", {"resolution": "allow", **body})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    stack.must(held, "resolve", {"resolution": "allow", "category": "other", "note": "long enough now"})


def test_escalating_hands_on_to_a_person_a_team_or_the_next_level(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    stack.must(held, "claim")
    on = stack.must(held, "escalate", {"note": "beyond my competence"})
    assert (on["team"], on["assignee"], on["route"]["name"]) == ("default-reviewers", None, "Catch-all")
    last = stack.act(held, "escalate")
    assert (last.status_code, last.json()["code"]) == (409, "no_next_level")
    assert stack.act(held, "escalate", {"to": "team:ghosts"}).json()["field"] == "to"
    to_senior = stack.must(held, "escalate", {"to": "senior@example.com"})
    assert (to_senior["status"], to_senior["assignee"], to_senior["route"]["chosen_by"]) == (
        "claimed",
        "senior",
        "person",
    )
    away = stack.must(held, "escalate", {"to": "team:compliance"}, "senior")
    assert away["team"] == "compliance"
    assert stack.api().get(f"/v1/escalations/{held}").status_code == 404, "it is another team's now"


def test_assigning_extending_unclaiming_and_commenting(stack: Stack, held: str) -> None:
    assert stack.must(held, "assign", {"assignee": "reviewer2"}, "senior")["assignee"] == "reviewer2"
    assert stack.act(held, "assign", {"assignee": "nobody"}, "senior").json()["field"] == "assignee"
    assert stack.act(held, "assign", {"assignee": "auditor"}, "senior").status_code == 422
    before = datetime.fromisoformat(stack.escalation(held)["lease_until"])
    longer = stack.must(held, "extend", {"by": "5h"}, "reviewer2")
    assert datetime.fromisoformat(longer["lease_until"]) > before
    stack.must(held, "comment", {"text": "please look at section 3"})
    assert stack.must(held, "unclaim", who="reviewer2")["status"] == "open"
    texts = [entry["data"].get("text") for entry in stack.history(held)]
    assert "please look at section 3" in texts


def test_withdrawing_is_for_admins_and_consumers(stack: Stack, held: str) -> None:
    assert stack.act(held, "withdraw").status_code == 403
    gone = stack.must(held, "withdraw", who="admin")
    assert (gone["status"], gone["end"]) == ("expired", "withdrawn")


def test_the_history_tells_what_happened_with_its_place_in_the_ledger(stack: Stack, held: str) -> None:
    follow_up = {"kind": "policy_tuning", "text": "narrow the rule", "link": "https://tracker.example/1"}
    stack.decide(held, "block", category="true_positive", note="Confirmed legal advice.", follow_ups=[follow_up])
    entries = stack.history(held)
    assert [entry["type"] for entry in entries] == ["opened", "claimed", "resolved"]
    assert [entry["seq"] for entry in entries] == [1, 2, 3]
    resolved = entries[-1]["data"]
    assert resolved["note"] == "Confirmed legal advice."
    assert json.loads(resolved["follow_ups"][0]["text"]) == {"text": "narrow the rule", "link": follow_up["link"]}
    assert all("/" in entry["ledger"] for entry in entries)


def test_the_explanation_says_which_rule_which_route_and_why_this_deadline(stack: Stack, held: str) -> None:
    told = stack.api().get(f"/v1/escalations/{held}/explain").json()
    assert told["route"]["name"] == "Legal opinions to legal"
    assert told["route"]["considered"][-1] == {"name": "Legal opinions to legal", "verdict": "won"}
    assert told["severity"]["description"] == "Significant policy violation"
    assert "high has a target of 1h" in told["deadline"]["because"]


def test_the_same_key_gets_the_same_answer_and_another_payload_is_refused(stack: Stack, held: str) -> None:
    stack.must(held, "claim")
    headers = {"Idempotency-Key": "decide-once"}
    body = {"resolution": "block", "note": "Confirmed legal advice."}
    path = f"/v1/escalations/{held}/resolve"
    first, again = (stack.api().post(path, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["version"] == first.json()["version"]
    other = stack.api().post(path, json={**body, "note": "Another note altogether."}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    somebody = stack.api("reviewer2").post(path, json=body, headers=headers)
    assert somebody.json()["code"] == "already_resolved", "another person's key is another key"


def test_identity_is_the_tokens_and_never_the_bodys(stack: Stack, held: str) -> None:
    for body in ({"actor": "admin"}, {"reviewer": "admin"}, {"resolution": "allow", "reviewer": "admin"}):
        assert stack.act(held, "resolve", body).status_code == 422
    claimed = stack.api().post(f"/v1/escalations/{held}/claim", json={"actor": "admin"}, headers={"X-User": "admin"})
    assert claimed.json()["assignee"] == "reviewer"


def test_fifty_claims_at_once_have_one_winner_and_forty_nine_true_refusals(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    people = ("reviewer", "reviewer2", "senior")
    before = len(stack.events(held))

    def claim(number: int) -> tuple[str, httpx.Response]:
        who = people[number % 3]
        headers = {"authorization": f"Bearer {stack.token(who)}", "Idempotency-Key": f"{number}"}
        return who, httpx.post(f"{stack.info['api_url']}/v1/escalations/{held}/claim", headers=headers, timeout=60)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(claim, range(50)))
    holder = stack.escalation(held)["assignee"]
    won = [who for who, answer in answers if answer.status_code == 200]
    lost = [answer.json() for _, answer in answers if answer.status_code == 409]
    assert set(won) == {holder}, "the holder's other claims change nothing; nobody else's succeed"
    assert len(won) + len(lost) == 50
    assert {problem["code"] for problem in lost} == {"already_claimed"}
    assert {problem["assignee"] for problem in lost} == {holder}
    assert len(stack.events(held)) == before + 1


def test_refused_attempts_are_in_the_ledger_and_repeats_are_counted(stack: Stack, held: str) -> None:
    stack.must(held, "claim", who="reviewer2")
    for _ in range(30):
        assert stack.act(held, "claim").status_code == 409

    def counted() -> int:
        entries = [e for e in ledger_entries(stack) if e["type"] == "escalation.refused" and e["escalation_id"] == held]
        return sum(entry["data"]["count"] for entry in entries) if len(entries) < 30 else -1

    wait_for(lambda: counted() == 30, "thirty refusals in fewer entries")


def ledger_entries(stack: Stack) -> list[dict[str, Any]]:
    import sqlite3

    found = []
    for file in sorted((stack.data_dir / "ledger").glob("*.ledger")):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            found += [json.loads(row[0]) for row in connection.execute("SELECT entry FROM ledger ORDER BY seq")]
    return found


def test_the_ledgers_entry_of_a_resolution_has_the_documented_fields(stack: Stack, held: str) -> None:
    stack.decide(held, "block", note="Confirmed high-risk legal advice.")
    [entry] = [e for e in ledger_entries(stack) if e["type"] == "escalation.resolved" and e["escalation_id"] == held]
    resolution = entry["data"]["escalation_resolution"]
    assert set(resolution) >= {"escalation_id", "action", "reviewer", "note", "resolution_time_seconds"}
    assert (resolution["escalation_id"], resolution["action"], resolution["reviewer"]) == (held, "block", "reviewer")
    assert len(resolution["note"]) == 64, "the note itself is in the vault; the ledger holds its keyed digest"


def test_reading_content_is_in_the_ledger(stack: Stack, held: str) -> None:
    stack.escalation(held, "auditor", include="context")
    reads = [e for e in ledger_entries(stack) if e["type"] == "content.read" and e["escalation_id"] == held]
    assert [(entry["actor"]["id"], entry["data"]["what"]) for entry in reads] == [("auditor", "context")]


def test_who_gets_a_case_handed_on_is_told_on_their_own_channel_too(stack: Stack) -> None:
    own = {"teams": {"compliance": "compliance-desk"}}
    with stack.settings(notification_channels={"compliance-desk": {"type": "log"}}, notification_defaults=own):
        held = stack.create()["escalation_id"]
        before = stack.must(held, "claim")["route"]
        after = stack.must(held, "escalate", {"to": "team:compliance"})["route"]
    assert (after["channel"], after["also"]) == (before["channel"], ["compliance-desk"]), after


def test_a_person_to_whom_a_case_is_handed_over_is_told_on_their_own_channel(stack: Stack) -> None:
    own = {"users": {"senior@example.com": "senior-desk"}}
    with stack.settings(notification_channels={"senior-desk": {"type": "log"}}, notification_defaults=own):
        held = stack.create()["escalation_id"]
        stack.must(held, "claim")
        stack.must(held, "assign", {"assignee": "senior"})
        stack.must(held, "assign", {"assignee": "reviewer2"}, "senior")
    own_channels = [entry["data"].get("own_channel") for entry in stack.history(held) if entry["type"] == "assigned"]
    assert own_channels == ["senior-desk", None]
