"""Whatever a caller or a model sends, a surface has an error of its own for it, and never falls over."""

from __future__ import annotations

import copy
import random
from contextlib import suppress
from typing import Any

import pytest

from escalations.completion import texts
from gateway.errors import GatewayError
from gateway.surfaces import SURFACES
from policies.requests import last_asked, request_texts, rewrite
from tests.gateway.surfaces.documents import EVERY_BLOCK, EVERY_ITEM, chat, message, response, tool_call
from tests.policies.test_requests import CHAT, MESSAGES, RESPONSES

JUNK: tuple[Any, ...] = (None, 1, "x", [], {}, True, ["x"], [{}], {"type": "x"}, {"type": 1}, [1], 0.5, "", [None])
FUNCTION = {"type": "function", "name": "f"}
REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", **CHAT},
    "responses": {
        "model": "m",
        **RESPONSES,
        "tools": [FUNCTION, {"type": "custom", "name": "x", "format": {"type": "grammar"}}],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [FUNCTION]},
        "text": {"format": {"type": "json_schema", "name": "x"}},
        "reasoning": {"effort": "low"},
    },
    "messages": {
        "model": "m",
        "max_tokens": 1,
        **MESSAGES,
        "tools": [{"name": "f", "input_schema": {}}],
        "tool_choice": {"type": "auto"},
        "metadata": {"user_id": "u"},
    },
    "completions": {"model": "m", "prompt": "x", "best_of": 1},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "chat": chat(
        tool_calls=[tool_call()],
        reasoning_content="x",
        audio={"transcript": "x", "data": "y"},
        annotations=[{"url_citation": {"url": "u"}}],
    ),
    "responses": response(*EVERY_ITEM),
    "messages": message(*EVERY_BLOCK),
    "completions": {"id": "c", "choices": [{"text": "x", "index": 0}]},
}


def places_of(value: Any) -> list[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, below in inner for place in ((value, key), *places_of(below))]


def broken(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The document with one member, at any depth, of another kind."""
    changed = copy.deepcopy(document)
    holder, key = chance.choice(places_of(changed))
    holder[key] = copy.deepcopy(chance.choice(JUNK))
    return changed


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_of_the_wrong_kind_is_refused_or_carried(name: str) -> None:
    chance, surface = random.Random(name), SURFACES[name]
    for _ in range(800):
        body = broken(REQUESTS[name], chance)
        with suppress(GatewayError):
            surface.check(body)
            surface.to_chat(body)


@pytest.mark.parametrize("name", REQUESTS)
def test_the_texts_of_a_request_are_read_whatever_their_kind(name: str) -> None:
    chance = random.Random(name)
    for _ in range(800):
        body = broken(REQUESTS[name], chance)
        before = dict(request_texts(body))
        last_asked(body)
        assert dict(request_texts(rewrite(body, lambda _, text: f"{text}!"))).keys() == before.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_the_wrong_kind_is_no_answer_or_can_be_streamed_and_withheld(name: str) -> None:
    chance, surface = random.Random(name), SURFACES[name]
    for _ in range(800):
        document = broken(ANSWERS[name], chance)
        list(texts(document))
        if surface.is_answer(document):
            assert b"".join(surface.stream(document, include_usage=True))
            assert surface.withheld(document, "esc_1", "block", None)


@pytest.mark.parametrize("name", ["responses", "messages", "completions"])
def test_a_completion_of_the_wrong_kind_becomes_an_answer_all_the_same(name: str) -> None:
    chance = random.Random(name)
    for _ in range(800):
        completion = broken(ANSWERS["chat"], chance)
        if SURFACES["chat"].is_answer(completion):
            assert SURFACES[name].is_answer(SURFACES[name].from_chat(completion, {"model": "m"}))
