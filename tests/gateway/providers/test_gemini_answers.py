"""Answers and errors of generateContent as those of chat completions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from gateway.providers import provider_named

GEMINI = provider_named("gemini")


def candidate(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0, **more}


def answered(*candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    document = {"responseId": "r1", "modelVersion": "gemini-2.5-flash-001", "candidates": list(candidates), **more}
    found = GEMINI.answer("chat", document, {"model": "gemini-2.5-flash"})
    ChatCompletion.model_validate(found, strict=True)
    return found


def test_parts_of_text_are_one_text() -> None:
    found = answered(candidate({"text": "Hello"}, {"text": " there"}))
    assert found["id"] == "r1"
    assert found["model"] == "gemini-2.5-flash-001"
    assert found["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]


def test_each_candidate_is_a_choice() -> None:
    found = answered(candidate({"text": "a"}), candidate({"text": "b"}, index=1))
    assert [(one["index"], one["message"]["content"]) for one in found["choices"]] == [(0, "a"), (1, "b")]


def test_thoughts_are_reasoning_content() -> None:
    found = answered(candidate({"text": "hm", "thought": True}, {"text": "yes", "thoughtSignature": "sealed"}))
    message = found["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("hm", "yes")
    assert "sealed" not in json.dumps(found)


def test_calls_of_functions_are_tool_calls() -> None:
    part = {"functionCall": {"id": "f1", "name": "weather", "args": {"city": "Bern"}}, "thoughtSignature": "sealed"}
    found = answered(candidate(part))["choices"][0]
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["tool_calls"] == [
        {
            "id": "f1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Bern"}'},
            "extra_content": {"google": {"thought_signature": "sealed"}},
        }
    ]


def test_ids_that_are_not_there_are_made_the_same_each_time_and_different_for_each_call() -> None:
    part = {"functionCall": {"name": "now"}}
    one, other = answered(candidate(part, part)), answered(candidate(part, part))
    ids = [tool["id"] for tool in one["choices"][0]["message"]["tool_calls"]]
    assert len(set(ids)) == 2
    assert ids == [tool["id"] for tool in other["choices"][0]["message"]["tool_calls"]]
    again = answered(candidate(part), responseId="r2")["choices"][0]["message"]["tool_calls"][0]["id"]
    assert again not in ids


def test_an_answer_without_an_id_gets_one_of_its_own() -> None:
    one, other = (answered(candidate({"text": "a"}), responseId=None) for _ in range(2))
    assert one["id"].startswith("chatcmpl-")
    assert one["id"] != other["id"]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("OTHER", "stop"),
        ("INVENTED_YESTERDAY", "stop"),
    ],
)
def test_the_reason_to_stop_is_carried(reason: str, finish: str) -> None:
    assert answered(candidate({"text": "x"}, finishReason=reason))["choices"][0]["finish_reason"] == finish


def test_an_answer_of_nothing_for_no_told_reason_was_filtered() -> None:
    found = answered({"finishReason": "OTHER"})["choices"][0]
    assert (found["message"]["content"], found["finish_reason"]) == (None, "content_filter")


def test_a_blocked_prompt_is_an_answer_without_content() -> None:
    found = answered(promptFeedback={"blockReason": "PROHIBITED_CONTENT"}, usageMetadata={"promptTokenCount": 4})
    choice = found["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "content_filter")
    assert found["usage"]["prompt_tokens"] == 4


def test_usage_counts_thoughts_as_part_of_the_answer() -> None:
    told = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "toolUsePromptTokenCount": 3,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 5,
        "totalTokenCount": 115,
    }
    assert answered(candidate({"text": "x"}), usageMetadata=told)["usage"] == {
        "prompt_tokens": 103,
        "completion_tokens": 12,
        "total_tokens": 115,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"candidates": []},
        {"candidates": {}},
        {"candidates": [1]},
        {"promptFeedback": {"safetyRatings": []}},
        {"error": {"code": 500}},
        {"candidates": [{"content": "text"}]},
        {"candidates": [{"content": {"parts": "text"}}]},
        {"candidates": [{"content": {"parts": [{"text": 1}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": "f"}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": []}}]}}]},
        {"candidates": [{"finishReason": 1}]},
        {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]},
        {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": True}},
    ],
)
def test_what_is_no_answer_is_said_to_be_none(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        GEMINI.answer("chat", document, {"model": "g"})


def test_arguments_without_a_bottom_are_no_answer() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="deep"):
        answered(candidate({"functionCall": {"name": "f", "args": deep}}))


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("INVALID_ARGUMENT", ("invalid_request_error", None)),
        ("NOT_FOUND", ("invalid_request_error", "not_found")),
        ("RESOURCE_EXHAUSTED", ("rate_limit_error", "rate_limit_exceeded")),
        ("UNAVAILABLE", ("server_error", None)),
    ],
)
def test_errors_are_told_in_openai_s_terms(status: str, told: tuple[str, str | None]) -> None:
    error = {"error": {"code": 400, "message": "why", "status": status}}
    assert GEMINI.failure(json.dumps(error).encode()) == ("why", *told, None)
    assert GEMINI.failure(json.dumps([error]).encode()) == ("why", *told, None)


def test_a_complaint_about_the_gateway_s_key_is_not_the_caller_s_business() -> None:
    error = {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}],
    }
    told = GEMINI.failure(json.dumps({"error": error}).encode())
    assert told == ("the model refused the gateway", "server_error", "upstream_refused", None)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":[]}', b'{"error":{"status":[],"details":[1,{}]}}'])
def test_an_error_that_cannot_be_read_says_nothing(body: bytes) -> None:
    assert GEMINI.failure(body) == ("", "invalid_request_error", None, None)
