"""OpenAI's own API and the many servers that speak it: everything passes as it is, in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.providers.errors import error_object, text
from gateway.providers.provider import Failure, Sent, Translation, Untranslatable

_PATHS = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "moderations": "/moderations",
}
_HOLDS_ITS_ANSWER_IN = {
    "chat": "choices",
    "responses": "output",
    "completions": "choices",
    "embeddings": "data",
    "moderations": "results",
}


@dataclass(frozen=True, slots=True)
class OpenAICompatible:
    """`responses`: it has the Responses API too. `key_header`: where the secret stands, if not as a bearer token.

    Azure is one of these by its v1 API: base URL `https://<resource>.openai.azure.com/openai/v1`, no api-version.
    """

    name: str
    responses: bool = False
    key_header: str | None = None

    def speaks(self, surface: str) -> bool:
        return surface in _PATHS and (surface != "responses" or self.responses)

    def request(self, surface: str, body: dict[str, Any], secret: str | None) -> Sent:
        headers = {"content-type": "application/json"}
        if secret and self.key_header:
            headers[self.key_header] = secret
        elif secret:
            headers["authorization"] = f"Bearer {secret}"
        return Sent(_PATHS[surface], headers, body)

    def answer(self, surface: str, document: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        held = document.get(_HOLDS_ITS_ANSWER_IN.get(surface, ""))
        if not isinstance(held, list) or not all(isinstance(part, dict) for part in held):
            raise ValueError(f"not an answer of {surface}")
        if surface == "chat" and not all(isinstance(choice.get("message"), dict) for choice in held):
            raise ValueError("a choice without a message")
        return document

    def streaming(self, body: dict[str, Any], secret: str | None) -> tuple[Sent, Translation]:  # noqa: ARG002
        raise Untranslatable("what passes untouched is not translated")

    def failure(self, body: bytes) -> Failure:
        """The envelope of OpenAI, or one of those that its imitations use instead."""
        told = error_object(body)
        message = text(told, "message") or text(told, "detail") or ""
        return message, text(told, "type") or "invalid_request_error", text(told, "code"), text(told, "param")
