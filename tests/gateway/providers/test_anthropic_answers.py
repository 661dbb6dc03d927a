"""Answers and errors of the Messages API as those of chat completions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from gateway.providers import provider_named

ANTHROPIC = provider_named("anthropic")


def answered(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    document = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-1",
        "content": list(blocks),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **more,
    }
    found = ANTHROPIC.answer("chat", document, {"model": "claude"})
    ChatCompletion.model_validate(found, strict=True)
    return found


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def test_blocks_of_text_are_one_text() -> None:
    found = answered(said("Hello"), said(" there"))
    assert found["id"] == "msg_1"
    assert found["model"] == "claude-1"
    assert found["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]


def test_calls_of_tools_have_their_arguments_as_json() -> None:
    found = answered(
        {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Zürich"}},
        {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
        stop_reason="tool_use",
    )["choices"][0]
    first, second = found["message"]["tool_calls"]
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] is None
    assert (first["id"], first["type"], first["function"]["name"]) == ("t1", "function", "weather")
    assert json.loads(first["function"]["arguments"]) == {"city": "Zürich"}
    assert second["function"]["arguments"] == "{}"


def test_thinking_is_reasoning_content() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "sealed"}
    found = answered(thought, {"type": "redacted_thinking", "data": "sealed"}, said("yes"))
    assert found["choices"][0]["message"]["reasoning_content"] == "hm"
    assert "sealed" not in json.dumps(found)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("invented_yesterday", "stop"),
        (None, "stop"),
    ],
)
def test_the_reason_to_stop_is_carried(reason: str | None, finish: str) -> None:
    assert answered(said("x"), stop_reason=reason)["choices"][0]["finish_reason"] == finish


def test_a_refusal_says_why() -> None:
    found = answered(stop_reason="refusal", stop_details={"type": "refusal", "explanation": "not this"})
    assert found["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": "not this"}


def test_usage_counts_the_cache_as_part_of_the_prompt() -> None:
    told = {
        "input_tokens": 10,
        "output_tokens": 7,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    assert answered(said("x"), usage=told)["usage"] == {
        "prompt_tokens": 130,
        "completion_tokens": 7,
        "total_tokens": 137,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }


def test_an_answer_of_its_own_surface_passes_as_it_is() -> None:
    document = {"content": [{"type": "invented_yesterday"}], "new": 1}
    assert ANTHROPIC.answer("messages", document, {}) is document


@pytest.mark.parametrize("surface", ["chat", "messages"])
@pytest.mark.parametrize("document", [{}, {"type": "error", "error": {}}, {"content": "text"}, {"content": [1]}])
def test_what_is_no_message_is_said_to_be_none(surface: str, document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ANTHROPIC.answer(surface, document, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 1},
        {"content": [{"type": "text", "text": 1}]},
        {"content": [{"type": "tool_use", "id": "t", "name": "f", "input": "{}"}]},
        {"content": [{"type": "tool_use", "id": None, "name": "f", "input": {}}]},
        {"usage": "much"},
        {"usage": {"input_tokens": "10"}},
        {"usage": {"input_tokens": 2**63}},
        {"usage": {"input_tokens": -1}},
    ],
)
def test_wrong_types_are_no_answer(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        answered(said("x"), **wrong) if "content" not in wrong else answered(*wrong["content"])


def test_arguments_without_a_bottom_are_no_answer() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="deep"):
        answered({"type": "tool_use", "id": "t", "name": "f", "input": deep})


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("invalid_request_error", ("invalid_request_error", None)),
        ("not_found_error", ("invalid_request_error", "not_found")),
        ("request_too_large", ("invalid_request_error", "request_too_large")),
        ("rate_limit_error", ("rate_limit_error", "rate_limit_exceeded")),
        ("overloaded_error", ("server_error", None)),
    ],
)
def test_errors_are_told_in_openai_s_terms(kind: str, told: tuple[str, str | None]) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "why"}}).encode()
    assert ANTHROPIC.failure(body) == ("why", *told, None)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":[]}', b'{"error":{"type":[],"message":{}}}'])
def test_an_error_that_cannot_be_read_says_nothing(body: bytes) -> None:
    assert ANTHROPIC.failure(body) == ("", "invalid_request_error", None, None)
