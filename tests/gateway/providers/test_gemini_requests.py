"""Requests for chat completions as requests of generateContent."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.providers import Untranslatable, provider_named

GEMINI = provider_named("gemini")
USER = {"role": "user", "content": "hi"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def sent(*messages: Any, model: str = "gemini-2.5-flash", **more: Any) -> dict[str, Any]:
    return GEMINI.request("chat", {"model": model, "messages": list(messages) or [USER], **more}, "key").body


def call(identifier: str, city: str, **more: Any) -> dict[str, Any]:
    function = {"name": "weather", "arguments": f'{{"city":"{city}"}}'}
    return {"id": identifier, "type": "function", "function": function, **more}


def test_the_model_is_in_the_path_and_the_key_in_a_header() -> None:
    found = GEMINI.request("chat", {"model": "gemini-2.5-flash", "messages": [USER]}, "key")
    assert found.path == "/models/gemini-2.5-flash:generateContent"
    assert found.headers == {"content-type": "application/json", "x-goog-api-key": "key"}


def test_a_model_s_name_cannot_lead_elsewhere() -> None:
    found = GEMINI.request("chat", {"model": "../files?x=/y#z", "messages": [USER]}, None)
    assert found.path == "/models/..%2Ffiles%3Fx%3D%2Fy%23z:generateContent"


def test_a_model_s_full_name_is_its_name() -> None:
    assert GEMINI.request("chat", {"model": "models/g", "messages": [USER]}, None).path == "/models/g:generateContent"


def test_vertex_has_its_models_under_their_publisher() -> None:
    found = provider_named("vertex").request("chat", {"model": "g", "messages": [USER]}, None)
    assert found.path == "/publishers/google/models/g:generateContent"


def test_a_plain_question_is_one_content() -> None:
    assert sent() == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_system_and_developer_messages_are_the_system_instruction() -> None:
    found = sent({"role": "system", "content": "be kind"}, USER, {"role": "developer", "content": "be brief"})
    assert found["systemInstruction"] == {"parts": [{"text": "be kind"}, {"text": "be brief"}]}
    assert len(found["contents"]) == 1


def test_the_assistant_is_the_model() -> None:
    found = sent(USER, {"role": "assistant", "content": "yes?"}, {"role": "user", "content": "well"})
    assert [content["role"] for content in found["contents"]] == ["user", "model", "user"]


def test_how_to_generate_is_carried() -> None:
    found = sent(
        temperature=0,
        top_p=0.5,
        max_completion_tokens=9,
        stop="END",
        n=2,
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
    )
    assert found["generationConfig"] == {
        "temperature": 0,
        "topP": 0.5,
        "maxOutputTokens": 9,
        "stopSequences": ["END"],
        "candidateCount": 2,
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
    }


def test_a_schema_for_the_answer_is_carried() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert sent(response_format=wanted)["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }


def test_a_wish_for_any_json_is_carried() -> None:
    found = sent(response_format={"type": "json_object"})
    assert found["generationConfig"] == {"responseMimeType": "application/json"}


def test_tools_are_carried() -> None:
    bare = {"type": "function", "function": {"name": "now"}}
    assert sent(tools=[WEATHER, bare])["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "of a city",
                    "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
                },
                {"name": "now"},
            ]
        }
    ]


@pytest.mark.parametrize(
    ("choice", "carried"),
    [
        (None, {"mode": "AUTO"}),
        ("auto", {"mode": "AUTO"}),
        ("required", {"mode": "ANY"}),
        ("none", {"mode": "NONE"}),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
        ),
    ],
)
def test_the_choice_of_a_tool_is_carried(choice: Any, carried: dict[str, Any]) -> None:
    found = sent(tools=[WEATHER], tool_choice=choice)
    assert found["toolConfig"] == {"functionCallingConfig": carried}


def test_the_results_of_parallel_calls_are_one_content_apart_from_what_follows() -> None:
    found = sent(
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call("c1", "Bern"), call("c2", "Chur")]},
        {"role": "tool", "tool_call_id": "c2", "content": "rain"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "sun"}]},
        {"role": "user", "content": "and?"},
    )
    assert found["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Bern"}}},
                {"functionCall": {"id": "c2", "name": "weather", "args": {"city": "Chur"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c2", "name": "weather", "response": {"output": "rain"}}},
                {"functionResponse": {"id": "c1", "name": "weather", "response": {"output": "sun"}}},
            ],
        },
        {"role": "user", "parts": [{"text": "and?"}]},
    ]


def test_a_signature_goes_back_with_its_call() -> None:
    signed = call("c1", "Bern", extra_content={"google": {"thought_signature": "sealed"}})
    found = sent(USER, {"role": "assistant", "tool_calls": [signed, call("c2", "Chur")]}, model="gemini-3-pro")
    first, second = found["contents"][1]["parts"]
    assert first["thoughtSignature"] == "sealed"
    assert "thoughtSignature" not in second


def test_a_call_that_lost_its_signature_says_so_to_models_that_want_one() -> None:
    found = sent(USER, {"role": "assistant", "tool_calls": [call("c1", "Bern")]}, model="gemini-3-pro")
    assert found["contents"][1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"


@pytest.mark.parametrize(
    ("part", "carried"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"format": "wav", "data": "AAAA"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        ),
    ],
)
def test_files_are_inline_data(part: dict[str, Any], carried: dict[str, Any]) -> None:
    assert sent({"role": "user", "content": [part]})["contents"][0]["parts"] == [carried]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 1}, "model"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [WEATHER], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"messages": [{"role": "system", "content": "alone"}]}, "messages"),
        ({"messages": [USER, {"role": "tool", "tool_call_id": "c", "content": "x"}]}, "messages[1].tool_call_id"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]}]},
            "messages[0].content",
        ),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        GEMINI.request("chat", {"model": "g", "messages": [USER], **asked}, None)
    assert refused.value.param == param
