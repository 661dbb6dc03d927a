"""Whole answers of other providers as the streams in which they would have come (shapes by their public references)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def message_events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of Anthropic's Messages API."""
    usage = message.get("usage") or {}
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        empty, deltas = _block(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    told = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in message}
    yield {"type": "message_delta", "delta": told, "usage": {"output_tokens": usage.get("output_tokens", 0)}}
    yield {"type": "message_stop"}


def _block(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _cut(block["text"])]
        case "thinking":
            thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in _cut(block["thinking"])]
            return {**block, "thinking": ""}, [*thoughts, {"type": "signature_delta", "signature": "sealed"}]
        case "tool_use":
            pieces = ["", *(_cut(json.dumps(block["input"])) if block["input"] else [])]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block, []


def gemini_events(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of Google's streamGenerateContent: a whole answer each, with one piece of one part."""
    shared = {name: answer[name] for name in ("responseId", "modelVersion", "promptFeedback") if name in answer}
    for candidate in answer.get("candidates", []):
        index = candidate.get("index", 0)
        for part in candidate.get("content", {}).get("parts", []):
            for piece in _cut(part["text"]) if part.get("text") else [None]:
                cut = part if piece is None else {**part, "text": piece}
                yield {**shared, "candidates": [{"index": index, "content": {"role": "model", "parts": [cut]}}]}
        last = {"index": index, "content": {}, "finishReason": candidate.get("finishReason")}
        yield {**shared, "candidates": [last], "usageMetadata": answer.get("usageMetadata", {})}
    if not answer.get("candidates"):
        yield {**shared, "usageMetadata": answer.get("usageMetadata", {})}


def _cut(text: str) -> list[str]:
    return [text[start : start + 3] for start in range(0, len(text), 3)]


def written(events: Iterator[dict[str, Any]]) -> bytes:
    """As they go over the wire, with the names that Anthropic's have."""
    return b"".join(f"event: {event.get('type', 'x')}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
