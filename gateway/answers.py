"""Answers on the wire: completions, the shapes that say that nothing is released, and either of them as a stream.

A stream is chunked anew from the released object: what leaves is what was approved, however the model chunked it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson

PIECE = 96
"""Characters per content chunk of a replayed stream."""

_PLAIN = frozenset({"role", "content", "tool_calls", "function_call", "refusal"})


def withheld(completion: dict[str, Any], escalation_id: str, outcome: str, category: str | None) -> dict[str, Any]:
    """In place of an answer: `content_filter`, a refusal, and which it was. Same id, model and number of choices.

    `outcome`: `block`, `expired`, `withdrawn`, or `open` while nobody has decided. A reviewer's note never leaves.
    """
    said = _REFUSALS[outcome].format(id=escalation_id)
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": None, "refusal": said},
            "finish_reason": "content_filter",
            "logprobs": None,
        }
        for index in range(max(1, len(completion.get("choices") or ())))
    ]
    body = {
        "id": completion.get("id"),
        "object": "chat.completion",
        "created": completion.get("created") or int(time.time()),
        "model": completion.get("model"),
        "choices": choices,
        "escalation": _escalation(completion, escalation_id, outcome, category),
    }
    if completion.get("usage"):
        body["usage"] = completion["usage"]
    return body


_REFUSALS = {
    "block": "Withheld by human review ({id}).",
    "expired": "Not reviewed in time, so not released ({id}). This is not a denial.",
    "withdrawn": "Withdrawn before it was reviewed ({id}).",
    "open": "Held for human review ({id}). Fetch it later.",
}
_STATES: dict[str, dict[str, Any]] = {
    "block": {"status": "resolved", "resolution": "blocked"},
    "expired": {"status": "expired", "resolution": None},
    "withdrawn": {"status": "expired", "resolution": None, "reason": "withdrawn"},
    "open": {"status": "open", "resolution": None},
}


def _escalation(completion: dict[str, Any], escalation_id: str, outcome: str, category: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {"id": escalation_id, **_STATES[outcome]}
    if outcome == "block":
        told["category"] = category
    if outcome == "open":
        told["retrieve"] = f"/v1/chat/completions/{completion.get('id')}"
    return told


def stream(completion: dict[str, Any], *, include_usage: bool) -> Iterator[bytes]:
    """The completion as server-sent chunks, the usage chunk where it was asked for, and the end mark."""
    base = {
        "id": completion.get("id"),
        "object": "chat.completion.chunk",
        "created": completion.get("created") or int(time.time()),
        "model": completion.get("model"),
    }
    for name in ("system_fingerprint", "service_tier", "escalation"):
        if name in completion:
            base[name] = completion[name]
    for choice in completion.get("choices") or ():
        index = choice.get("index", 0)
        for delta in _deltas(choice.get("message") or {}):
            yield _chunk({**base, "choices": [{"index": index, "delta": delta, "finish_reason": None}]})
        ending = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        yield _chunk({**base, "choices": [ending]})
    if include_usage:
        yield _chunk({**base, "choices": [], "usage": completion.get("usage")})
    yield b"data: [DONE]\n\n"


def _deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": message.get("role") or "assistant", "content": None if message.get("content") is None else ""}
    rest = {name: value for name, value in message.items() if name not in _PLAIN and value is not None}
    if rest:
        yield rest
    content = message.get("content")
    if isinstance(content, str):
        for start in range(0, len(content), PIECE):
            yield {"content": content[start : start + PIECE]}
    elif content is not None:
        yield {"content": content}
    if message.get("refusal") is not None:
        yield {"refusal": message["refusal"]}
    if message.get("function_call"):
        yield {"function_call": message["function_call"]}
    for number, call in enumerate(message.get("tool_calls") or ()):
        yield {"tool_calls": [{"index": number, **call}]}


def _chunk(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def stream_error(body: bytes) -> bytes:
    """An error after a stream has begun; the client raises it."""
    return b"data: " + body + b"\n\n"
