"""Every text of a request is found, whichever API it is of, and is changed where it was found."""

from __future__ import annotations

from typing import Any

import pytest

from policies.requests import last_asked, request_texts, rewrite

CHAT = {
    "messages": [
        {"role": "system", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "c"}},
                {"id": "2", "type": "custom", "custom": {"name": "g", "input": "d"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "e"},
        {"role": "assistant", "content": "f", "reasoning_content": "g", "refusal": "h"},
    ]
}
RESPONSES = {
    "instructions": "a",
    "input": [
        {"role": "user", "content": "b"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "c"}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "d"}],
            "encrypted_content": "z",
        },
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "e"},
        {"type": "function_call_output", "call_id": "call_1", "output": "f"},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "g"}]},
        {"type": "telepathy", "thought": "h"},
    ],
}
MESSAGES = {
    "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "b"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "c", "signature": "z"},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "f",
                    "input": {"to": "d", "why": ["e"], "card": 4111111111},
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "f"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "g"}]},
                {
                    "type": "document",
                    "title": "h",
                    "source": {"type": "text", "media_type": "text/plain", "data": "i j"},
                },
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ],
        },
    ],
}


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (CHAT, "abcdefgh"),
        (RESPONSES, "abcdefgh"),
        ({"system": "a", "messages": []}, "a"),
        ({"input": "a"}, "a"),
        ({"input": ["a", "b"]}, "ab"),
        ({"prompt": "a", "suffix": "b"}, "ab"),
        ({"prompt": ["a", "b"]}, "ab"),
        ({"prompt": {"id": "pmpt_1", "variables": {"who": "a"}}}, "a"),
        ({"input": [[1, 2], [3]]}, ""),
        ({}, ""),
    ],
)
def test_every_text_is_found(request_: dict[str, Any], found: str) -> None:
    assert sorted(text for _, text in request_texts(request_)) == sorted(found)


def test_every_text_of_content_blocks_is_found() -> None:
    assert dict(request_texts(MESSAGES)) == {
        "/system/0/text": "a",
        "/messages/0/content/0/text": "b",
        "/messages/1/content/0/thinking": "c",
        "/messages/1/content/1/input/to": "d",
        "/messages/1/content/1/input/why/0": "e",
        "/messages/1/content/1/input/card": "4111111111",
        "/messages/2/content/0/content": "f",
        "/messages/2/content/1/content/0/text": "g",
        "/messages/2/content/2/title": "h",
        "/messages/2/content/2/source/data": "i j",
    }


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (CHAT, "b"),
        (RESPONSES, "c"),
        (MESSAGES, "b"),
        ({"input": "a"}, "a"),
        ({"prompt": "a"}, "a"),
        ({"prompt": ["a", "b"]}, "a\nb"),
        ({"input": ["a", "b"]}, "a\nb"),
        ({"input": [{"type": "text", "text": "a"}]}, "a"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, ""),
        ({}, ""),
    ],
)
def test_what_was_asked_last_is_what_the_user_said_last(request_: dict[str, Any], asked: str) -> None:
    assert last_asked(request_) == asked


@pytest.mark.parametrize("request_", [CHAT, RESPONSES, MESSAGES, {"prompt": ["a", "b"]}, {"input": "a"}])
def test_every_text_is_changed_where_it_was_found(request_: dict[str, Any]) -> None:
    before = dict(request_texts(request_))
    changed = rewrite(request_, lambda _, text: f"<{text}>")
    assert dict(request_texts(changed)) == {pointer: f"<{text}>" for pointer, text in before.items()}
    assert dict(request_texts(request_)) == before


def test_where_nothing_changes_nothing_is_copied() -> None:
    assert rewrite(CHAT, lambda _, text: text) is CHAT


def test_ids_kinds_and_sealed_thoughts_are_left_alone() -> None:
    changed = rewrite(RESPONSES, lambda *_: "X")
    assert [item.get("type") for item in changed["input"]] == [item.get("type") for item in RESPONSES["input"]]  # type: ignore[attr-defined]
    assert changed["input"][2]["encrypted_content"] == "z"
    assert changed["input"][3]["call_id"] == "call_1"
