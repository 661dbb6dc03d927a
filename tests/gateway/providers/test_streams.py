"""A streamed answer of another provider says what the whole answer would have said."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from gateway.errors import GatewayError
from gateway.providers import provider_named
from gateway.translating import translated
from tests.gateway.providers.test_any_json import ANSWERS, JSON, spoiled
from tests.support.streams import gemini_events, message_events, written

ASKED = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
NAMES = ("anthropic", "gemini")
TEXT = st.text(alphabet=st.sampled_from("ab é\n"), min_size=1, max_size=9)
ARGUMENTS = st.dictionaries(st.sampled_from("abc"), st.integers() | TEXT, max_size=2)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    blocks = draw(
        st.lists(
            TEXT.map(lambda text: {"type": "text", "text": text})
            | TEXT.map(lambda text: {"type": "thinking", "thinking": text})
            | ARGUMENTS.map(lambda given: {"type": "tool_use", "id": "t", "name": "f", "input": given}),
            max_size=4,
        )
    )
    reason = draw(st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "new_reason"]))
    told = {"stop_details": {"explanation": "no"}} if reason == "refusal" else {}
    usage = {"input_tokens": draw(st.integers(0, 9)), "output_tokens": 7, "cache_read_input_tokens": 2}
    return {"id": "msg", "model": "claude-1", "content": blocks, "stop_reason": reason, "usage": usage, **told}


@st.composite
def generated(draw: st.DrawFn) -> dict[str, Any]:
    parts = draw(
        st.lists(
            TEXT.map(lambda text: {"text": text})
            | ARGUMENTS.map(lambda args: {"functionCall": {"id": "c", "name": "f", "args": args}}),
            max_size=4,
        )
    )
    reason = draw(st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"]))
    candidate = {"content": {"parts": parts}, "finishReason": reason}
    usage = {"promptTokenCount": 5, "candidatesTokenCount": draw(st.integers(0, 9)), "thoughtsTokenCount": 1}
    return {"responseId": "r", "modelVersion": "gemini-1", "candidates": [candidate], "usageMetadata": usage}


def chunks_of(name: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    streaming = provider_named(name).streaming(ASKED, None)
    assert streaming is not None
    translation = streaming[1]
    chunks = [chunk for event in events for chunk in translation.read(event)]
    if not translation.finished:
        raise ValueError("it does not end")
    return [*chunks, translation.usage_chunk()]


def put_together(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client makes of the chunks, as the parts of a whole completion."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    calls: list[dict[str, Any]] = []
    finish = None
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
        for choice in chunk["choices"]:
            finish = choice["finish_reason"] or finish
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    _add_call(calls, value[0])
                elif name != "role" and value:
                    message[name] = (message.get(name) or "") + value
    if calls:
        message["tool_calls"] = [{**call, "function": _read(call["function"])} for call in calls]
    return {"message": message, "finish_reason": finish, "usage": chunks[-1]["usage"], "model": chunks[0]["model"]}


def _add_call(calls: list[dict[str, Any]], told: dict[str, Any]) -> None:
    if told["index"] == len(calls):
        calls.append({name: value for name, value in told.items() if name != "index"})
    else:
        calls[told["index"]]["function"]["arguments"] += told["function"]["arguments"]


def _read(function: dict[str, Any]) -> dict[str, Any]:
    return {**function, "arguments": orjson.loads(function["arguments"])}


def whole(name: str, document: dict[str, Any]) -> dict[str, Any]:
    found = provider_named(name).answer("chat", document, ASKED)
    [choice] = found["choices"]
    message = choice["message"]
    if "tool_calls" in message:
        message["tool_calls"] = [{**call, "function": _read(call["function"])} for call in message["tool_calls"]]
    return {
        "message": message,
        "finish_reason": choice["finish_reason"],
        "usage": found["usage"],
        "model": found["model"],
    }


@given(messages())
def test_a_streamed_message_is_the_message(message: dict[str, Any]) -> None:
    assert put_together(chunks_of("anthropic", list(message_events(message)))) == whole("anthropic", message)


@given(generated())
def test_a_streamed_answer_of_gemini_is_the_answer(answer: dict[str, Any]) -> None:
    assert put_together(chunks_of("gemini", list(gemini_events(answer)))) == whole("gemini", answer)


def test_a_request_that_gemini_blocks_ends_with_content_filter() -> None:
    events = list(gemini_events({"responseId": "r", "promptFeedback": {"blockReason": "SAFETY"}}))
    assert put_together(chunks_of("gemini", events))["finish_reason"] == "content_filter"


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_any_events_become_chunks_or_a_value_error(name: str, data: st.DataObject) -> None:
    sound = [event for answer in ANSWERS if "content" in answer for event in message_events(answer)]
    sound += [event for answer in ANSWERS if "candidates" in answer for event in gemini_events(answer)]
    events = data.draw(st.lists(spoiled(*sound) | st.dictionaries(st.text(max_size=5), JSON, max_size=3), max_size=6))
    try:
        chunks = chunks_of(name, events)
    except ValueError:
        return
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)


async def stream(body: bytes, size: int) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def over_the_wire(name: str, body: bytes, size: int = 7, *, include_usage: bool = False) -> list[bytes]:
    streaming = provider_named(name).streaming(ASKED, None)
    assert streaming is not None
    return [piece async for piece in translated(stream(body, size), streaming[1], include_usage=include_usage)]


MESSAGE = {"id": "m", "model": "c", "content": [{"type": "text", "text": "Paris."}], "stop_reason": "end_turn"}
BODIES = {
    "anthropic": written(message_events({**MESSAGE, "usage": {"input_tokens": 5, "output_tokens": 7}})),
    "gemini": written(
        gemini_events(
            {
                "responseId": "r",
                "candidates": [{"content": {"parts": [{"text": "Paris."}]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7},
            }
        )
    ),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_events_are_read_however_the_stream_is_cut_and_usage_comes_where_it_is_asked_for(
    name: str, size: int
) -> None:
    told = await over_the_wire(name, BODIES[name], size, include_usage=True)
    assert told[-1] == b"data: [DONE]\n\n"
    assert orjson.loads(told[-2][6:])["usage"]["total_tokens"] == 12
    assert b"usage" not in b"".join(await over_the_wire(name, BODIES[name], size))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spoil", [lambda body: body[:-20], lambda _: b"data: {nonsense\n\n", lambda _: b""])
async def test_a_stream_that_breaks_off_or_is_nonsense_is_an_error(name: str, spoil: Any) -> None:
    body = BODIES[name] if name == "anthropic" else BODIES[name].rpartition(b"event:")[0]
    with pytest.raises(GatewayError) as told:
        await over_the_wire(name, spoil(body))
    assert told.value.code == "upstream_invalid"


async def test_an_error_in_the_middle_of_a_message_is_an_error() -> None:
    begun = BODIES["anthropic"].partition(b"event: message_delta")[0]
    with pytest.raises(GatewayError):
        await over_the_wire("anthropic", begun + b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n')
