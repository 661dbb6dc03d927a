"""Whatever comes, from a client or from a provider: a translation or a refusal, never another error."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from gateway.providers import Provider, Sent, Untranslatable, provider_named

PROVIDERS = [provider_named(name) for name in ("openai", "azure", "anthropic", "gemini")]
TRANSLATING = [provider_named(name) for name in ("anthropic", "gemini")]
_TEXT = st.sampled_from(["text", "tool", "STOP", "tool_use", "refusal", "json_schema", "{}", ""]) | st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)

ANSWERS: list[dict[str, Any]] = [
    {"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]},
    {
        "id": "msg_1",
        "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "x"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}},
        ],
        "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "explanation": "no"},
        "usage": {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}},
    },
    {
        "responseId": "r",
        "modelVersion": "gemini",
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "hm", "thought": True},
                        {"text": "x"},
                        {"functionCall": {"name": "f", "args": {"a": [1]}}, "thoughtSignature": "s"},
                    ],
                },
                "finishReason": "STOP",
            }
        ],
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 1, "thoughtsTokenCount": 2},
    },
]
_REQUEST: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "tool_calls": [
                {
                    "id": "c",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "s"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "y"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "stop": ["a"],
    "n": 1,
    "user": "u",
    "max_tokens": 1,
    "modalities": ["text"],
    "parallel_tool_calls": True,
}


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])


@st.composite
def spoiled(draw: st.DrawFn, *sound: dict[str, Any]) -> dict[str, Any]:
    """A sound document with up to three of its places taken out or replaced by anything."""
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(0, 3))):
        found = list(_places(document))
        if not found:
            break
        holder, key = draw(st.sampled_from(found))
        if draw(st.booleans()):
            holder[key] = draw(JSON)
        else:
            del holder[key]
    return document


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@given(document=spoiled(*ANSWERS) | st.dictionaries(_TEXT, JSON, max_size=4))
def test_any_answer_becomes_choices_or_a_value_error(provider: Provider, document: dict[str, Any]) -> None:
    try:
        found = provider.answer("chat", document, {"model": "m"})
    except ValueError:
        return
    assert isinstance(found["choices"], list)
    assert all(isinstance(choice["message"], dict) for choice in found["choices"])
    if provider in TRANSLATING:
        ChatCompletion.model_validate(found, strict=True)


@pytest.mark.parametrize("provider", TRANSLATING, ids=lambda provider: provider.name)
@given(body=spoiled(_REQUEST) | st.dictionaries(_TEXT, JSON, max_size=4))
def test_any_request_is_translated_or_refused(provider: Provider, body: dict[str, Any]) -> None:
    try:
        found = provider.request("chat", body, None)
    except Untranslatable:
        return
    assert isinstance(found, Sent)


@pytest.mark.parametrize("provider", TRANSLATING, ids=lambda provider: provider.name)
def test_the_sound_request_is_translated(provider: Provider) -> None:
    assert provider.request("chat", _REQUEST, None).body


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@given(body=st.binary(max_size=40) | JSON.map(lambda found: repr(found).replace("'", '"').encode()))
def test_any_error_is_told(provider: Provider, body: bytes) -> None:
    message, kind, _code, _param = provider.failure(body)
    assert isinstance(message, str)
    assert kind
