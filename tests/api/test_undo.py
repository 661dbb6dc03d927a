"""The moment in which a decision can be undone, over HTTP, with kt, and through the death of the worker."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from tests.support.model import FakeModel
from tests.support.stack import Stack, running_stack, wait_for


def pending(stack: Stack, held: str) -> str | None:
    code = stack.api("admin").get(f"/v1/escalations/{held}/response").json().get("code")
    return None if code is None else str(code)


def test_a_decision_is_undone_before_it_counts(stack: Stack) -> None:
    with stack.settings(decisions={"undo_window": "5m"}):
        held = stack.create()["escalation_id"]
    shown = stack.decide(held, "allow", note="Fine as it stands.")
    assert (shown["status"], shown["resolution"], shown["note"]) == ("claimed", None, None)
    assert shown["pending"]["resolution"] == "allow"
    assert stack.escalation(held)["pending"]["note"] == "Fine as it stands."
    assert pending(stack, held) == "escalation_pending"
    for verb, who in (("unclaim", "reviewer"), ("escalate", "senior"), ("claim", "reviewer2")):
        refused = stack.act(held, verb, who=who)
        assert (refused.status_code, refused.json()["code"]) == (409, "already_decided")
    assert stack.act(held, "undo", who="reviewer2").json()["code"] == "not_holder"
    back = stack.must(held, "undo", {"note": "Wrong case."})
    assert (back["status"], back["assignee"], back["pending"]) == ("claimed", "reviewer", None)
    assert stack.act(held, "undo").json()["code"] == "nothing_to_undo"
    told = stack.kt("escalation", "resolve", held, "--resolution", "block").splitlines()
    assert told[0] == f"decided escalation {held}"
    assert told[1].startswith("block counts from 20")
    assert told[1].endswith(f": kt escalation undo {held}")
    assert stack.kt("escalation", "undo", held, "--note", "again") == f"undone; reviewer holds escalation {held}\n"
    assert [entry["type"] for entry in stack.history(held)][1:] == ["claimed", "decided", "undone", "decided", "undone"]
    stack.must(held, "withdraw", who="admin")


def test_a_decision_counts_when_nobody_undoes_it(stack: Stack) -> None:
    with stack.settings(decisions={"undo_window": "1s"}):
        held = stack.create()["escalation_id"]
    stack.decide(held, "allow")
    done = wait_for(lambda: (found := stack.escalation(held))["status"] == "resolved" and found, "the release")
    assert (done["resolution"], done["reviewer"], done["pending"]) == ("allow", "reviewer", None)
    assert pending(stack, held) is None
    by_type = {entry["type"]: entry for entry in stack.history(held)}
    release_at = datetime.fromisoformat(by_type["decided"]["data"]["release_at"])
    assert datetime.fromisoformat(by_type["resolved"]["at"]) >= release_at
    assert by_type["resolved"]["actor"] == "reviewer"


def test_the_window_survives_the_death_of_the_worker(tmp_path: Path, model: FakeModel) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"decisions": {"undo_window": "8s"}}))
    options = ("--upstream", model.url, "--escalation-config", str(settings))
    with running_stack(tmp_path / "stack", *options) as mortal:
        undone, released = (mortal.create()["escalation_id"] for _ in range(2))
        for held in (undone, released):
            mortal.decide(held, "allow")
        mortal.back("worker", mortal.kill("worker"))
        headers = {"Idempotency-Key": "undo"}
        path = f"/v1/escalations/{undone}/undo"

        def undo() -> bool:
            answer = mortal.api().post(path, json={}, headers=headers)
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code == 200

        wait_for(undo, "the undo")
        wait_for(lambda: mortal.escalation(released)["status"] == "resolved", "the release")
        assert pending(mortal, undone) == "escalation_pending"
        assert mortal.escalation(undone)["status"] == "claimed"
        assert mortal.events(released).count("resolved") == 1
