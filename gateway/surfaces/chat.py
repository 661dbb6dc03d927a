"""Chat completions: what a stock client sends, and what it reads as an answer, as a refusal and as a stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson

from gateway.errors import invalid
from gateway.surfaces.surface import OpenAI, check_common, data, dicts_of, escalation, pieces, refusal

_PLAIN = frozenset({"role", "content", "tool_calls", "function_call", "refusal"})


class ChatSurface(OpenAI):
    """The shape that every other surface can be turned into and back."""

    name = "chat"
    path = "/chat/completions"
    holds = True

    def check(self, body: dict[str, Any]) -> None:
        check_common(body)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise invalid("messages must be a list with at least one message", "messages")
        for index, message in enumerate(messages):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                raise invalid("every message is an object with a role", f"messages[{index}]")
            if not isinstance(message.get("content"), str | list | None):
                raise invalid("content is a text or a list of parts", f"messages[{index}].content")

    def is_answer(self, document: object) -> bool:
        choices = document.get("choices") if isinstance(document, dict) else None
        return isinstance(choices, list) and all(
            isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices
        )

    def withheld(
        self, document: dict[str, Any], escalation_id: str, outcome: str, category: str | None
    ) -> dict[str, Any]:
        """`content_filter` and a refusal that says which it was. Same id, model and number of choices."""
        said = refusal(escalation_id, outcome)
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": None, "refusal": said},
                "finish_reason": "content_filter",
                "logprobs": None,
            }
            for index in range(max(1, len(document.get("choices") or ())))
        ]
        retrieve = f"/v1/chat/completions/{document.get('id')}"
        body = {
            "id": document.get("id"),
            "object": "chat.completion",
            "created": document.get("created") or int(time.time()),
            "model": document.get("model"),
            "choices": choices,
            "escalation": escalation(escalation_id, outcome, category, retrieve),
        }
        if document.get("usage"):
            body["usage"] = document["usage"]
        return body

    def stream(
        self,
        document: dict[str, Any],
        *,
        include_usage: bool,
        starting_after: int | None = None,  # noqa: ARG002
    ) -> Iterator[bytes]:
        """Chunks, the usage chunk where it was asked for, and the end mark."""
        base = {
            "id": document.get("id"),
            "object": "chat.completion.chunk",
            "created": document.get("created") or int(time.time()),
            "model": document.get("model"),
        }
        for name in ("system_fingerprint", "service_tier", "escalation"):
            if name in document:
                base[name] = document[name]
        for choice in document.get("choices") or ():
            index = choice.get("index", 0)
            for delta in _deltas(choice.get("message") or {}):
                yield data({**base, "choices": [{"index": index, "delta": delta, "finish_reason": None}]})
            ending = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
            yield data({**base, "choices": [ending]})
        if include_usage:
            yield data({**base, "choices": [], "usage": document.get("usage")})
        yield b"data: [DONE]\n\n"

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        return body

    def from_chat(self, completion: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return completion


def _deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": message.get("role") or "assistant", "content": None if message.get("content") is None else ""}
    rest = {name: value for name, value in message.items() if name not in _PLAIN and value is not None}
    if rest:
        yield rest
    content = message.get("content")
    if isinstance(content, str):
        for piece in pieces(content):
            yield {"content": piece}
    elif content is not None:
        yield {"content": content}
    if message.get("refusal") is not None:
        yield {"refusal": message["refusal"]}
    if message.get("function_call"):
        yield {"function_call": message["function_call"]}
    for number, call in enumerate(dicts_of(message.get("tool_calls"))):
        yield {"tool_calls": [{"index": number, **call}]}


def texts_of(content: Any) -> list[str]:
    """The texts of a message's content, which is a text, a list of parts, or nothing."""
    if isinstance(content, str):
        return [content] if content else []
    parts = content if isinstance(content, list) else ()
    found = (part.get("text") or part.get("refusal") for part in parts if isinstance(part, dict))
    return [text for text in found if isinstance(text, str)]


def arguments_of(called: dict[str, Any]) -> str:
    """The arguments of a function call as JSON, also from servers that send them as an object."""
    arguments = called.get("arguments")
    if isinstance(arguments, str):
        return arguments
    return orjson.dumps(arguments or {}).decode()
