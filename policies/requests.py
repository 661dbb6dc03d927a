"""Where the text is in a chat request, and how to change it there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any


def request_texts(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of a request with its JSON Pointer: messages of all roles, tool results and tool calls too."""
    for pointer, holder, key in _places(request):
        yield pointer, holder[key]


def last_asked(request: dict[str, Any]) -> str:
    """What the user asked last: the request that an answer answers."""
    for message in reversed(request.get("messages") or []):
        if isinstance(message, dict) and message.get("role") == "user":
            return "\n".join(text for _, text in request_texts({"messages": [message]}))
    prompt = request.get("prompt")
    return prompt if isinstance(prompt, str) else ""


def rewrite(request: dict[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    """The request with every text replaced by `change(pointer, text)`; the original is left alone."""
    changed = copy.deepcopy(request)
    for pointer, holder, key in _places(changed):
        holder[key] = change(pointer, holder[key])
    return changed


def _places(request: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(pointer, container, key) of every text."""
    if isinstance(request.get("prompt"), str):
        yield "/prompt", request, "prompt"
    for index, message in enumerate(request.get("messages") or []):
        if isinstance(message, dict):
            yield from _message_places(f"/messages/{index}", message)


def _message_places(base: str, message: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        yield f"{base}/content", message, "content"
    elif isinstance(content, list):
        for number, part in enumerate(content):
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield f"{base}/content/{number}/text", part, "text"
    for number, call in enumerate(message.get("tool_calls") or []):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            yield f"{base}/tool_calls/{number}/function/arguments", function, "arguments"
