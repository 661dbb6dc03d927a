"""An answer of Anthropic's Messages API as a chat completion."""

from __future__ import annotations

from typing import Any

from gateway.providers.completion import choice, completion, count_in, object_in, text_in, tool_call, usage

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def completion_of(document: dict[str, Any], blocks: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
    """Blocks of other types than these come of tools that a chat completion cannot ask for."""
    texts, thoughts, calls = [], [], []
    for block in blocks:
        kind = block.get("type")
        if kind == "text":
            texts.append(text_in(block, "text"))
        elif kind == "thinking" and block.get("thinking"):
            thoughts.append(text_in(block, "thinking"))
        elif kind == "tool_use":
            calls.append(tool_call(text_in(block, "id"), text_in(block, "name"), object_in(block, "input")))
    model = document.get("model")
    return completion(
        text_in(document, "id"),
        model if isinstance(model, str) else str(asked.get("model")),
        [choice(texts, thoughts, calls, finish_of(document), refusal_of(document))],
        usage_of(document),
    )


def finish_of(told: dict[str, Any]) -> str:
    """Why a message ended, in OpenAI's terms."""
    reason = told.get("stop_reason")
    return _FINISH.get(reason, "stop") if isinstance(reason, str) else "stop"


def refusal_of(told: dict[str, Any]) -> str | None:
    """What a model that refused says of it."""
    refused = told.get("stop_reason") == "refusal"
    explanation = object_in(told, "stop_details").get("explanation") if refused else None
    return explanation if isinstance(explanation, str) else None


def usage_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """The API counts what came from the cache, and what went into it, beside the other input."""
    told = object_in(document, "usage")
    if not told:
        return None
    cached, written = count_in(told, "cache_read_input_tokens"), count_in(told, "cache_creation_input_tokens")
    details = object_in(told, "output_tokens_details")
    return usage(
        prompt=count_in(told, "input_tokens") + cached + written,
        cached=cached,
        completed=count_in(told, "output_tokens"),
        thought=count_in(details, "thinking_tokens") if details else None,
        written=written,
    )
