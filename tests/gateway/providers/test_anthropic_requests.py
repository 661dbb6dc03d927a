"""Requests for chat completions as requests of the Messages API."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.providers import Untranslatable, provider_named

ANTHROPIC = provider_named("anthropic")
USER = {"role": "user", "content": "hi"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def sent(*messages: Any, **more: Any) -> dict[str, Any]:
    body = {"model": "claude", "messages": list(messages) or [USER], **more}
    return ANTHROPIC.request("chat", body, "key").body


def call(identifier: str, city: str) -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": "weather", "arguments": f'{{"city":"{city}"}}'}}


def test_the_key_and_the_version_are_in_headers() -> None:
    found = ANTHROPIC.request("chat", {"model": "c", "messages": [USER]}, "key")
    assert found.path == "/messages"
    assert found.headers == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "key",
    }


def test_its_own_surface_passes_untouched() -> None:
    body = {"model": "c", "messages": "anything", "thinking": {"type": "adaptive"}, "stream": True}
    assert ANTHROPIC.request("messages", body, None).body is body


def test_a_plain_question_is_a_message_of_one_block() -> None:
    assert sent() == {
        "model": "claude",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_system_and_developer_messages_become_the_system_prompt() -> None:
    found = sent(
        {"role": "system", "content": "be kind"},
        USER,
        {"role": "developer", "content": [{"type": "text", "text": "b"}]},
    )
    assert found["system"] == "be kind\n\nb"
    assert len(found["messages"]) == 1


def test_messages_of_the_same_role_are_merged() -> None:
    found = sent(USER, {"role": "user", "content": "there"}, {"role": "assistant", "content": "yes?"})
    assert found["messages"] == [
        {"role": "user", "content": [said("hi"), said("there")]},
        {"role": "assistant", "content": [said("yes?")]},
    ]


def test_texts_of_nothing_are_left_out() -> None:
    found = sent(USER, {"role": "assistant", "content": " \n"}, {"role": "user", "content": ""})
    assert found["messages"] == [{"role": "user", "content": [said("hi")]}]


@pytest.mark.parametrize(
    ("asked", "limit"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 9, "max_tokens": 7}, 9),
        ({"max_tokens": None}, 4096),
    ],
)
def test_the_limit_of_tokens_is_carried(asked: dict[str, Any], limit: int) -> None:
    assert sent(**asked)["max_tokens"] == limit


def test_sampling_stop_and_user_are_carried() -> None:
    found = sent(temperature=0, top_p=0.5, stop="END", user="u1")
    assert found["temperature"] == 0
    assert found["top_p"] == 0.5
    assert found["stop_sequences"] == ["END"]
    assert found["metadata"] == {"user_id": "u1"}


def test_several_stops_are_carried() -> None:
    assert sent(stop=["a", "b"])["stop_sequences"] == ["a", "b"]


def test_hints_and_strangers_are_left_out() -> None:
    found = sent(seed=1, store=True, reasoning_effort="low", metadata={"a": "b"}, invented_yesterday=1, logprobs=False)
    assert set(found) == {"model", "max_tokens", "messages"}


def test_tools_are_carried() -> None:
    assert sent(tools=[WEATHER])["tools"] == [
        {
            "name": "weather",
            "description": "of a city",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        }
    ]


def test_a_strict_tool_stays_strict() -> None:
    strict = {"type": "function", "function": {"name": "f", "strict": True}}
    assert sent(tools=[strict])["tools"] == [{"name": "f", "input_schema": {"type": "object"}, "strict": True}]


@pytest.mark.parametrize(
    ("choice", "carried"),
    [
        (None, {"type": "auto"}),
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
    ],
)
def test_the_choice_of_a_tool_is_carried(choice: Any, carried: dict[str, Any]) -> None:
    assert sent(tools=[WEATHER], tool_choice=choice)["tool_choice"] == carried


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_one_call_at_a_time_is_carried(choice: str) -> None:
    found = sent(tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False)
    assert found["tool_choice"]["disable_parallel_tool_use"] is True


def test_where_no_call_is_wanted_nothing_is_said_of_parallel_ones() -> None:
    found = sent(tools=[WEATHER], tool_choice="none", parallel_tool_calls=False)
    assert found["tool_choice"] == {"type": "none"}


def test_parallel_calls_and_their_results_are_one_turn_each() -> None:
    found = sent(
        USER,
        {"role": "assistant", "content": "let me see", "tool_calls": [call("c1", "Bern"), call("c2", "Chur")]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "user", "content": "and?"},
    )
    assert found["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                said("let me see"),
                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Bern"}},
                {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Chur"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [said("sun")]},
                {"type": "tool_result", "tool_use_id": "c2"},
                said("and?"),
            ],
        },
    ]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
        ),
        ({"type": "refusal", "refusal": "no"}, {"type": "text", "text": "no"}),
    ],
)
def test_parts_become_blocks(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert sent({"role": "user", "content": [part]})["messages"][0]["content"] == [block]


def test_a_schema_for_the_answer_is_carried() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}}}
    found = sent(response_format=wanted)
    assert found["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}}


def test_a_wish_for_text_asks_for_nothing() -> None:
    assert "output_config" not in sent(response_format={"type": "text"})


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0].type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "alone"}]}, "messages"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b"}}]}]},
            "messages[0].content[0].image_url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            "messages[0].content[0].file",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "input_audio", "input_audio": {"format": "wav", "data": "AAAA"}}],
                    }
                ]
            },
            "messages[0].content",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}]}
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        ANTHROPIC.request("chat", {"model": "claude", "messages": [USER], **asked}, None)
    assert refused.value.param == param
    assert "\n" not in str(refused.value)
