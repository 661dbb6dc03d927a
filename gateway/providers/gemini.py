"""Google's generateContent, of the Gemini API and of Vertex AI: chat completions are translated both ways.

A thought signature, without which newer models refuse the next turn, travels with its call to the client and back, in
the member that Google's own chat completions use for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from gateway.providers import chat
from gateway.providers.chat import Media, ToolCall, ToolChoice, Turn
from gateway.providers.completion import choice, completion, object_in, objects_in, text_in
from gateway.providers.errors import error_object, text
from gateway.providers.gemini_answer import choice_of, usage_of
from gateway.providers.gemini_stream import GeminiStream
from gateway.providers.provider import Failure, Sent, Untranslatable

_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE", "named": "ANY"}
_ERRORS: dict[str, tuple[str, str | None]] = {
    "INVALID_ARGUMENT": ("invalid_request_error", None),
    "FAILED_PRECONDITION": ("invalid_request_error", None),
    "OUT_OF_RANGE": ("invalid_request_error", None),
    "NOT_FOUND": ("invalid_request_error", "not_found"),
    "RESOURCE_EXHAUSTED": ("rate_limit_error", "rate_limit_exceeded"),
}
_UNSIGNED_MODELS = ("gemini-1", "gemini-2")
_FOREIGN = "skip_thought_signature_validator"
"""What Google documents in place of a signature for calls that come from another model."""


@dataclass(frozen=True, slots=True)
class Gemini:
    """`publisher` stands before the models' path in Vertex AI."""

    name: str
    publisher: str = ""

    def speaks(self, surface: str) -> bool:  # noqa: ARG002
        return False

    def request(self, surface: str, body: dict[str, Any], secret: str | None) -> Sent:  # noqa: ARG002
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise Untranslatable("you must provide a model parameter", "model")
        headers = {"content-type": "application/json"}
        if secret:
            headers["x-goog-api-key"] = secret
        model = model.removeprefix("models/")
        path = f"{self.publisher}/models/{quote(model, safe='')}:generateContent"
        return Sent(path, headers, _from_chat(body, signed=not model.startswith(_UNSIGNED_MODELS)))

    def answer(self, surface: str, document: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        candidates = objects_in(document, "candidates")
        identifier = document.get("responseId")
        identifier = identifier if isinstance(identifier, str) and identifier else f"chatcmpl-{uuid.uuid4().hex}"
        choices = [choice_of(candidate, document, number) for number, candidate in enumerate(candidates)]
        if not choices:
            # without an answer there has to be the reason for which the request was blocked
            text_in(object_in(document, "promptFeedback"), "blockReason")
            choices = [choice([], [], [], "content_filter")]
        model = document.get("modelVersion")
        model = model if isinstance(model, str) else str(asked.get("model"))
        return completion(identifier, model, choices, usage_of(document))

    def streaming(self, body: dict[str, Any], secret: str | None) -> tuple[Sent, GeminiStream]:
        sent = self.request("chat", body, secret)
        path = sent.path.removesuffix(":generateContent") + ":streamGenerateContent?alt=sse"
        return replace(sent, path=path), GeminiStream(body)

    def failure(self, body: bytes) -> Failure:
        told = error_object(body)
        details = told.get("details")
        if isinstance(details, list) and any(_is_about_the_key(detail) for detail in details):
            return "the model refused the gateway", "server_error", "upstream_refused", None
        kind, code = _ERRORS.get(text(told, "status") or "INVALID_ARGUMENT", ("server_error", None))
        return text(told, "message") or "", kind, code, None


def _is_about_the_key(detail: Any) -> bool:
    """The API answers a wrong key with 400, as if it were the caller's mistake."""
    return isinstance(detail, dict) and str(detail.get("reason")).startswith("API_KEY_")


def _from_chat(body: dict[str, Any], *, signed: bool) -> dict[str, Any]:
    chat.refuse(body, "Gemini")
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    before = ""
    for turn in chat.turns(body):
        if turn.role == "system":
            system.extend(_part(part, turn) for part in turn.parts)
            continue
        names.update((call.id, call.name) for call in turn.calls)
        parts = [_result(turn, names)] if turn.role == "tool" else list(_said(turn, signed=signed))
        if contents and before == turn.role:
            contents[-1]["parts"].extend(parts)
        elif parts:
            contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})
            before = turn.role
    if not contents:
        raise Untranslatable("there is nothing to answer; send a message that is not empty", "messages")
    sent: dict[str, Any] = {"contents": contents, **_tools(body)}
    if system:
        sent["systemInstruction"] = {"parts": system}
    config = _generation_config(body)
    if config:
        sent["generationConfig"] = config
    return sent


def _said(turn: Turn, *, signed: bool) -> Iterator[dict[str, Any]]:
    for part in turn.parts:
        yield _part(part, turn)
    for number, call in enumerate(turn.calls):
        told: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}}
        signature = _signature(call) or (_FOREIGN if signed and number == 0 else None)
        yield {**told, "thoughtSignature": signature} if signature else told


def _signature(call: ToolCall) -> str | None:
    found: Any = call.extra
    for name in ("extra_content", "google", "thought_signature"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def _result(turn: Turn, names: dict[str, str]) -> dict[str, Any]:
    name = names.get(turn.call_id)
    if name is None:
        raise Untranslatable("no call before this has that id", f"{turn.where}.tool_call_id")
    if any(isinstance(part, Media) for part in turn.parts):
        raise Untranslatable("a tool's result is text; send files in a user message", f"{turn.where}.content")
    output = "".join(part for part in turn.parts if isinstance(part, str))
    return {"functionResponse": {"id": turn.call_id, "name": name, "response": {"output": output}}}


def _part(part: str | Media, turn: Turn) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": part}
    if part.url:
        raise Untranslatable("Gemini does not fetch addresses; send a data URL", f"{turn.where}.content")
    return {"inlineData": {"mimeType": part.type, "data": part.data}}


def _generation_config(body: dict[str, Any]) -> dict[str, Any]:
    kind, schema = chat.response_schema(body)
    config = {
        "temperature": body.get("temperature"),
        "topP": body.get("top_p"),
        "maxOutputTokens": chat.longest(body),
        "stopSequences": chat.stops(body),
        "candidateCount": body.get("n"),
        "seed": body.get("seed"),
        "presencePenalty": body.get("presence_penalty"),
        "frequencyPenalty": body.get("frequency_penalty"),
        "responseMimeType": None if kind == "text" else "application/json",
        "responseJsonSchema": schema,
    }
    return {name: value for name, value in config.items() if value is not None}


def _tools(body: dict[str, Any]) -> dict[str, Any]:
    declared: list[dict[str, Any]] = []
    for tool in chat.tools(body):
        told: dict[str, Any] = {"name": tool.name}
        if tool.description:
            told["description"] = tool.description
        if tool.parameters:
            told["parametersJsonSchema"] = tool.parameters
        declared.append(told)
    if not declared:
        return {}
    if body.get("parallel_tool_calls") is False:
        raise Untranslatable("Gemini may always make several calls at once; leave it out", "parallel_tool_calls")
    chosen = chat.tool_choice(body) or ToolChoice("auto")
    calling: dict[str, Any] = {"mode": _MODES[chosen.mode]}
    if chosen.mode == "named":
        calling["allowedFunctionNames"] = [chosen.name]
    return {"tools": [{"functionDeclarations": declared}], "toolConfig": {"functionCallingConfig": calling}}
