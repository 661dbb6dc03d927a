"""The APIs that answer: who is behind a target, by the name that its configuration gives."""

from __future__ import annotations

from gateway.providers.anthropic import Anthropic
from gateway.providers.gemini import Gemini
from gateway.providers.openai import OpenAICompatible
from gateway.providers.provider import Failure, Provider, Sent, Translation, Untranslatable

_GEMINI = Gemini("gemini")
_KNOWN: dict[str, Provider] = {
    "openai": OpenAICompatible("openai", responses=True),
    "azure": OpenAICompatible("azure", responses=True, key_header="api-key"),
    "anthropic": Anthropic(),
    "gemini": _GEMINI,
    "google": _GEMINI,
    "vertex": Gemini("vertex", publisher="/publishers/google"),
}


def provider_named(name: str | None) -> Provider:
    """OpenAI where none is named. A name that is not known is a server that speaks OpenAI's chat completions."""
    named = name or "openai"
    return _KNOWN.get(named) or OpenAICompatible(named)


__all__ = ["Failure", "Provider", "Sent", "Translation", "Untranslatable", "provider_named"]
