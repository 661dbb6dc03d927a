"""Messages over a model that speaks chat completions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalations.completion import texts
from gateway.errors import GatewayError
from gateway.surfaces import SURFACES
from policies.requests import request_texts
from tests.gateway.surfaces.documents import LONG, chat, tool_call

SURFACE = SURFACES["messages"]
SAID = st.text(min_size=1).filter(str.strip)
PIXEL = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}


def to_chat(content: Any = "Hello", **more: Any) -> dict[str, Any]:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}], **more}
    SURFACE.check(body)
    found = SURFACE.to_chat(body)
    SURFACES["chat"].check(found)
    return found


def from_chat(completion: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    found = SURFACE.from_chat(completion or chat(), {"model": "m", **body})
    assert SURFACE.is_answer(found)
    return found


def test_the_system_comes_first() -> None:
    blocks = [{"type": "text", "text": "Advise."}, {"type": "text", "text": "Be brief."}]
    assert to_chat(system="Advise.")["messages"][0] == {"role": "system", "content": "Advise."}
    assert to_chat(system=blocks)["messages"][0]["content"] == "Advise.\n\nBe brief."


def test_limits_and_stops_are_carried() -> None:
    found = to_chat(stop_sequences=["END"], temperature=0.5, metadata={"user_id": "u"})
    assert (found["max_completion_tokens"], found["stop"], found["temperature"], found["user"]) == (
        9,
        ["END"],
        0.5,
        "u",
    )


def test_images_are_carried() -> None:
    blocks = [
        {"type": "image", "source": PIXEL},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/x.png"}},
        {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}},
    ]
    assert to_chat(blocks)["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}},
        {"type": "text", "text": "What is this?"},
    ]


def test_documents_are_carried() -> None:
    blocks = [
        {"type": "document", "title": "Chart", "source": {"type": "text", "media_type": "text/plain", "data": "Gout."}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "Gout."}]}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}},
        {"type": "search_result", "title": "T", "source": "s", "content": [{"type": "text", "text": "Gout."}]},
    ]
    assert to_chat(blocks)["messages"][0]["content"] == [
        {"type": "text", "text": "Chart\nGout."},
        {"type": "text", "text": "Gout."},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        {"type": "text", "text": "T\ns\nGout."},
    ]


def test_a_turn_with_tools_becomes_calls_and_their_results() -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "Reject her."},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                    {"type": "text", "text": "At once."},
                    {"type": "tool_use", "id": "toolu_1", "name": "reject", "input": {"to": "Roe"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [{"type": "text", "text": "done"}, {"type": "image", "source": PIXEL}],
                    },
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
    }
    assert SURFACE.to_chat(body)["messages"][1:] == [
        {
            "role": "assistant",
            "content": "At once.",
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "reject", "arguments": '{"to":"Roe"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "done"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                {"type": "text", "text": "And now?"},
            ],
        },
    ]


def test_tools_become_functions() -> None:
    tool = {"name": "reject", "description": "Say no.", "input_schema": {"type": "object"}}
    function = {"name": "reject", "description": "Say no.", "parameters": {"type": "object"}}
    assert to_chat(tools=[tool])["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    ("choice", "carried"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any", "disable_parallel_tool_use": True}, {"tool_choice": "required", "parallel_tool_calls": False}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
    ],
)
def test_the_choice_among_tools_is_carried(choice: dict[str, Any], carried: dict[str, Any]) -> None:
    found = to_chat(tools=[{"name": "f", "input_schema": {"type": "object"}}], tool_choice=choice)
    assert {name: found[name] for name in carried} == carried


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0"),
        ({"mcp_servers": [{"url": "https://example.org"}]}, "mcp_servers"),
        ({"container": "container_1"}, "container"),
        (
            {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
            "messages.0.content.0",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "input": {}}]}]},
            "messages.0.content.0",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}
                ]
            },
            "messages.0.content.0",
        ),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "some"}}, "tool_choice"),
        ({"metadata": "u"}, "metadata"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_its_parameter(more: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as raised:
        to_chat(**more)
    assert (raised.value.status, raised.value.param) == (400, param)


def test_a_completion_becomes_a_message_with_its_text() -> None:
    found = from_chat()
    assert (found["id"], found["type"], found["role"], found["model"]) == ("msg_1", "message", "assistant", "m")
    assert found["content"] == [{"type": "text", "text": LONG, "citations": None}]
    assert found["stop_reason"] == "end_turn"


def test_calls_become_the_use_of_tools() -> None:
    completion = chat(content=None, tool_calls=[tool_call()])
    completion["choices"][0]["finish_reason"] = "tool_calls"
    found = from_chat(completion)
    use = {"type": "tool_use", "id": "call_1", "name": "reject", "input": {"to": "Jane Roe"}}
    assert found["content"] == [{**use, "caller": {"type": "direct"}}]
    assert found["stop_reason"] == "tool_use"


def test_arguments_that_are_no_object_are_kept_as_they_are() -> None:
    found = from_chat(chat(content=None, tool_calls=[tool_call("{broken")]))
    assert found["content"][0]["input"] == {"arguments": "{broken"}


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"), ("tool_calls", "tool_use")],
)
def test_why_it_stopped_is_told_in_this_apis_words(finish: str, reason: str) -> None:
    completion = chat()
    completion["choices"][0]["finish_reason"] = finish
    assert from_chat(completion)["stop_reason"] == reason


def test_a_refusal_is_a_text_and_the_reason_to_stop() -> None:
    found = from_chat(chat(content=None, refusal="No."))
    [block] = found["content"]
    assert (block["text"], found["stop_reason"]) == ("No.", "refusal")


def test_the_sequence_that_stopped_it_is_told_where_the_model_tells() -> None:
    completion = chat()
    completion["choices"][0]["stop_reason"] = "END"
    found = from_chat(completion, stop_sequences=["END"])
    assert (found["stop_reason"], found["stop_sequence"]) == ("stop_sequence", "END")


def test_what_was_read_from_a_cache_is_counted_apart() -> None:
    completion = chat()
    completion["usage"] = {**completion["usage"], "prompt_tokens_details": {"cached_tokens": 3}}
    usage = from_chat(completion)["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (6, 3, 4)


@given(st.lists(SAID, min_size=1, max_size=5), SAID, SAID)
def test_no_text_of_a_request_is_lost(said: list[str], system: str, output: str) -> None:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in said]
    blocks.append({"type": "tool_result", "tool_use_id": "t", "content": output})
    body = {"model": "m", "max_tokens": 9, "system": system, "messages": [{"role": "user", "content": blocks}]}
    assert {text for _, text in request_texts(SURFACE.to_chat(body))} == {text for _, text in request_texts(body)}


@given(SAID, SAID, st.dictionaries(st.text(), SAID))
def test_no_text_of_an_answer_is_lost(content: str, refusal: str, given_: dict[str, str]) -> None:
    import orjson

    completion = chat(content=content, refusal=refusal, tool_calls=[tool_call(orjson.dumps(given_).decode())])
    found = SURFACE.from_chat(completion, {"model": "m"})
    assert {text for _, text in texts(found)} == {content, refusal, *given_.values()}
