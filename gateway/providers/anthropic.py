"""Anthropic's Messages API: its own surface passes untouched, chat completions are translated both ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.providers import chat
from gateway.providers.anthropic_answer import completion_of
from gateway.providers.anthropic_stream import AnthropicStream
from gateway.providers.chat import Media, Tool, ToolChoice, Turn
from gateway.providers.completion import objects_in
from gateway.providers.errors import error_object, text
from gateway.providers.provider import Failure, Sent, Untranslatable

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096
"""The API wants a number where chat completions do without."""

_NOT_CARRIED = {**chat.NOT_CARRIED, "frequency_penalty": "leave it out", "presence_penalty": "leave it out"}
_CHOICES = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}
_ERRORS: dict[str, tuple[str, str | None]] = {
    "invalid_request_error": ("invalid_request_error", None),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "not_found_error": ("invalid_request_error", "not_found"),
    "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
}


class Anthropic:
    name = "anthropic"

    def speaks(self, surface: str) -> bool:
        return surface == "messages"

    def request(self, surface: str, body: dict[str, Any], secret: str | None) -> Sent:
        headers = {"content-type": "application/json", "anthropic-version": VERSION}
        if secret:
            headers["x-api-key"] = secret
        return Sent("/messages", headers, body if surface == "messages" else _from_chat(body))

    def answer(self, surface: str, document: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(document.get("content"), list):
            raise ValueError("a message has a list as its content")
        blocks = objects_in(document, "content")
        if surface == "messages":
            return document
        return completion_of(document, blocks, asked)

    def streaming(self, body: dict[str, Any], secret: str | None) -> tuple[Sent, AnthropicStream]:
        sent = self.request("chat", body, secret)
        return replace(sent, body={**sent.body, "stream": True}), AnthropicStream(body)

    def failure(self, body: bytes) -> Failure:
        told = error_object(body)
        kind, code = _ERRORS.get(text(told, "type") or "invalid_request_error", ("server_error", None))
        return text(told, "message") or "", kind, code, None


def _from_chat(body: dict[str, Any]) -> dict[str, Any]:
    chat.refuse(body, "Anthropic", _NOT_CARRIED)
    if body.get("n") not in (None, 1):
        raise Untranslatable("Anthropic gives one answer at a time; leave n out and ask again for another", "n")
    system, messages = _messages(body)
    limit = chat.longest(body)
    sent = {
        "model": body.get("model"),
        "max_tokens": DEFAULT_MAX_TOKENS if limit is None else limit,
        "system": system,
        "messages": messages,
        "stop_sequences": chat.stops(body),
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "output_config": _output_config(body),
        **_tools(body),
    }
    user = body.get("user") or body.get("safety_identifier")
    if user:
        sent["metadata"] = {"user_id": user}
    return {name: value for name, value in sent.items() if value is not None}


def _messages(body: dict[str, Any]) -> tuple[str | None, list[dict[str, Any]]]:
    """The system's texts as one, wherever they stood, and turns of which no two in a row have the same role."""
    system: list[str] = []
    messages: list[dict[str, Any]] = []
    for turn in chat.turns(body):
        if turn.role == "system":
            system.extend(_system_text(part, turn) for part in turn.parts)
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = _blocks(turn)
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"].extend(blocks)
        elif blocks:
            messages.append({"role": role, "content": blocks})
    if not messages:
        raise Untranslatable("there is nothing to answer; send a message that is not empty", "messages")
    return "\n\n".join(system) or None, messages


def _system_text(part: str | Media, turn: Turn) -> str:
    if isinstance(part, Media):
        raise Untranslatable("a system message is text; send files in a user message", f"{turn.where}.content")
    return part


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    """Without texts of nothing but white space, which the API refuses."""
    blocks = [_block(part, turn) for part in turn.parts if not isinstance(part, str) or part.strip()]
    if turn.role == "tool":
        return [{"type": "tool_result", "tool_use_id": turn.call_id, **({"content": blocks} if blocks else {})}]
    for call in turn.calls:
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments})
    return blocks


def _block(part: str | Media, turn: Turn) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if part.url:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    source = {"type": "base64", "media_type": part.type, "data": part.data}
    if part.type.startswith("image/"):
        return {"type": "image", "source": source}
    if part.type == "application/pdf":
        return {"type": "document", "source": source}
    raise Untranslatable(f"Anthropic reads text, images and PDF, not {part.type[:60]}", f"{turn.where}.content")


def _tools(body: dict[str, Any]) -> dict[str, Any]:
    tools = chat.tools(body)
    if not tools:
        return {}
    chosen = chat.tool_choice(body) or ToolChoice("auto")
    told: dict[str, Any] = {"type": _CHOICES[chosen.mode]}
    if chosen.mode == "named":
        told["name"] = chosen.name
    if body.get("parallel_tool_calls") is False and chosen.mode != "none":
        told["disable_parallel_tool_use"] = True
    return {"tools": [_tool(tool) for tool in tools], "tool_choice": told}


def _tool(tool: Tool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": tool.name, "input_schema": {"type": "object", **(tool.parameters or {})}}
    if tool.description:
        told["description"] = tool.description
    if tool.strict:
        told["strict"] = True
    return told


def _output_config(body: dict[str, Any]) -> dict[str, Any] | None:
    kind, schema = chat.response_schema(body)
    if kind == "json_object":
        raise Untranslatable("Anthropic writes JSON by a schema only; use json_schema", "response_format")
    return {"format": {"type": "json_schema", "schema": schema}} if schema is not None else None
