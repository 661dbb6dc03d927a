"""Messages: Anthropic's API of content blocks, with its own envelope for errors and its own order of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from gateway.errors import GatewayError, invalid
from gateway.surfaces.message_chat import message_from_chat, request_to_chat
from gateway.surfaces.surface import (
    check_common,
    count,
    dicts_of,
    escalation,
    is_content,
    named,
    pieces,
    refusal,
    wrong_kind,
)

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_NO_USAGE = {"input_tokens": 0, "output_tokens": 0}


class MessagesSurface:
    """A withheld answer stops with `refusal`, and its one text block says which it was."""

    name = "messages"
    path = "/messages"
    holds = True
    default_model: str | None = None

    def check(self, body: dict[str, Any]) -> None:
        check_common(body)
        longest = body.get("max_tokens")
        if not isinstance(longest, int) or isinstance(longest, bool) or longest < 0:
            raise invalid("max_tokens is a number of tokens", "max_tokens")
        if not isinstance(body.get("system"), str | list | None):
            raise invalid("system is a text or a list of blocks", "system")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise invalid("messages must be a list with at least one message", "messages")
        for index, message in enumerate(messages):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                raise invalid("every message is an object with a role", f"messages.{index}")
            content = message.get("content")
            if not is_content(content):
                raise invalid("content is a text or a list of blocks", f"messages.{index}.content")

    def options(self, body: dict[str, Any]) -> tuple[bool, bool]:
        return bool(body.get("stream")), True

    def plain_request(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "stream"}

    def is_answer(self, document: object) -> bool:
        content = document.get("content") if isinstance(document, dict) else None
        return isinstance(content, list) and all(
            isinstance(block, dict) and isinstance(block.get("type"), str) for block in content
        )

    def withheld(
        self, document: dict[str, Any], escalation_id: str, outcome: str, category: str | None
    ) -> dict[str, Any]:
        said = refusal(escalation_id, outcome)
        retrieve = f"/v1/escalations/{escalation_id}/response"
        return {
            "id": document.get("id"),
            "type": "message",
            "role": "assistant",
            "model": document.get("model"),
            "content": [{"type": "text", "text": said}],
            "stop_reason": "refusal",
            "stop_sequence": None,
            "stop_details": {"type": "refusal", "category": None, "explanation": said},
            "usage": document.get("usage") or _NO_USAGE,
            "escalation": escalation(escalation_id, outcome, category, retrieve),
        }

    def stream(
        self,
        document: dict[str, Any],
        *,
        include_usage: bool,  # noqa: ARG002
        starting_after: int | None = None,  # noqa: ARG002
    ) -> Iterator[bytes]:
        """The usage is part of the first and of the last but one event, whether anybody asked or not."""
        usage = self.usage(document) or _NO_USAGE
        begun = {**document, "content": [], "stop_reason": None, "stop_sequence": None}
        begun["usage"] = {**usage, "output_tokens": min(1, count(usage.get("output_tokens")))}
        if "stop_details" in begun:
            begun["stop_details"] = None
        yield named({"type": "message_start", "message": begun})
        for index, block in enumerate(document.get("content") or ()):
            empty, deltas = _told(block)
            yield named({"type": "content_block_start", "index": index, "content_block": empty})
            for delta in deltas:
                yield named({"type": "content_block_delta", "index": index, "delta": delta})
            yield named({"type": "content_block_stop", "index": index})
        ended = {name: document.get(name) for name in ("stop_reason", "stop_sequence")}
        ended.update({name: document[name] for name in ("stop_details", "container") if document.get(name)})
        yield named({"type": "message_delta", "delta": ended, "usage": usage})
        yield named({"type": "message_stop"})

    def stream_error(self, fault: GatewayError) -> bytes:
        return b"event: error\ndata: " + self.error_body(fault) + b"\n\n"

    def error_body(self, fault: GatewayError) -> bytes:
        """Its kind follows from the status; code, parameter and the like stand beside, for programs that know us."""
        kind = _KINDS.get(fault.status, "api_error" if fault.status >= 500 else "invalid_request_error")
        told = {"type": kind, "message": fault.message, "code": fault.code, "param": fault.param, **fault.more}
        body = {"type": "error", "error": {name: value for name, value in told.items() if value is not None}}
        if "x-request-id" in fault.headers:
            body["request_id"] = fault.headers["x-request-id"]
        return orjson.dumps(body)

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return request_to_chat(body)
        except (TypeError, AttributeError):
            raise wrong_kind() from None

    def from_chat(self, completion: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        return message_from_chat(completion, body)

    def usage(self, document: dict[str, Any]) -> dict[str, Any] | None:
        usage = document.get("usage")
        return usage if isinstance(usage, dict) else None


def _told(block: dict[str, Any]) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """A block as it starts, and what makes it whole. A kind that is not known starts whole."""
    kind = str(block.get("type"))
    if kind == "text":
        empty = {**block, "text": ""}
        if block.get("citations"):
            empty["citations"] = []
        return empty, _text_deltas(block)
    if kind == "thinking":
        return {**block, "thinking": "", "signature": ""}, _thinking_deltas(block)
    if kind.endswith("tool_use"):
        return {**block, "input": {}}, _input_deltas(block)
    return block, iter(())


def _text_deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for citation in dicts_of(block.get("citations")):
        yield {"type": "citations_delta", "citation": citation}
    for piece in pieces(block.get("text") or ""):
        yield {"type": "text_delta", "text": piece}


def _thinking_deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for piece in pieces(block.get("thinking") or ""):
        yield {"type": "thinking_delta", "thinking": piece}
    yield {"type": "signature_delta", "signature": block.get("signature") or ""}


def _input_deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block.get("input"):
        for piece in pieces(orjson.dumps(block["input"]).decode()):
            yield {"type": "input_json_delta", "partial_json": piece}
