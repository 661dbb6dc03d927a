"""Decisions by more than one, over HTTP and with kt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.stack import Stack

FOUR_EYES = {"match": {"policy_rule": "human-oversight.four_eyes"}, "required": 2}
NAMED = {"match": {"policy_rule": "named_approvers"}, "required": 2, "approvers": ["other_team_reviewer", "senior"]}


@pytest.fixture(scope="module", autouse=True)
def approvals(stack: Stack) -> Iterator[None]:
    before = stack.api("admin").get("/v1/settings").json()["settings"]
    with stack.settings(decisions={**before["decisions"], "approvals": [FOUR_EYES, NAMED]}):
        yield


@pytest.fixture
def held(stack: Stack) -> str:
    return str(stack.create("Write to jane@roe.example now.", reason_code="four_eyes")["escalation_id"])


def pending(stack: Stack, held: str) -> str:
    answer = stack.api("admin").get(f"/v1/escalations/{held}/response")
    return str(answer.json().get("code") or answer.json()["choices"][0]["message"]["content"])


def test_one_proposes_and_nothing_leaves_until_another_confirms(stack: Stack, held: str) -> None:
    proposed = stack.decide(held, "redact_and_allow", note="The address is private.")
    assert (proposed["status"], proposed["resolution"], proposed["assignee"], proposed["note"]) == (
        "open", None, None, None,
    )  # fmt: skip
    shown = stack.escalation(held, "reviewer2", include="context")
    proposal = shown["proposal"]
    assert (proposal["resolution"], proposal["reviewer"], proposal["missing"], proposal["note"]) == (
        "redact_and_allow", "reviewer", 1, "The address is private.",
    )  # fmt: skip
    text = shown["context"]["proposed_answer"]["choices"][0]["message"]["content"]
    assert text == "Write to [EMAIL_ADDRESS] now."
    assert pending(stack, held) == "escalation_pending"
    done = stack.must(held, "approve", {"proposal": proposal["number"], "note": "Seen."}, "reviewer2")
    assert (done["resolution"], done["reviewer"], done["approved_by"]) == (
        "redact_and_allow",
        "reviewer",
        ["reviewer2"],
    )
    assert pending(stack, held) == text
    assert stack.events(held)[-3:] == ["proposed", "approved", "resolved"]
    entry = next(entry for entry in stack.history(held) if entry["type"] == "approved")
    assert (entry["actor"], entry["data"]["note"]) == ("reviewer2", "Seen.")
    assert stack.escalation(held)["note"] == "The address is private."


def number(stack: Stack, held: str) -> int:
    """That of the proposal that stands."""
    return int(stack.escalation(held)["proposal"]["number"])


def approve(stack: Stack, held: str, who: str) -> httpx.Response:
    """What stands is confirmed, or not."""
    return stack.act(held, "approve", {"proposal": number(stack, held)}, who)


def test_who_had_their_say_cannot_confirm_and_the_attempt_is_on_the_record(stack: Stack, held: str) -> None:
    stack.must(held, "claim", who="reviewer2")
    stack.must(held, "escalate", {"to": "team:legal"}, "reviewer2")
    stack.decide(held, "allow")
    for who in ("reviewer", "reviewer2"):
        refused = approve(stack, held, who)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_independent")
        stack.kt("escalation", "claim", held, who=who, code=1)
    assert approve(stack, held, "admin").json()["code"] == "conflict_of_interest", "it is the admin's request"
    assert approve(stack, held, "senior").status_code == 200
    ledger = (stack.data_dir / "ledger").glob("*")
    assert any(b"not_independent" in path.read_bytes() for path in ledger if path.is_file())


def test_an_objection_takes_it_off_the_table(stack: Stack, held: str) -> None:
    stack.decide(held, "allow")
    number = stack.escalation(held)["proposal"]["number"]
    assert stack.act(held, "object", {}, "reviewer2").json()["field"] == "note"
    back = stack.must(held, "object", {"note": "It names a person."}, "reviewer2")
    assert (back["status"], back["proposal"]) == ("open", None)
    assert stack.history(held)[-1]["data"]["note"] == "It names a person."
    late = stack.act(held, "approve", {"proposal": number}, "senior")
    assert (late.status_code, late.json()["code"]) == (409, "nothing_proposed")
    stack.decide(held, "block")
    stale = stack.act(held, "approve", {"proposal": number}, "reviewer2")
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_proposal")
    stack.must(held, "claim", who="reviewer2")
    twice = stack.act(held, "resolve", {"resolution": "allow"}, "reviewer2")
    assert (twice.status_code, twice.json()["code"]) == (409, "already_proposed")
    unnamed = stack.act(held, "approve", {}, "reviewer2")
    assert (unnamed.status_code, unnamed.json()["field"]) == (422, "proposal")
    assert approve(stack, held, "reviewer2").json()["resolution"] == "block"


def test_named_approvers_see_what_waits_for_them_and_nobody_else_confirms(stack: Stack) -> None:
    held = stack.create(reason_code="named_approvers")["escalation_id"]
    outsider = stack.api("other_team_reviewer")
    assert outsider.get(f"/v1/escalations/{held}").status_code == 404
    stack.decide(held, "block")
    assert approve(stack, held, "reviewer2").json()["code"] == "not_allowed"
    listed = outsider.get("/v1/escalations", params={"status": "open"}).json()["escalations"]
    assert held in [item["escalation_id"] for item in listed]
    assert approve(stack, held, "other_team_reviewer").status_code == 200
    assert stack.escalation(held, "other_team_reviewer")["resolution"] == "block"


def test_kt_proposes_approves_and_objects(stack: Stack, held: str) -> None:
    stack.kt("escalation", "claim", held)
    told = stack.kt("escalation", "resolve", held, "--resolution", "blocked", "--note", "not for release")
    assert told.splitlines() == [
        f"decided escalation {held}",
        "block is proposed by reviewer; 1 more must confirm it: "
        f"kt escalation approve {held} --proposal {number(stack, held)}",
    ]
    told = stack.kt("escalation", "approve", held, "--proposal", "999", who="reviewer2", code=6)
    assert "another decision is proposed now" in told
    objected = stack.kt("escalation", "object", held, "--note", "why?", who="reviewer2")
    assert objected == f"objected; escalation {held} waits for a new decision\n"
    stack.kt("escalation", "claim", held)
    stack.kt("escalation", "resolve", held, "--resolution", "blocked")
    assert "somebody else has to confirm" in stack.kt("escalation", "approve", held, code=1)
    assert stack.kt("escalation", "approve", held, who="reviewer2") == f"approved escalation {held}\n"
    assert json.loads(stack.kt("escalation", "get", held, "--json"))["approved_by"] == ["reviewer2"]


def test_repeating_an_approval_with_its_key_counts_once(stack: Stack, held: str) -> None:
    stack.decide(held, "allow")
    path, key = f"/v1/escalations/{held}/approve", {"Idempotency-Key": "once"}
    body = {"proposal": number(stack, held)}
    answers = [stack.api("reviewer2").post(path, json=body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert stack.events(held).count("approved") == 1


@pytest.mark.parametrize(
    ("approval", "written", "told"),
    [
        ({"match": {"any": True}, "required": 9}, "required: 9", "required: 9 people must agree"),
        ({"match": {"any": True}, "required": 2, "approvers": ["auditor"]}, "approvers:", "1 must confirm"),
        ({"match": {"any": True}, "required": 2, "approvers": ["ghost"]}, "- ghost", "no team or active user 'ghost'"),
    ],
)
def test_a_rule_that_leaves_nobody_eligible_is_refused_with_its_line(
    stack: Stack, tmp_path: Path, approval: dict[str, Any], written: str, told: str
) -> None:
    before = stack.api("admin").get("/v1/settings").json()
    changed = {**before["settings"], "decisions": {"approvals": [FOUR_EYES, approval]}}
    refused = stack.api("admin").put("/v1/settings", json=changed)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert refused.json()["field"].startswith("decisions.approvals.1.")
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump(changed, sort_keys=False))
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if text.strip() == written)
    shown = stack.kt("settings", "apply", "--file", str(file), who="admin", code=2)
    assert f"{file}:{line}:" in shown
    assert told in shown
    assert stack.api("admin").get("/v1/settings").json()["version"] == before["version"]
