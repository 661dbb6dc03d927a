"""Chat completions, read by the stock client."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest

from gateway.errors import GatewayError, blocked
from gateway.surfaces import SURFACES, document_id
from tests.gateway.surfaces.documents import LONG, USAGE, chat, tool_call

SURFACE = SURFACES["chat"]


def client(body: bytes, kind: str = "text/event-stream") -> openai.OpenAI:
    answer = httpx2.MockTransport(lambda _: httpx2.Response(200, content=body, headers={"content-type": kind}))
    return openai.OpenAI(
        api_key="k", base_url="http://gateway/v1", http_client=httpx2.Client(transport=answer), max_retries=0
    )


def streamed(document: dict[str, Any], *, include_usage: bool = False) -> list[Any]:
    body = b"".join(SURFACE.stream(document, include_usage=include_usage))
    with client(body) as stock:
        return list(stock.chat.completions.create(model="m", messages=[], stream=True))


def told(path: str, chunks: list[Any]) -> list[Any]:
    return [value for chunk in chunks for choice in chunk.choices if (value := getattr(choice.delta, path))]


def test_a_stream_says_all_of_the_text_in_order() -> None:
    chunks = streamed(chat())
    assert "".join(told("content", chunks)) == LONG
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stream_carries_tool_calls_by_index() -> None:
    calls = [tool_call('{"a": 1}'), {**tool_call('{"b": 2}'), "id": "call_2"}]
    chunks = streamed(chat(content=None, tool_calls=calls))
    assert [(c.index, c.id, c.function.arguments) for each in told("tool_calls", chunks) for c in each] == [
        (0, "call_1", '{"a": 1}'),
        (1, "call_2", '{"b": 2}'),
    ]


def test_a_stream_carries_a_refusal_and_members_that_are_not_known() -> None:
    chunks = streamed(chat(content=None, refusal="No.", reasoning_content="Hm."))
    assert told("refusal", chunks) == ["No."]
    assert [c.choices[0].delta.model_extra for c in chunks if c.choices[0].delta.model_extra] == [
        {"reasoning_content": "Hm."}
    ]


def test_every_choice_is_streamed() -> None:
    document = chat()
    document["choices"].append({**document["choices"][0], "index": 1})
    assert {choice.index for chunk in streamed(document) for choice in chunk.choices} == {0, 1}


def test_usage_is_streamed_to_those_who_asked() -> None:
    assert streamed(chat(), include_usage=True)[-1].usage.total_tokens == USAGE["total_tokens"]
    assert all(chunk.usage is None for chunk in streamed(chat()))


@pytest.mark.parametrize(
    ("outcome", "status", "resolution"),
    [
        ("block", "resolved", "blocked"),
        ("expired", "expired", None),
        ("withdrawn", "expired", None),
        ("open", "open", None),
    ],
)
def test_a_withheld_answer_says_which_it_was_and_nothing_of_the_text(
    outcome: str, status: str, resolution: Any
) -> None:
    withheld = SURFACE.withheld(chat(tool_calls=[tool_call()]), "esc_1", outcome, "true_positive")
    assert LONG not in str(withheld)
    assert "Jane" not in str(withheld)
    assert withheld["choices"][0]["finish_reason"] == "content_filter"
    assert "esc_1" in withheld["choices"][0]["message"]["refusal"]
    assert (withheld["escalation"]["status"], withheld["escalation"]["resolution"]) == (status, resolution)
    assert (withheld["id"], withheld["usage"]) == ("chatcmpl-1", USAGE)


def test_the_stream_of_a_withheld_answer_has_the_escalation_on_every_chunk() -> None:
    chunks = streamed(SURFACE.withheld(chat(), "esc_1", "block", "other"))
    assert all(chunk.model_extra["escalation"]["id"] == "esc_1" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "content_filter"


def test_an_undecided_answer_says_where_to_fetch_it() -> None:
    withheld = SURFACE.withheld(chat(), "esc_1", "open", None)
    assert withheld["escalation"]["retrieve"] == "/v1/chat/completions/chatcmpl-1"


def test_an_error_in_a_stream_is_raised_by_the_client() -> None:
    with client(SURFACE.stream_error(blocked("esc_1"))) as stock, pytest.raises(openai.APIError) as raised:
        list(stock.chat.completions.create(model="m", messages=[], stream=True))
    assert raised.value.code == "human_review_blocked"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": "x"}]}, "model"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages[0]"),
        ({"model": "m", "messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"model": "m", "messages": [{"role": "user"}], "stream": "yes"}, "stream"),
        ({"model": "m", "messages": [{"role": "user"}], "api_key": "k"}, "api_key"),
    ],
)
def test_a_request_that_cannot_be_governed_is_refused_by_its_parameter(body: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as raised:
        SURFACE.check(body)
    assert (raised.value.status, raised.value.param) == (400, param)


def test_the_plain_request_asks_for_the_same_at_once() -> None:
    body = {"model": "m", "messages": [], "stream": True, "stream_options": {"include_usage": True}, "seed": 1}
    assert SURFACE.options(body) == (True, True)
    assert SURFACE.plain_request(body) == {"model": "m", "messages": [], "seed": 1}


@pytest.mark.parametrize(
    "document", [None, [], {}, {"choices": None}, {"choices": ["x"]}, {"choices": [{"text": "x"}]}]
)
def test_what_is_no_completion_is_not_taken_for_one(document: object) -> None:
    assert not SURFACE.is_answer(document)


def test_the_id_is_the_models_own() -> None:
    assert document_id(chat()) == "chatcmpl-1"
    assert document_id({"id": 7}) is None
