"""OpenAI's API and its imitations: what passes, how it is signed, and what their errors say."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.providers import provider_named

OPENAI = provider_named("openai")


@pytest.mark.parametrize(
    ("surface", "path"),
    [
        ("chat", "/chat/completions"),
        ("responses", "/responses"),
        ("completions", "/completions"),
        ("embeddings", "/embeddings"),
        ("moderations", "/moderations"),
    ],
)
def test_each_surface_has_its_path(surface: str, path: str) -> None:
    assert OPENAI.request(surface, {"model": "m"}, None).path == path


def test_the_request_passes_with_unknown_fields() -> None:
    body = {"model": "m", "messages": [], "invented_yesterday": {"a": 1}}
    assert OPENAI.request("chat", body, None).body == body


def test_the_secret_is_a_bearer_token() -> None:
    headers = OPENAI.request("chat", {}, "key").headers
    assert headers == {"content-type": "application/json", "authorization": "Bearer key"}


def test_without_a_secret_nothing_is_signed() -> None:
    assert OPENAI.request("chat", {}, None).headers == {"content-type": "application/json"}


def test_azure_wants_its_key_in_a_header_of_its_own() -> None:
    headers = provider_named("azure").request("chat", {}, "key").headers
    assert headers == {"content-type": "application/json", "api-key": "key"}


@pytest.mark.parametrize(
    ("surface", "document"),
    [
        ("chat", {"choices": [{"message": {"content": "hi"}, "new": 1}], "new": [1]}),
        ("completions", {"choices": [{"text": "hi"}]}),
        ("responses", {"output": [{"type": "message"}]}),
        ("embeddings", {"data": [{"embedding": [0.5]}]}),
        ("moderations", {"results": [{"flagged": False}]}),
    ],
)
def test_an_answer_passes_as_it_is(surface: str, document: dict[str, Any]) -> None:
    assert OPENAI.answer(surface, document, {}) is document


@pytest.mark.parametrize(
    ("surface", "document"),
    [
        ("chat", {}),
        ("chat", {"error": {"message": "no"}}),
        ("chat", {"choices": "all"}),
        ("chat", {"choices": [1]}),
        ("chat", {"choices": [{"text": "of the old API"}]}),
        ("responses", {"choices": []}),
        ("embeddings", {"data": 1}),
        ("unheard-of", {"choices": []}),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(surface: str, document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        OPENAI.answer(surface, document, {})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            b'{"error":{"message":"too long","type":"t","param":"messages","code":"context_length_exceeded"}}',
            ("too long", "t", "context_length_exceeded", "messages"),
        ),
        (b'{"error":{"code":400,"message":"bad","param":null}}', ("bad", "invalid_request_error", None, None)),
        (b'{"error":"model not found"}', ("model not found", "invalid_request_error", None, None)),
        (b'{"object":"error","message":"bad","type":"BadRequestError"}', ("bad", "BadRequestError", None, None)),
        (b'{"detail":"Not Found"}', ("Not Found", "invalid_request_error", None, None)),
        (b"<html>", ("", "invalid_request_error", None, None)),
        (b"", ("", "invalid_request_error", None, None)),
        (b"[]", ("", "invalid_request_error", None, None)),
        (b"[1]", ("", "invalid_request_error", None, None)),
        (b'{"error":7}', ("", "invalid_request_error", None, None)),
    ],
)
def test_an_error_is_told_as_far_as_it_can_be_read(body: bytes, told: tuple[str, str, str | None, str | None]) -> None:
    assert OPENAI.failure(body) == told


def test_an_endless_error_is_cut() -> None:
    assert len(OPENAI.failure(b'{"error":{"message":"' + b"x" * 50_000 + b'"}}')[0]) == 2000
