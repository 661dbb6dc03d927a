"""Where the text is in a chat completion: the one list of places that detectors, reviewers and redactions use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def texts(completion: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of a completion that a person could read or a tool could run, with its JSON Pointer."""
    for index, choice in enumerate(completion.get("choices") or ()):
        if not isinstance(choice, dict):
            continue
        if isinstance(choice.get("text"), str):
            yield f"/choices/{index}/text", choice["text"]
        message = choice.get("message")
        if isinstance(message, dict):
            yield from _message_texts(f"/choices/{index}/message", message)


def _message_texts(base: str, message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("content", "refusal", "reasoning_content", "reasoning"):
        value = message.get(field)
        if isinstance(value, str):
            yield f"{base}/{field}", value
        elif isinstance(value, list):
            for number, part in enumerate(value):
                for name in ("text", "refusal"):
                    if isinstance(part, dict) and isinstance(part.get(name), str):
                        yield f"{base}/{field}/{number}/{name}", part[name]
    audio = message.get("audio")
    if isinstance(audio, dict) and isinstance(audio.get("transcript"), str):
        yield f"{base}/audio/transcript", audio["transcript"]
    call = message.get("function_call")
    if isinstance(call, dict) and isinstance(call.get("arguments"), str):
        yield f"{base}/function_call/arguments", call["arguments"]
    for number, tool in enumerate(message.get("tool_calls") or ()):
        for kind, field in (("function", "arguments"), ("custom", "input")):
            called = tool.get(kind) if isinstance(tool, dict) else None
            if isinstance(called, dict) and isinstance(called.get(field), str):
                yield f"{base}/tool_calls/{number}/{kind}/{field}", called[field]
