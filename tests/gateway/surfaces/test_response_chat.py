"""Responses over a model that speaks chat completions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from escalations.completion import texts
from gateway.errors import GatewayError
from gateway.surfaces import SURFACES
from policies.requests import request_texts
from tests.gateway.surfaces.documents import LONG, chat, tool_call

SURFACE = SURFACES["responses"]
SAID = st.text(min_size=1).filter(str.strip)


def to_chat(asked: Any = "Hello", **more: Any) -> dict[str, Any]:
    body = {"model": "m", "input": asked, **more}
    SURFACE.check(body)
    found = SURFACE.to_chat(body)
    SURFACES["chat"].check(found)
    return found


def from_chat(completion: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    found = SURFACE.from_chat(completion or chat(), {"model": "m", "input": "Hello", **body})
    Response.model_validate(found)
    assert SURFACE.is_answer(found)
    return found


def test_a_text_becomes_a_message_of_the_user() -> None:
    assert to_chat()["messages"] == [{"role": "user", "content": "Hello"}]


def test_instructions_and_developers_become_the_system() -> None:
    asked = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert [message["role"] for message in to_chat(asked, instructions="Advise.")["messages"]] == [
        "system",
        "system",
        "user",
    ]


def test_parts_keep_their_kind() -> None:
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "https://example.org/x.png", "detail": "low"},
        {"type": "input_file", "filename": "x.pdf", "file_data": "data:application/pdf;base64,AA=="},
    ]
    assert to_chat([{"type": "message", "role": "user", "content": content}])["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/x.png", "detail": "low"}},
        {"type": "file", "file": {"filename": "x.pdf", "file_data": "data:application/pdf;base64,AA=="}},
    ]


def test_a_turn_with_tools_becomes_calls_and_their_results() -> None:
    asked = [
        {"role": "user", "content": "Reject her."},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "At once."}]},
        {"type": "function_call", "call_id": "call_1", "name": "reject", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "shell", "input": "ls"},
        {"type": "function_call_output", "call_id": "call_1", "output": "done"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "a.txt"}]},
    ]
    assert to_chat(asked)["messages"][1:] == [
        {
            "role": "assistant",
            "content": "At once.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "reject", "arguments": "{}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a.txt"}]},
    ]


def test_a_refusal_of_before_is_a_refusal_still() -> None:
    asked = [{"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]
    assert to_chat(asked)["messages"] == [{"role": "assistant", "content": None, "refusal": "No."}]


def test_tools_are_nested_and_so_is_the_choice_among_them() -> None:
    tool = {"type": "function", "name": "reject", "parameters": {"type": "object"}, "strict": True}
    found = to_chat(tools=[tool], tool_choice={"type": "function", "name": "reject"}, parallel_tool_calls=False)
    function = {"name": "reject", "parameters": {"type": "object"}, "strict": True}
    assert found["tools"] == [{"type": "function", "function": function}]
    assert found["tool_choice"] == {"type": "function", "function": {"name": "reject"}}
    assert found["parallel_tool_calls"] is False


def test_the_format_the_effort_and_the_limit_are_carried() -> None:
    form = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True}
    found = to_chat(text={"format": form, "verbosity": "low"}, reasoning={"effort": "low"}, max_output_tokens=7)
    schema = {"name": "answer", "schema": {"type": "object"}, "strict": True}
    assert found["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert (found["verbosity"], found["reasoning_effort"], found["max_completion_tokens"]) == ("low", "low", 7)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_0"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}, "tools[1]"),
        ({"tools": "web_search"}, "tools"),
        ({"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "file_search"}}, "tool_choice"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]},
            "input[0].content[0]",
        ),
        ({"reasoning": "low"}, "reasoning"),
        ({"text": {"format": "json"}}, "text.format"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_its_parameter(more: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as raised:
        SURFACE.to_chat({"model": "m", "input": "x", **more})
    assert (raised.value.status, raised.value.param) == (400, param)


def test_a_completion_becomes_a_response_with_its_text() -> None:
    found = from_chat()
    assert (found["id"], found["status"], found["model"]) == ("resp_1", "completed", "m")
    assert [text for _, text in texts(found)] == [LONG]


def test_thoughts_refusals_and_calls_become_items() -> None:
    custom = {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    completion = chat(reasoning_content="Hm.", refusal="Not that.", tool_calls=[tool_call(), custom])
    found = from_chat(completion)
    assert [item["type"] for item in found["output"]] == [
        "reasoning",
        "message",
        "function_call",
        "custom_tool_call",
    ]
    assert {text for _, text in texts(found)} == {text for _, text in texts(completion)}
    assert found["output"][2]["call_id"] == "call_1"


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter"), ("stop", None)]
)
def test_an_answer_that_was_cut_short_is_incomplete(finish: str, reason: str | None) -> None:
    completion = chat()
    completion["choices"][0]["finish_reason"] = finish
    assert (from_chat(completion)["incomplete_details"] or {}).get("reason") == reason


def test_usage_is_counted_as_this_api_counts() -> None:
    completion = chat()
    completion["usage"] = {**completion["usage"], "prompt_tokens_details": {"cached_tokens": 3}}
    assert from_chat(completion)["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 13,
    }


def test_the_response_echoes_its_request() -> None:
    found = from_chat(
        instructions="Advise.",
        temperature=0.5,
        tools=[{"type": "function", "name": "f", "strict": True, "parameters": {}}],
    )
    assert (found["instructions"], found["temperature"], found["tools"][0]["name"]) == ("Advise.", 0.5, "f")


@given(st.lists(SAID, min_size=1, max_size=5), SAID, SAID)
def test_no_text_of_a_request_is_lost(said: list[str], instructions: str, output: str) -> None:
    asked: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "input_text", "text": text}]} for text in said]
    asked.append({"type": "function_call", "call_id": "c", "name": "f", "arguments": output})
    asked.append({"type": "function_call_output", "call_id": "c", "output": output})
    body = {"model": "m", "instructions": instructions, "input": asked}
    assert {text for _, text in request_texts(SURFACE.to_chat(body))} == {text for _, text in request_texts(body)}


@given(SAID, SAID, SAID)
def test_no_text_of_an_answer_is_lost(content: str, refusal: str, arguments: str) -> None:
    completion = chat(content=content, refusal=refusal, reasoning=content[::-1], tool_calls=[tool_call(arguments)])
    found = SURFACE.from_chat(completion, {"model": "m", "input": "x"})
    assert {text for _, text in texts(found)} == {text for _, text in texts(completion)}
