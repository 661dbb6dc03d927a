"""Where the text is in a request of any surface, and how to change it there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from escalations.completion import Place, members, places

_TEXT_PART = frozenset({"type", "text"})
_MESSAGE = frozenset({"role", "content", "tool_calls", "function_call", "name", "tool_call_id"})
_MEDIA = frozenset({"image_url", "input_image", "image", "input_audio", "computer_screenshot"})
_ADDRESSES = frozenset({"url", "file_url", "image_url", "cache_control"})
_SPOKEN = frozenset({"text", "input_text"})


def request_texts(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of a request with its JSON Pointer: messages of all roles, tool results and tool calls too."""
    for pointer, holder, key in _places(request):
        yield pointer, str(holder[key])


def last_asked(request: dict[str, Any]) -> str:
    """What the user asked last: the request that an answer answers. What tools gave back was not asked by anyone."""
    items = request.get("messages") or request.get("input")
    if isinstance(items, list):
        for item in reversed(items):
            if isinstance(item, dict) and item.get("role") == "user":
                said = "\n".join(_said(item.get("content")))
                if said:
                    return said
    for name in ("input", "prompt"):
        asked = request.get(name)
        if isinstance(asked, str):
            return asked
        if isinstance(asked, list):
            said = "\n".join(_said(asked))
            if said:
                return said
    return ""


def _said(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                yield part
            elif (
                isinstance(part, dict)
                and str(part.get("type", "text")) in _SPOKEN
                and isinstance(part.get("text"), str)
            ):
                yield part["text"]


def rewrite(request: dict[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    """The request with every text replaced by `change(pointer, text)`; the original is left alone.

    Where nothing changes it is the original itself that comes back.
    """
    wanted = {}
    for pointer, text in request_texts(request):
        new = change(pointer, text)
        if new != text:
            wanted[pointer] = new
    if not wanted:
        return request
    changed = copy.deepcopy(request)
    for pointer, holder, key in _places(changed):
        if pointer in wanted:
            holder[key] = wanted[pointer]
    return changed


def _places(request: dict[str, Any]) -> Iterator[Place]:
    for name in ("system", "instructions", "prompt", "suffix"):
        value = request.get(name)
        if isinstance(value, str):
            yield f"/{name}", request, name
        elif value is not None:
            yield from places("", request, name, _ADDRESSES)
    for name in ("messages", "input"):
        items = request.get(name)
        if isinstance(items, str):
            yield f"/{name}", request, name
        elif isinstance(items, list):
            for index, item in enumerate(items):
                if isinstance(item, str):
                    yield f"/{name}/{index}", items, index
                elif isinstance(item, dict):
                    yield from _message_places(f"/{name}/{index}", item)


def _message_places(base: str, message: dict[str, Any]) -> Iterator[Place]:
    """The texts of a message; an item without content, such as a tool's output, is walked like unknown members."""
    content = message.get("content")
    if isinstance(content, str):
        yield f"{base}/content", message, "content"
    elif isinstance(content, list):
        for number, part in enumerate(content):
            yield from _part_places(f"{base}/content", content, number, part)
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        for kind, field in (("function", "arguments"), ("custom", "input")):
            called = call.get(kind) if isinstance(call, dict) else None
            if isinstance(called, dict) and called.get(field) is not None:
                yield from places(f"{base}/tool_calls/{number}/{kind}", called, field)
    call = message.get("function_call")
    if isinstance(call, dict) and call.get("arguments") is not None:
        yield from places(f"{base}/function_call", call, "arguments")
    if not message.keys() <= _MESSAGE:
        yield from members(base, message, _MESSAGE, _ADDRESSES)


def _part_places(base: str, parts: list[Any], number: int, part: Any) -> Iterator[Place]:
    if isinstance(part, str):
        yield f"{base}/{number}", parts, number
    elif isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield f"{base}/{number}/text", part, "text"
        if not part.keys() <= _TEXT_PART and str(part.get("type")) not in _MEDIA:
            yield from members(f"{base}/{number}", part, _TEXT_PART, _ADDRESSES)
