"""Every text of an answer is found, whichever API it is of, and can be redacted where it was found."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalations.completion import texts
from escalations.decisions import Redaction
from escalations.redaction import drop_repetitions, redact
from tests.gateway.surfaces.documents import EVERY_BLOCK, EVERY_ITEM, LONG, chat, message, response, said, tool_call

EVERYTHING = chat(
    content=[{"type": "text", "text": "a"}, {"type": "novelty", "words": ["b"]}],
    refusal="c",
    reasoning_content="d",
    audio={"id": "audio_1", "data": "UklGRg==", "transcript": "e"},
    tool_calls=[tool_call('{"f": "f"}'), {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "g"}}],
    reasoning_details=[{"type": "reasoning.text", "text": "h", "signature": "s"}],
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
VALUES = st.recursive(
    WORDS | st.integers(-(2**53), 2**53) | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
)


def found(document: dict[str, Any]) -> dict[str, str]:
    return dict(texts(document))


def test_every_text_of_a_chat_message_is_found() -> None:
    assert found(EVERYTHING) == {
        "/choices/0/message/content/0/text": "a",
        "/choices/0/message/content/1/words/0": "b",
        "/choices/0/message/refusal": "c",
        "/choices/0/message/reasoning_content": "d",
        "/choices/0/message/audio/transcript": "e",
        "/choices/0/message/tool_calls/0/function/arguments": '{"f": "f"}',
        "/choices/0/message/tool_calls/1/custom/input": "g",
        "/choices/0/message/reasoning_details/0/text": "h",
    }


def test_a_legacy_completion_has_its_text_in_the_choice() -> None:
    assert found({"choices": [{"text": "a"}, {"text": "b"}]}) == {"/choices/0/text": "a", "/choices/1/text": "b"}


def test_every_item_of_a_response_is_read() -> None:
    assert found(response(*EVERY_ITEM)) == {
        "/output/0/summary/0/text": "A summary.",
        "/output/0/content/0/text": "A thought.",
        "/output/1/content/0/text": LONG,
        "/output/1/content/0/annotations/0/url": "https://example.org/a",
        "/output/1/content/0/annotations/0/title": "A source",
        "/output/2/content/0/refusal": "I will not.",
        "/output/3/arguments": '{"to": "Jane Roe"}',
        "/output/4/input": "rm records",
        "/output/5/arguments": '{"name": "Roe"}',
        "/output/5/output": "One Jane Roe.",
        "/output/6/action/query": "Jane Roe",
        "/output/7/code": "print('Roe')",
        "/output/7/outputs/0/logs": "Roe",
        "/output/9/action/command/0": "cat",
        "/output/9/action/command/1": "roe.txt",
    }


def test_every_block_of_a_message_is_read() -> None:
    assert found(message(*EVERY_BLOCK)) == {
        "/content/0/thinking": "A thought.",
        "/content/2/text": LONG,
        "/content/2/citations/0/cited_text": "Roe has gout.",
        "/content/2/citations/0/document_title": "Chart",
        "/content/3/input/to": "Jane Roe",
        "/content/3/input/why~1how/0/a~0b": "too old",
        "/content/3/input/card": "4111111111111111",
        "/content/4/input/query": "gout",
        "/content/5/content/0/title": "Gout",
        "/content/5/content/0/url": "https://example.org/gout",
    }


def test_nothing_in_a_tools_input_passes_for_a_kind_or_an_id() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"type": "Roe", "id": "Roe", "signature": "Roe"}}
    assert set(found(message(block))) == {"/content/0/input/type", "/content/0/input/id", "/content/0/input/signature"}


def test_a_long_number_in_a_tools_input_is_a_text_and_a_short_one_is_not() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"card": 4111111111111111, "age": 61, "old": True}}
    assert found(message(block)) == {"/content/0/input/card": "4111111111111111"}


def test_what_calls_itself_a_kind_but_reads_like_a_sentence_is_a_text() -> None:
    assert found(response({"type": "Jane Roe has gout."})) == {"/output/0/type": "Jane Roe has gout."}


@pytest.mark.parametrize(
    "document",
    [
        response({"type": "telepathy", "id": "tp_1", "deep": [{"down": ["here"]}]}),
        message({"type": "telepathy", "deep": [{"down": ["here"]}]}),
        chat(content=None, deep=[{"down": ["here"]}]),
        {**chat(content=None), "deep": [{"down": ["here"]}]},
        {"choices": [{"index": 0, "deep": [{"down": ["here"]}]}]},
        {"choices": ["here"]},
        {"choices": {"a": "here"}},
        {"choices": [{"message": "here"}]},
        {"choices": [{"message": {"tool_calls": "here"}}]},
        {"choices": [{"message": {"tool_calls": ["here"]}}]},
        {"choices": [{"message": {"function_call": ["here"]}}]},
        {"output": "here"},
        {"content": "here"},
    ],
)
def test_of_what_is_not_known_every_string_is_a_text(document: dict[str, Any]) -> None:
    assert list(found(document).values()) == ["here"]


def test_what_a_response_echoes_of_its_request_is_no_answer() -> None:
    assert found(response(said("a"), metadata={"k": "v"}, tools=[{"description": "x"}])) == {
        "/output/0/content/0/text": "a"
    }


def test_vectors_are_not_walked() -> None:
    assert found({"object": "list", "data": [{"object": "embedding", "embedding": [0.1], "note": "x"}]}) == {}


@pytest.mark.parametrize("document", [EVERYTHING, response(*EVERY_ITEM), message(*EVERY_BLOCK)])
def test_every_text_can_be_redacted_where_it_was_found(document: dict[str, Any]) -> None:
    for pointer, text in texts(document):
        start = text.index("Roe") if "Roe" in text else 0
        if text.startswith("{"):
            start = text.index(": ") + 3
        released = redact(document, [Redaction(pointer, start, start + 1, "X")])
        assert found(released)[pointer] == f"{text[:start]}[X]{text[start + 1 :]}"


@given(VALUES, WORDS)
def test_every_text_of_a_tools_input_can_be_redacted_whole(given_: Any, key: str) -> None:
    document = message({"type": "tool_use", "id": "t", "name": "f", "input": {key: given_}})
    marked = [Redaction(pointer, 0, len(text), "X") for pointer, text in texts(document) if text]
    if marked:
        released = redact(document, marked)
        assert {text for _, text in texts(released)} <= {"[X]", ""}
        orjson.dumps(released)


@given(WORDS)
def test_every_text_of_a_response_can_be_redacted_whole(text: str) -> None:
    item = {"type": "telepathy", "id": "tp_1", "said": text, text: {"more": text}}
    document = response(item, said(text, annotations=[{"title": text}]))
    marked = [Redaction(pointer, 0, len(each), "X") for pointer, each in texts(document)]
    assert {each for _, each in texts(redact(document, marked))} == {"[X]"}


def test_log_probabilities_of_a_response_are_dropped_with_the_text_that_they_spell() -> None:
    document = response(said("Roe", logprobs=[{"token": "Roe", "logprob": -1}]), output_text="Roe")
    released = redact(document, [Redaction("/output/0/content/0/text", 0, 3)])
    assert "Roe" not in orjson.dumps(released).decode()


def test_speech_is_dropped_with_the_text_that_it_says() -> None:
    released = redact(EVERYTHING, [Redaction("/choices/0/message/audio/transcript", 0, 1)])
    assert released["choices"][0]["message"]["audio"]["data"] == ""


def test_repetitions_are_dropped_in_place() -> None:
    document = {"choices": [{"text": "a", "logprobs": {"tokens": ["a"]}}]}
    drop_repetitions(document)
    assert document["choices"][0]["logprobs"] is None
