"""Completions, embeddings and moderations."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types import Completion

from gateway.errors import GatewayError
from gateway.surfaces import SURFACES
from tests.gateway.surfaces.documents import LONG, USAGE, chat
from tests.gateway.surfaces.test_chat import client

SURFACE = SURFACES["completions"]


def completion(**choice: Any) -> dict[str, Any]:
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{"index": 0, "text": LONG, "finish_reason": "length", "logprobs": None, **choice}],
        "usage": USAGE,
    }


def streamed(document: dict[str, Any], *, include_usage: bool = False) -> list[Any]:
    with client(b"".join(SURFACE.stream(document, include_usage=include_usage))) as stock:
        return list(stock.completions.create(model="m", prompt="x", stream=True))


def test_a_completion_is_streamed_whole() -> None:
    chunks = streamed(completion())
    assert "".join(chunk.choices[0].text for chunk in chunks) == LONG
    assert (chunks[0].object, chunks[-1].choices[0].finish_reason) == ("text_completion", "length")


def test_usage_is_streamed_to_those_who_asked() -> None:
    assert streamed(completion(), include_usage=True)[-1].usage.total_tokens == 13


def test_a_withheld_completion_is_empty_and_says_so_beside_it() -> None:
    withheld = SURFACE.withheld(completion(), "esc_1", "block", "other")
    assert Completion.model_validate(withheld).choices[0].finish_reason == "content_filter"
    assert withheld["choices"][0]["text"] == ""
    assert (withheld["escalation"]["id"], withheld["escalation"]["resolution"]) == ("esc_1", "blocked")
    assert "esc_1" in withheld["escalation"]["message"]


def test_a_prompt_becomes_a_message() -> None:
    found = SURFACE.to_chat({"model": "m", "prompt": ["Hello"], "max_tokens": 9, "n": 2, "stop": "END"})
    assert found == {
        "model": "m",
        "n": 2,
        "stop": "END",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_completion_tokens": 9,
    }


def test_a_chat_completion_becomes_a_text() -> None:
    found = SURFACE.from_chat(chat(), {"model": "m"})
    assert Completion.model_validate(found).choices[0].text == LONG
    assert SURFACE.is_answer(found)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"suffix": "x"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": 2}, "logprobs"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_its_parameter(more: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as raised:
        SURFACE.to_chat({"model": "m", "prompt": "x", **more})
    assert (raised.value.status, raised.value.param) == (400, param)


def test_a_completion_needs_a_prompt() -> None:
    with pytest.raises(GatewayError) as raised:
        SURFACE.check({"model": "m"})
    assert raised.value.param == "prompt"


@pytest.mark.parametrize(("name", "results"), [("embeddings", "data"), ("moderations", "results")])
def test_numbers_are_recognised_and_withheld_without_them(name: str, results: str) -> None:
    surface = SURFACES[name]
    document = {"id": "x", "model": "m", results: [{"flagged": False}]}
    assert not surface.holds
    assert surface.is_answer(document)
    assert not surface.is_answer({"choices": []})
    withheld = surface.withheld(document, "esc_1", "block", None)
    assert (withheld[results], withheld["escalation"]["id"]) == ([], "esc_1")


@pytest.mark.parametrize("name", ["embeddings", "moderations"])
def test_numbers_are_never_streamed_and_no_chat_model_gives_them(name: str) -> None:
    assert SURFACES[name].options({"stream": True}) == (False, False)
    with pytest.raises(GatewayError) as raised:
        SURFACES[name].to_chat({"model": "m", "input": "x"})
    assert raised.value.status == 400


def test_moderations_need_not_name_a_model_and_embeddings_must() -> None:
    SURFACES["moderations"].check({"input": "x"})
    assert SURFACES["moderations"].default_model
    with pytest.raises(GatewayError):
        SURFACES["embeddings"].check({"input": "x"})


def test_every_surface_has_a_path_of_its_own() -> None:
    assert sorted(surface.path for surface in SURFACES.values()) == [
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/messages",
        "/moderations",
        "/responses",
    ]


def test_an_error_in_a_stream_is_raised_by_the_client() -> None:
    with client(SURFACE.stream_error(GatewayError(503, "away", "away"))) as stock, pytest.raises(openai.APIError):
        list(stock.completions.create(model="m", prompt="x", stream=True))
