"""Deciding several at once, over HTTP and with kt: as strict as one by one, and refused as a whole."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.test_taking import desk, made
from tests.support.stack import Stack, wait_for

WHY = "The same template letter again."


def bulk(
    stack: Stack, who: str, cases: list[str], resolution: str = "block", key: str | None = None, **body: Any
) -> httpx.Response:
    items = [{"escalation_id": case, "note": f"{WHY} {number}"} for number, case in enumerate(cases)]
    headers = {"Idempotency-Key": key} if key else {}
    sent = {"resolution": resolution, "items": items, **body}
    return stack.api(who).post("/v1/escalations/bulk", json=sent, headers=headers)


def refused(answer: httpx.Response, status: int, code: str, case: str | None = None) -> str:
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem.get("escalation_id")) == (status, code, case), problem
    return str(problem["detail"])


def test_all_are_decided_each_with_its_note_as_if_one_by_one(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        cases = [made(stack, kind) for _ in range(5)]
        stack.must(cases[2], "claim", who=ana)
        answer = bulk(stack, ana, cases, category="true_positive")
        assert answer.status_code == 200, answer.text
    assert answer.json()["decided"] == 5
    assert [one["escalation_id"] for one in answer.json()["results"]] == cases
    for number, case in enumerate(cases):
        found = stack.escalation(case)
        assert (found["resolution"], found["category"], found["note"], found["reviewer"]) == (
            "block", "true_positive", f"{WHY} {number}", ana,
        )  # fmt: skip
        assert stack.events(case) == ["opened", "claimed", "resolved"]


def test_a_case_that_another_holds_stops_the_whole_list(stack: Stack) -> None:
    with desk(stack, 2) as ([ana, ben], kind):
        cases = [made(stack, kind) for _ in range(3)]
        stack.must(cases[1], "claim", who=ben)
        told = refused(bulk(stack, ana, cases), 409, "already_claimed", cases[1])
        assert told.startswith(f"{cases[1]}: {ben} holds this escalation")
        assert told.endswith("nothing was decided")
    assert [stack.events(case) for case in cases] == [["opened"], ["opened", "claimed"], ["opened"]]


def test_a_case_of_one_s_own_stops_the_whole_list_even_an_admin_s(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        theirs, own = made(stack, kind), made(stack, kind)
        stack.hire(f"{ana}-lead", roles=("admin",))
        other = made(stack, kind, who=f"{ana}-lead")
        refused(bulk(stack, f"{ana}-lead", [theirs, own, other]), 403, "conflict_of_interest", other)
    assert [stack.events(case) for case in (theirs, own, other)] == [["opened"]] * 3


def test_a_note_that_the_settings_find_too_short_stops_it_and_gives_back_what_was_claimed(stack: Stack) -> None:
    with desk(stack) as ([ana], kind), stack.settings(decisions={"require_note_from": "high"}):
        cases = [made(stack, kind) for _ in range(2)]
        held = made(stack, kind)
        stack.must(held, "claim", who=ana)
        items = [{"escalation_id": case, "note": WHY} for case in (*cases[:1], held)]
        items.append({"escalation_id": cases[1], "note": "No."})
        body = {"resolution": "block", "category": "other", "items": items}
        refused(stack.api(ana).post("/v1/escalations/bulk", json=body), 422, "note_required", cases[1])
        assert stack.escalation(held)["assignee"] == ana
    assert [stack.escalation(case)["status"] for case in cases] == ["open", "open"]
    assert stack.events(cases[0]) == ["opened", "claimed", "unclaimed"]


def test_the_list_itself_must_keep_the_rules(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        case, critical = made(stack, kind), made(stack, kind, severity="critical")
        assert "critical" in refused(bulk(stack, ana, [case, critical]), 422, "not_together", critical)
        refused(bulk(stack, ana, [case, case]), 422, "not_together", case)
        refused(bulk(stack, ana, [case], "redact_and_allow"), 422, "not_together")
        refused(bulk(stack, ana, [case] * 51), 422, "not_together")
        refused(bulk(stack, ana, [case, "esc_none"]), 404, "not_found", "esc_none")
        refused(bulk(stack, "auditor", [case]), 403, "not_allowed", case)
        refused(bulk(stack, ana, [case], category="nonsense"), 422, "unknown_category", case)
        missing = {"resolution": "block", "items": [{"escalation_id": case, "note": ""}]}
        assert stack.api(ana).post("/v1/escalations/bulk", json=missing).json()["field"] == "items.0.note"
    other = stack.create(policy_rule="another-policy")["escalation_id"]
    mine = stack.create()["escalation_id"]
    assert "one policy" in refused(bulk(stack, "senior", [mine, other]), 422, "not_together", other)
    assert stack.events(case) == ["opened", "claimed", "unclaimed"]


def test_where_two_people_decide_it_proposes(stack: Stack) -> None:
    with desk(stack, 2) as ([ana, ben], kind):
        decisions = {"approvals": [{"match": {"policy_rule": kind["policy_rule"]}, "required": 2}]}
        with stack.settings(decisions=decisions):
            cases = [made(stack, kind) for _ in range(2)]
        results = bulk(stack, ana, cases, "allow").json()["results"]
        assert [(one["status"], one["proposed"]) for one in results] == [("open", True)] * 2
        refused(bulk(stack, ana, cases, "allow"), 403, "not_independent", cases[0])
        refused(bulk(stack, ben, cases, "allow"), 409, "already_proposed", cases[0])
        assert stack.escalation(cases[0])["status"] == "open"
        number = stack.escalation(cases[0])["proposal"]["number"]
        assert stack.must(cases[0], "approve", {"proposal": number}, ben)["resolution"] == "allow"


def test_where_a_decision_can_be_undone_all_of_them_can(stack: Stack) -> None:
    with desk(stack) as ([ana], kind), stack.settings(decisions={"undo_window": "5m"}):
        cases = [made(stack, kind) for _ in range(2)]
        results = bulk(stack, ana, cases).json()["results"]
        assert [(one["pending"], one["resolution"]) for one in results] == [(True, None)] * 2
        assert stack.must(cases[1], "undo", who=ana)["status"] == "claimed"
        told = stack.kt("escalation", "bulk", "--resolution", "block", "--item", f"{cases[1]}={WHY}", who=ana)
        assert told == f"1/1 {cases[1]} decided, and can still be undone\n"


def test_two_who_reach_for_the_same_list_do_not_share_it(stack: Stack) -> None:
    with desk(stack, 2) as (people, kind):
        cases = [made(stack, kind) for _ in range(6)]
        for who in people:
            stack.api(who)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda who: bulk(stack, who, cases), people))
    winners = [answer for answer in answers if answer.status_code == 200]
    reviewers = {stack.escalation(case)["reviewer"] for case in cases}
    assert len(winners) <= 1
    assert reviewers == ({None} if not winners else {people[answers.index(winners[0])]})


def test_the_same_key_gets_the_same_answer_and_another_list_is_refused(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        cases = [made(stack, kind) for _ in range(2)]
        first = bulk(stack, ana, cases, key=f"key-{ana}")
        assert first.status_code == 200, first.text
        assert bulk(stack, ana, cases, key=f"key-{ana}").json() == first.json()
        refused(bulk(stack, ana, cases, "allow", key=f"key-{ana}"), 422, "idempotency_key_reused", cases[0])
        refused(bulk(stack, ana, cases), 409, "already_resolved", cases[0])


def test_kt_tells_each_as_it_is_decided(stack: Stack, tmp_path: Path) -> None:
    with desk(stack) as ([ana], kind):
        first, second, third = (made(stack, kind) for _ in range(3))
        file = tmp_path / "notes.txt"
        file.write_text(f"# from the morning\n{first}   {WHY}\n\n")
        told = stack.kt(
            "escalation", "bulk", "--resolution", "blocked", "--file", str(file), "--item", f"{second}={WHY}", who=ana
        )
        assert told == f"1/2 {second} block\n2/2 {first} block\n"
        assert stack.escalation(first)["note"] == WHY
        again = stack.kt("escalation", "bulk", "--resolution", "block", "--item", f"{first}={WHY}", who=ana, code=6)
        assert "already resolved" in again
        asked = ("escalation", "bulk", "--resolution", "allow", "--file", "-", "--json")
        found = json.loads(stack.kt(*asked, stdin=f"{third} {WHY}\n", who=ana))
        assert (found["decided"], found["results"][0]["resolution"]) == (1, "allow")
        assert "notes.txt:1: an escalation and a note" in stack.kt(
            "escalation", "bulk", "--resolution", "allow", "--file", _one_line(tmp_path), who=ana, code=2
        )
        assert "--item" in stack.kt("escalation", "bulk", "--resolution", "allow", who=ana, code=2)


def _one_line(directory: Path) -> str:
    (directory / "notes.txt").write_text("esc_1\n")
    return str(directory / "notes.txt")


def test_a_client_that_goes_away_leaves_no_list_half_decided(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        cases = [made(stack, kind) for _ in range(12)]
        items = [{"escalation_id": case, "note": WHY} for case in cases]
        sent = {"resolution": "block", "items": items}
        headers = {"accept": "application/x-ndjson"}
        with stack.api(ana).stream("POST", "/v1/escalations/bulk", json=sent, headers=headers) as answer:
            assert json.loads(next(answer.iter_lines()))["escalation_id"] == cases[0]
        wait_for(lambda: all(stack.escalation(case)["resolution"] for case in cases), "the rest to be decided")


@pytest.mark.parametrize("word", ["allow", "block"])
def test_what_leaves_is_what_was_decided(stack: Stack, word: str) -> None:
    with desk(stack) as ([ana], kind):
        case = made(stack, kind, answer="Terminate.")
        bulk(stack, ana, [case], word)
    answer = stack.api("admin").get(f"/v1/escalations/{case}/response")
    assert answer.status_code == {"allow": 200, "block": 403}[word]
