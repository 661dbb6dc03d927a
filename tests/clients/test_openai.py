"""An unmodified OpenAI client, against every way an answer can go."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import openai
import pytest

from tests.support.model import FakeModel
from tests.support.stack import LEGAL, Stack, wait_for

MODEL = "gpt-4o-mini"
OPINION = "ANSWER: In our opinion you may lawfully terminate. MRN 4471-0096."
_numbers = iter(range(10**6))


@pytest.fixture
def marker() -> str:
    """Words that make this test's requests recognisable."""
    return f"marker-{next(_numbers)}-{threading.get_native_id()}"


def ask(stack: Stack, text: str, *, stream: bool = False, client: openai.OpenAI | None = None, **more: Any) -> Any:
    chosen = client or stack.openai()
    return chosen.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], stream=stream, **more
    )


def in_background(work: Callable[[], Any]) -> Future[Any]:
    return ThreadPoolExecutor(1).submit(work)


def read_stream(stream: Any) -> tuple[str, str, str | None, list[Any]]:
    """(content, refusal, finish reason, chunks) of a whole stream."""
    chunks = list(stream)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    content = "".join(choice.delta.content or "" for choice in choices)
    refusal = "".join(choice.delta.refusal or "" for choice in choices)
    return content, refusal, choices[-1].finish_reason, chunks


def test_a_harmless_answer_passes_untouched(stack: Stack, model: FakeModel, marker: str) -> None:
    answer = ask(stack, f"{marker} What is the capital of France?")
    assert answer.choices[0].message.content == "Paris."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 12
    assert answer.model_extra["unknown_field"] == {"kept": True}
    assert model.asked(marker) == 1


def test_a_harmless_answer_is_streamed(stack: Stack, marker: str) -> None:
    content, _, finish, chunks = read_stream(
        ask(stack, f"{marker} What is the capital of France?", stream=True, stream_options={"include_usage": True})
    )
    assert (content, finish) == ("Paris.", "stop")
    assert chunks[-1].usage.total_tokens == 12


@pytest.mark.parametrize("stream", [False, True])
def test_an_allowed_answer_arrives_exactly_as_it_was_held(stack: Stack, marker: str, stream: bool) -> None:
    asking = in_background(lambda: ask(stack, f"{marker} {LEGAL} ANSWER: You may lawfully terminate.", stream=stream))
    case = stack.case_about(marker)
    assert not (asking.done() and not stream)
    stack.decide(case["escalation_id"], "approved", category="false_positive", note="Advisory training content only.")
    answer = asking.result(30)
    content = read_stream(answer)[0] if stream else answer.choices[0].message.content
    assert content == "You may lawfully terminate."


@pytest.mark.parametrize("stream", [False, True])
def test_a_redacted_answer_arrives_without_what_was_stripped(stack: Stack, marker: str, stream: bool) -> None:
    asking = in_background(lambda: ask(stack, f"{marker} {LEGAL} ANSWER: Jane Roe may terminate.", stream=stream))
    case = stack.case_about(marker)
    redactions = [{"path": "/choices/0/message/content", "start": 0, "end": 8, "label": "PERSON"}]
    stack.decide(case["escalation_id"], "redact_and_allow", redactions=redactions)
    answer = asking.result(30)
    content = read_stream(answer)[0] if stream else answer.choices[0].message.content
    assert content == "[PERSON] may terminate."


def test_a_blocked_answer_within_the_grace_is_one_clear_exception(stack: Stack, model: FakeModel, marker: str) -> None:
    asking = in_background(lambda: ask(stack, f"{marker} {LEGAL} {OPINION}"))
    case = stack.case_about(marker)
    stack.decide(case["escalation_id"], "blocked", category="true_positive", note="secret reason of the reviewer")
    with pytest.raises(openai.PermissionDeniedError) as refused:
        asking.result(30)
    told = str(refused.value)
    assert refused.value.code == "human_review_blocked"
    assert case["escalation_id"] in told
    assert "secret reason" not in told
    assert "lawfully" not in told
    assert model.asked(marker) == 1, "the client does not repeat what was blocked"


def test_a_blocked_answer_after_the_grace_is_a_refusal_in_the_body(stack: Stack, model: FakeModel, marker: str) -> None:
    # The client bears 3 s between two bytes, so it is kept alive from half of that on.
    kept_alive = threading.Event()
    hooks = {"response": [lambda _: kept_alive.set()]}
    client = stack.openai(timeout=3.0, http_client=openai.DefaultHttpxClient(event_hooks=hooks, timeout=3.0))
    asking = in_background(lambda: ask(stack, f"{marker} {LEGAL} {OPINION}", client=client))
    held = stack.case_about(marker)["escalation_id"]
    stack.must(held, "claim")
    assert kept_alive.wait(30), "the answer begins before its client would give up"
    stack.must(held, "resolve", {"resolution": "blocked", "note": "secret reason of the reviewer"})
    answer = asking.result(30)
    [choice] = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("content_filter", None)
    assert held in choice.message.refusal
    told = answer.model_extra["escalation"]
    assert (told["id"], told["status"], told["resolution"]) == (held, "resolved", "blocked")
    assert "secret reason" not in answer.model_dump_json()
    assert model.asked(marker) == 1


def test_a_blocked_stream_ends_with_content_filter_and_a_refusal(stack: Stack, marker: str) -> None:
    asking = in_background(lambda: read_stream(ask(stack, f"{marker} {LEGAL} {OPINION}", stream=True)))
    case = stack.case_about(marker)
    stack.decide(case["escalation_id"], "rejected")
    content, refusal, finish, chunks = asking.result(30)
    assert (content, finish) == ("", "content_filter")
    assert case["escalation_id"] in refusal
    assert chunks[-1].model_extra["escalation"]["resolution"] == "blocked"


@pytest.mark.parametrize("stream", [False, True])
def test_an_expired_answer_says_that_nobody_decided_and_not_that_it_was_denied(
    stack: Stack, model: FakeModel, marker: str, stream: bool
) -> None:
    with stack.settings(sla={"high": "1s", "expire_after": "1s"}):
        asking = in_background(lambda: ask(stack, f"{marker} {LEGAL} {OPINION}", stream=stream))
        if stream:
            content, refusal, finish, chunks = read_stream(asking.result(30))
            told = chunks[-1].model_extra["escalation"]
            assert (content, finish) == ("", "content_filter")
            assert (told["status"], told["resolution"]) == ("expired", None)
            assert "not a denial" in refusal
        else:
            with pytest.raises(openai.APIStatusError) as gone:
                asking.result(30)
            assert gone.value.status_code == 410
            assert gone.value.code == "escalation_expired"
    assert model.asked(marker) == 1


def test_one_request_and_its_two_retries_make_one_escalation_and_one_call(
    stack: Stack, model: FakeModel, marker: str
) -> None:
    # The model is slower than the client's patience: the client repeats itself by itself, twice.
    client = stack.openai(timeout=1.0, max_retries=2)
    asking = in_background(lambda: ask(stack, f"{marker} {LEGAL} [slow 2.2] ANSWER: You may terminate.", client=client))
    case = stack.case_about(marker)
    stack.decide(case["escalation_id"], "approved")
    assert asking.result(30).choices[0].message.content == "You may terminate."
    assert model.asked(marker) == 1
    assert len(cases_about(stack, marker)) == 1


def test_three_with_one_idempotency_key_make_one_escalation_and_one_call(
    stack: Stack, model: FakeModel, marker: str
) -> None:
    headers = {"Idempotency-Key": marker}
    text = f"{marker} {LEGAL} ANSWER: You may terminate."
    asking = [in_background(lambda: ask(stack, text, extra_headers=headers)) for _ in range(3)]
    case = stack.case_about(marker)
    stack.decide(case["escalation_id"], "approved")
    assert [answer.result(30).choices[0].message.content for answer in asking] == ["You may terminate."] * 3
    late = ask(stack, text, extra_headers=headers)
    assert late.choices[0].message.content == "You may terminate."
    assert model.asked(marker) == 1
    assert len(cases_about(stack, marker)) == 1


def test_an_idempotency_key_for_another_body_is_refused(stack: Stack, marker: str) -> None:
    headers = {"Idempotency-Key": marker}
    asking = in_background(lambda: ask(stack, f"{marker} {LEGAL}", extra_headers=headers))
    case = stack.case_about(marker)
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        ask(stack, f"{marker} something else", extra_headers=headers)
    assert refused.value.code == "idempotency_key_reused"
    stack.decide(case["escalation_id"], "approved")
    asking.result(30)


def test_two_first_requests_that_look_alike_are_two_escalations(stack: Stack, model: FakeModel, marker: str) -> None:
    asking = [in_background(lambda: ask(stack, f"{marker} {LEGAL} ANSWER: You may terminate.")) for _ in range(2)]
    wait_for(lambda: len(cases_about(stack, marker)) == 2, "two cases")
    for case in cases_about(stack, marker):
        stack.decide(case["escalation_id"], "approved")
    for answer in asking:
        answer.result(30)
    assert model.asked(marker) == 2


def test_the_answer_of_a_caller_who_went_away_is_fetched_later(stack: Stack, model: FakeModel, marker: str) -> None:
    client = stack.openai(timeout=0.7, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        ask(stack, f"{marker} {LEGAL} [slow 1] ANSWER: You may terminate.", client=client)
    case = stack.case_about(marker)
    held = case["escalation_id"]
    patient = stack.openai(max_retries=0)
    completion_id = stack.escalation(held, include="context")["context"]["held_answer"]["id"]
    with pytest.raises(openai.ConflictError) as pending:
        patient.chat.completions.retrieve(completion_id)
    assert pending.value.code == "escalation_pending"
    stack.decide(held, "approved")
    assert patient.chat.completions.retrieve(completion_id).choices[0].message.content == "You may terminate."
    other = stack.openai("gateway_key2", max_retries=0)
    with pytest.raises(openai.NotFoundError):
        other.chat.completions.retrieve(completion_id)
    assert model.asked(marker) == 1


def test_waiting_at_the_pick_up_returns_as_soon_as_it_is_decided(stack: Stack, marker: str) -> None:
    asking = in_background(lambda: ask(stack, f"{marker} {LEGAL} ANSWER: You may terminate."))
    held = stack.case_about(marker)["escalation_id"]
    waiting = in_background(lambda: stack.gateway().get(f"/v1/escalations/{held}/response", params={"wait": 50}))
    stack.decide(held, "approved")
    answer = waiting.result(30)
    assert (answer.status_code, answer.headers["x-escalation-id"]) == (200, held)
    assert answer.json()["choices"][0]["message"]["content"] == "You may terminate."
    asking.result(30)


def test_tool_calls_and_several_choices_are_held_whole(stack: Stack, marker: str) -> None:
    asking = in_background(lambda: ask(stack, f"{marker} {LEGAL} [tool] [two] ANSWER: You may terminate.", stream=True))
    stack.decide(stack.case_about(marker)["escalation_id"], "approved")
    _, _, finish, chunks = read_stream(asking.result(30))
    calls = [c.choices[0].delta.tool_calls[0] for c in chunks if c.choices and c.choices[0].delta.tool_calls]
    assert [json.loads(call.function.arguments) for call in calls] == [{"text": "You may terminate."}] * 2
    assert finish == "stop"


async def test_the_asynchronous_client_is_served_alike(stack: Stack, marker: str) -> None:
    client = stack.async_openai()
    answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": f"{marker} hi"}])
    assert answer.choices[0].message.content == "Paris."
    await client.close()


def test_models_are_listed(stack: Stack) -> None:
    assert [found.id for found in stack.openai().models.list()] == [MODEL]
    assert stack.openai().models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        stack.openai().models.retrieve("gpt-9")


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("[status 429] x", 429, "c"),
        ("[status 500] x", 502, "upstream_error"),
        ("[garbage] x", 502, "upstream_invalid"),
        ("[status 401] x", 502, "upstream_refused"),
    ],
)
def test_what_the_model_gets_wrong_is_a_correct_error(stack: Stack, text: str, status: int, code: str) -> None:
    with pytest.raises(openai.APIStatusError) as failed:
        ask(stack, text, client=stack.openai(max_retries=0))
    assert (failed.value.status_code, failed.value.code) == (status, code)


def cases_about(stack: Stack, marker: str) -> list[dict[str, Any]]:
    """Every case of the last minutes whose request holds this text, decided ones too."""
    recent = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    found, cursor = [], None
    while True:
        page = stack.api("admin").get("/v1/escalations", params={"limit": 200, "cursor": cursor or ""}).json()
        for item in page["escalations"]:
            if item["created_at"] < recent:
                continue
            context = stack.escalation(item["escalation_id"], include="context")["context"]
            if marker in json.dumps(context["request"]):
                found.append(item)
        cursor = page.get("next_cursor")
        if not cursor:
            return found
