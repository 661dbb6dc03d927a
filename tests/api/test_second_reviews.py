"""Blind second reviews over HTTP and with kt, on real workflows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.test_revealing import held
from tests.support.stack import LEGAL, Stack, wait_for

CONTENT = "/choices/0/message/content"


@pytest.fixture
def finding(stack: Stack) -> Iterator[str]:
    """What a policy finds whose every case is looked at twice."""
    name = f"twice-{uuid4().hex[:8]}"
    second = {"share": "100%", "policy_rule": [name], "wait": "1h"}
    with stack.settings(decisions={"second_review": second}):
        yield name
    for who in ("reviewer2", "senior"):
        while (left := ask(stack, who, "next")).status_code == 200:
            ask(stack, who, f"{left.json()['review_id']}/resolve", {"resolution": "block"})


def decided(stack: Stack, policy: str, resolution: str = "allow", **body: Any) -> str:
    """A case that the first reviewer has decided, as soon as its second review waits."""
    held = str(stack.create(policy_rule=policy, reason_code=policy, **body)["escalation_id"])
    stack.decide(held, resolution)
    wait_for(lambda: waiting(stack, held), f"the second review of {held}")
    return held


def waiting(stack: Stack, escalation_id: str) -> str | None:
    """The id of its second review, as an admin sees it."""
    found = stack.api("admin").get("/v1/second-reviews").json()["second_reviews"]
    ids = [str(one["review_id"]) for one in found if one["escalation_id"] == escalation_id]
    return ids[0] if ids else None


def ask(stack: Stack, who: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    return stack.api(who).post(f"/v1/second-reviews/{path}", json=body or {}, headers=headers)


def listed(stack: Stack, who: str, escalation_id: str, finding: str) -> dict[str, Any]:
    page = stack.api(who).get("/v1/escalations", params={"policy": finding, "limit": 200}).json()
    return next(one for one in page["escalations"] if one["escalation_id"] == escalation_id)


def test_another_looks_at_it_again_without_knowing_how_it_was_decided(stack: Stack, finding: str) -> None:
    held = decided(stack, finding, answer="Ask ana@example.com.", request={"prompt": "whom?"})
    taken = ask(stack, "reviewer2", "next")
    assert taken.status_code == 200, taken.text
    review = taken.json()["review_id"]
    assert [word for word in (held, "allow", '"reviewer"') if word in taken.text] == []
    assert taken.json()["context"]["texts"] == [{"path": CONTENT, "text": "Ask ana@example.com."}]
    shown = listed(stack, "reviewer2", held, finding)
    assert (shown["resolution"], shown["reviewer"], shown["assignee"], shown["note"]) == (None, None, None, None)
    for path in ("", "/history", "/explain", "/response"):
        closed = stack.api("reviewer2").get(f"/v1/escalations/{held}{path}")
        assert (closed.status_code, closed.json()["code"]) == (403, "not_independent"), path
    assert stack.act(held, "claim", who="reviewer2").json()["code"] == "not_independent"
    done = ask(stack, "reviewer2", f"{review}/resolve", {"resolution": "blocked", "note": "It names a person."})
    assert done.status_code == 200, done.text
    assert (done.json()["escalation_id"], done.json()["agrees"]) == (held, False)
    assert done.json()["first_decision"] == {"resolution": "allow", "category": "other"}
    assert stack.escalation(held, "reviewer2")["resolution"] == "allow"
    assert stack.api("admin").get(f"/v1/escalations/{held}/response").status_code == 200
    again = ask(stack, "reviewer2", f"{review}/resolve", {"resolution": "allow"})
    assert (again.status_code, again.json()["code"]) == (409, "already_resolved")
    ledger = b"".join(path.read_bytes() for path in (stack.data_dir / "ledger").glob("*") if path.is_file())
    for kind in (b"second_review.opened", b"second_review.claimed", b"second_review.done"):
        assert kind in ledger
    assert b"It names a person." not in ledger


def test_nobody_takes_it_who_had_a_part_or_sees_everything(stack: Stack, finding: str) -> None:
    held = decided(stack, finding)
    review = waiting(stack, held)
    assert ask(stack, "reviewer", "next").status_code == 404
    assert ask(stack, "other_team_reviewer", "next").status_code == 404
    assert ask(stack, "other_team_reviewer", f"{review}/resolve", {"resolution": "allow"}).status_code == 404
    assert ask(stack, "admin", "next").json()["code"] == "not_allowed"
    assert ask(stack, "auditor", "next").status_code == 403
    for who in ("reviewer2", "senior"):
        refused = ask(stack, who, f"{review}/resolve", {"resolution": "allow"})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_holder")
    mine = stack.api("reviewer").get("/v1/second-reviews").json()["second_reviews"]
    assert review not in [one["review_id"] for one in mine]


def test_who_has_opened_the_case_does_not_review_it_again(stack: Stack, finding: str) -> None:
    held = decided(stack, finding)
    assert stack.escalation(held, "reviewer2")["resolution"] == "allow"
    assert ask(stack, "reviewer2", "next").status_code == 404
    assert listed(stack, "reviewer2", held, finding)["resolution"] == "allow"
    assert listed(stack, "senior", held, finding)["resolution"] is None
    assert ask(stack, "senior", "next").json()["review_id"] == waiting(stack, held)


def test_personal_data_is_masked_as_in_the_case(stack: Stack) -> None:
    second = {"share": "100%", "policy_rule": ["human-oversight"], "wait": "1h"}
    with stack.settings(decisions={"second_review": second}):
        case = held(stack, "shown-to-people", f"twice {LEGAL} ANSWER: Ask ana@example.com.")
        stack.decide(case, "allow")
        wait_for(lambda: waiting(stack, case), "its second review")
    taken = ask(stack, "reviewer2", "next")
    assert "ana@example.com" not in taken.text
    context = stack.escalation(case, include="context")["context"]
    assert taken.json()["context"]["masked"] == context["masked"] > 0
    assert taken.json()["context"]["texts"] == context["texts"]
    done = ask(stack, "reviewer2", f"{taken.json()['review_id']}/resolve", {"resolution": "allow"})
    assert done.json()["escalation_id"] == case


def test_it_is_given_back_and_a_repeated_word_is_the_same_answer(stack: Stack, finding: str) -> None:
    held = decided(stack, finding, "block")
    review = ask(stack, "reviewer2", "next").json()["review_id"]
    assert ask(stack, "reviewer2", "next").json()["review_id"] == review
    assert ask(stack, "senior", "next").status_code == 404
    assert ask(stack, "reviewer2", f"{review}/unclaim").json()["status"] == "open"
    assert ask(stack, "senior", "next").json()["review_id"] == review == waiting(stack, held)
    key = {"Idempotency-Key": f"again-{review}"}
    bad = ask(stack, "senior", f"{review}/resolve", {"resolution": "block", "category": "nonsense"})
    assert (bad.status_code, bad.json()["code"]) == (422, "unknown_category")
    first = ask(stack, "senior", f"{review}/resolve", {"resolution": "block"}, **key)
    assert first.json()["agrees"] is True
    assert waiting(stack, held) is None
    assert ask(stack, "senior", f"{review}/resolve", {"resolution": "block"}, **key).json() == first.json()
    other = ask(stack, "senior", f"{review}/resolve", {"resolution": "allow"}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_what_nobody_does_in_time_is_over_and_keeps_nothing_back(stack: Stack) -> None:
    name = f"late-{uuid4().hex[:8]}"
    with stack.settings(decisions={"second_review": {"share": "100%", "policy_rule": name, "wait": "1s"}}):
        held = stack.create(policy_rule=name, reason_code=name)["escalation_id"]
        stack.decide(held, "allow")
    wait_for(lambda: listed(stack, "reviewer2", held, name)["resolution"], "the end of the second review")
    assert waiting(stack, held) is None
    assert ask(stack, "reviewer2", "next").status_code == 404
    assert stack.escalation(held, "reviewer2")["resolution"] == "allow"


def test_kt_takes_decides_and_reports(stack: Stack, finding: str) -> None:
    held = decided(stack, finding, "block", answer="You must not.")
    review = waiting(stack, held)
    assert str(review) in stack.kt("second-review", "list", who="reviewer2")
    assert "You must not." in stack.kt("second-review", "next", who="reviewer2")
    assert json.loads(stack.kt("second-review", "get", str(review), "--json", who="reviewer2"))["mine"] is True
    told = stack.kt("second-review", "resolve", str(review), "--resolution", "block", who="reviewer2")
    assert told == f"block, as the first reviewer did: escalation {held}\n"
    other = decided(stack, finding, "allow")
    review = json.loads(stack.kt("second-review", "next", "--json", who="reviewer2"))["review_id"]
    told = stack.kt("second-review", "resolve", review, "--resolution", "allow", who="reviewer2")
    assert told.endswith(f"{other}\n")
    assert "no second review waits" in stack.kt("second-review", "next", who="reviewer2", code=5)
    report = stack.api("senior").get("/v1/second-reviews/report").json()
    assert report["by_policy"][finding] == {"count": 2, "agreed": 2, "rate": 1.0, "kappa": 1.0}
    assert report["by_reviewer"]["reviewer"]["count"] >= 2
    table = stack.kt("second-review", "report", who="senior")
    row = next(line for line in table.splitlines() if line.startswith(f"policy:{finding}"))
    assert row.split()[1:] == ["2", "2", "100.0%", "1.00"]
    assert stack.api("reviewer").get("/v1/second-reviews/report").status_code == 403
    empty = stack.kt("second-review", "report", "--since", "2020-01-01", "--until", "2020-01-02", who="senior")
    assert "no data" in empty


def test_what_is_not_sampled_is_not_looked_at_again(stack: Stack, finding: str) -> None:
    once = f"{finding}-once"
    held = stack.create(policy_rule=once, reason_code=once)["escalation_id"]
    stack.decide(held, "allow")
    sampled = decided(stack, finding)
    assert waiting(stack, held) is None
    assert listed(stack, "reviewer2", held, once)["resolution"] == "allow"
    assert waiting(stack, sampled) is not None
