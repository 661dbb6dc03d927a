"""What is masked, and who may see it: reviewers see stars and tokens, a role with the right more, on the record."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.api.test_cases import ledger_entries
from tests.support.model import FakeModel
from tests.support.stack import LEGAL, Stack, wait_for

MAIL, PHONE = "jane.roe@reveal.example", "+1 415 555 2671"
REASON = "the requester has to be called back"
_numbers = iter(range(10**6))


def ask(stack: Stack, group: str, text: str, *, stream: bool = False) -> httpx.Response:
    """A request by a consumer of its own, in a group."""
    admin, name = stack.api("admin"), f"reveal-{group}-{next(_numbers)}"
    assert admin.post("/v1/consumers", json={"consumer_id": name, "consumer_group": group}).status_code == 201
    key = admin.post("/v1/tokens", json={"consumer_id": name}).json()["token"]
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], "stream": stream}
    url = f"{stack.info['gateway_url']}/v1/chat/completions"
    return httpx.post(url, json=body, headers={"authorization": f"Bearer {key}"}, timeout=60)


def held(stack: Stack, group: str, text: str) -> str:
    answer = ask(stack, group, text)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["escalation"]["id"])


def reveals(stack: Stack, subject: str) -> list[dict[str, Any]]:
    entries = [entry for entry in ledger_entries(stack) if entry["type"] == "content.revealed"]
    return [entry for entry in entries if subject in (entry["escalation_id"], entry["data"]["event"])]


def test_a_reviewer_sees_tokens_and_a_senior_what_they_stand_for(stack: Stack, model: FakeModel) -> None:
    text = f"tokens of a case: {LEGAL} Write to {MAIL}. ANSWER: In our opinion {MAIL} may be told by {PHONE}."
    case = held(stack, "tokenized", text)
    assert model.asked("tokens of a case") == 1
    assert model.asked(MAIL) == 0, "the model gets the token too"
    for who in ("reviewer", "senior", "admin"):
        context = stack.escalation(case, who, include="context")["context"]
        assert MAIL not in json.dumps(context)
        assert "[EMAIL_ADDRESS:" in context["texts"][0]["text"]
    told = stack.must(case, "reveal", {"reason": REASON}, who="senior")["values"]
    in_answer = {one["label"]: one for one in told if one["in"] == "answer"}
    assert (in_answer["EMAIL_ADDRESS"]["value"], in_answer["PHONE_NUMBER"]["value"]) == (MAIL, PHONE)
    place = in_answer["EMAIL_ADDRESS"]
    answer = context["texts"][0]["text"]
    assert answer[place["start"] : place["end"]] == place["shown"]
    assert {one["value"] for one in told if one["in"] == "request"} >= {MAIL}


def test_what_is_left_in_a_held_answer_is_stars_for_reviewers_and_places_stay(stack: Stack) -> None:
    case = held(stack, "shown-to-people", f"stars {LEGAL} ANSWER: You may write to {MAIL} today.")
    context = stack.escalation(case, "reviewer", include="context")["context"]
    text = context["texts"][0]["text"]
    assert MAIL not in json.dumps(context)
    assert (text, context["masked"]) == (f"You may write to {'****.***@******.*******'} today.", 2)
    start = text.index("*")
    told = stack.must(case, "reveal", {"reason": REASON}, who="admin")["values"]
    [in_answer] = [one for one in told if one["in"] == "answer"]
    assert (in_answer["value"], in_answer["start"]) == (MAIL, start)
    redaction = {"path": in_answer["path"], "start": start, "end": in_answer["end"], "label": "ADDRESS"}
    stack.decide(case, "redact_and_allow", redactions=[redaction], note="nobody needs the address here")
    released = stack.api("reviewer").get(f"/v1/escalations/{case}/response").json()
    assert released["choices"][0]["message"]["content"] == "You may write to [ADDRESS] today."


def test_a_released_answer_is_stars_for_reviewers_and_whole_for_its_consumer(stack: Stack) -> None:
    case = held(stack, "shown-to-people", f"released {LEGAL} ANSWER: You may write to {MAIL} today.")
    stack.decide(case, "allow", note="the address is meant to be there")
    seen = stack.api("reviewer").get(f"/v1/escalations/{case}/response")
    assert seen.status_code == 200
    assert MAIL not in seen.text


def test_each_look_is_in_the_ledger_with_the_digest_of_its_reason_and_no_text(stack: Stack) -> None:
    case = held(stack, "tokenized", f"ledger {LEGAL} ANSWER: You may write to {MAIL}.")
    for _ in range(2):
        stack.must(case, "reveal", {"reason": REASON}, who="senior")
    first, second = reveals(stack, case)
    assert (first["actor"]["id"], first["op"], first["outcome"]) == ("senior", "reveal", "ok")
    assert (first["data"]["count"], first["data"]["labels"]) == (2, ["EMAIL_ADDRESS"])
    assert len(first["data"]["reason_digest"]) == 64
    assert first["event_id"] != second["event_id"]
    assert MAIL not in json.dumps([first, second])
    assert REASON not in json.dumps([first, second])


def test_who_has_no_right_is_refused_and_the_attempt_is_on_the_record(stack: Stack) -> None:
    case = held(stack, "tokenized", f"refused {LEGAL} ANSWER: You may write to {MAIL}.")
    for who in ("reviewer", "auditor"):
        refused = stack.act(case, "reveal", {"reason": REASON}, who=who)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        assert "privacy.may_reveal" in refused.json()["detail"]
    assert stack.act(case, "reveal", {"reason": REASON}, who="other_team_reviewer").status_code == 404
    assert stack.act(case, "reveal", {}, who="senior").status_code == 422
    assert reveals(stack, case) == []
    attempts = [entry for entry in ledger_entries(stack) if entry["escalation_id"] == case and entry["op"] == "reveal"]
    assert [(entry["actor"]["id"], entry["outcome"]) for entry in attempts] == [
        ("reviewer", "refused"),
        ("auditor", "refused"),
    ]


def test_the_settings_say_which_roles_may(stack: Stack) -> None:
    case = held(stack, "tokenized", f"settings {LEGAL} ANSWER: You may write to {MAIL}.")
    with stack.settings(privacy={"may_reveal": ["reviewer"]}):
        assert stack.must(case, "reveal", {"reason": REASON}, who="reviewer")["values"]
        assert stack.act(case, "reveal", {"reason": REASON}, who="admin").status_code == 403


@pytest.mark.parametrize("stream", [False, True])
def test_the_tokens_of_an_answer_that_left_at_once_are_kept_with_its_event(stack: Stack, stream: bool) -> None:
    answer = ask(stack, "tokenized", f"no case {stream} ANSWER: Write to {MAIL}.", stream=stream)
    assert MAIL not in answer.text
    event = answer.headers["x-event-id"]
    refused = stack.api("reviewer").post(f"/v1/events/{event}/reveal", json={"reason": REASON})
    assert refused.status_code == 403
    told = wait_for(
        lambda: stack.api("senior").post(f"/v1/events/{event}/reveal", json={"reason": REASON}).json(), "the event"
    )
    assert [(one["label"], one["value"]) for one in told["values"]] == [("EMAIL_ADDRESS", MAIL)]
    assert [entry["data"]["count"] for entry in reveals(stack, event)] == [1]


def test_an_event_without_tokens_has_nothing_to_tell(stack: Stack) -> None:
    event = ask(stack, "tokenized", "nothing personal").headers["x-event-id"]
    found = stack.api("senior").post(f"/v1/events/{event}/reveal", json={"reason": REASON})
    assert (found.status_code, found.json()["values"]) == (200, [])


def test_kt_tells_what_is_masked_and_where(stack: Stack) -> None:
    case = held(stack, "tokenized", f"kt {LEGAL} ANSWER: You may write to {MAIL}.")
    shown = stack.kt("escalation", "reveal", case, "--reason", REASON, who="senior")
    assert MAIL in shown
    assert "answer /choices/0/message/content 17:" in shown
    event = stack.escalation(case)["event_id"]
    told = json.loads(stack.kt("events", "reveal", event, "--reason", REASON, "--json", who="senior"))
    assert (told["escalation_id"], told["values"][0]["value"]) == (case, MAIL)
    stack.kt("escalation", "reveal", case, "--reason", REASON, who="reviewer", code=1)


def test_no_value_behind_a_token_is_in_any_file_in_clear(stack: Stack) -> None:
    marker = "only.once@nowhere-else.example"
    held(stack, "tokenized", f"files {LEGAL} ANSWER: You may write to {marker}.")
    ask(stack, "tokenized", f"files ANSWER: Write to {marker}.")
    for path in stack.data_dir.rglob("*"):
        if path.is_file():
            assert marker.encode() not in path.read_bytes(), path.name
