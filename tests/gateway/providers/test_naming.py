"""Which API a target's provider means."""

from __future__ import annotations

import pytest

from gateway.providers import Sent, provider_named

SURFACES = ("chat", "responses", "messages", "completions", "embeddings", "moderations")


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        (None, {"chat", "responses", "completions", "embeddings", "moderations"}),
        ("openai", {"chat", "responses", "completions", "embeddings", "moderations"}),
        ("azure", {"chat", "responses", "completions", "embeddings", "moderations"}),
        ("groq", {"chat", "completions", "embeddings", "moderations"}),
        ("a-server-of-our-own", {"chat", "completions", "embeddings", "moderations"}),
        ("anthropic", {"messages"}),
        ("gemini", set()),
        ("google", set()),
        ("vertex", set()),
    ],
)
def test_each_provider_speaks_its_own_surfaces(name: str | None, spoken: set[str]) -> None:
    provider = provider_named(name)
    assert {surface for surface in SURFACES if provider.speaks(surface)} == spoken


def test_an_unknown_provider_keeps_its_name() -> None:
    assert provider_named("mistral").name == "mistral"


def test_what_is_sent_shows_neither_secret_nor_text_when_printed() -> None:
    shown = repr(Sent("/x", {"authorization": "Bearer s3cret"}, {"messages": "private"}))
    assert "s3cret" not in shown
    assert "private" not in shown
