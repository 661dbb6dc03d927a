"""An answer of Google's generateContent as a chat completion."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from gateway.providers.completion import choice, count_in, object_in, objects_in, text_in, tool_call, usage

_FILTERED = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"}
    | {"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"}
)
_BROKEN = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"})


def choice_of(candidate: dict[str, Any], document: dict[str, Any], number: int) -> dict[str, Any]:
    """Parts of other kinds than these come of tools and modalities that a chat completion cannot ask for."""
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in objects_in(object_in(candidate, "content"), "parts"):
        if part.get("functionCall") is not None:
            calls.append(call_of(part, document, f"{number}.{len(calls)}"))
        elif part.get("text"):
            (thoughts if part.get("thought") is True else texts).append(text_in(part, "text"))
    return choice(
        texts, thoughts, calls, finish_of(candidate.get("finishReason"), said=bool(texts), called=bool(calls))
    )


def call_of(part: dict[str, Any], document: dict[str, Any], place: str) -> dict[str, Any]:
    told = object_in(part, "functionCall")
    identifier = told.get("id")
    if not isinstance(identifier, str) or not identifier:
        identifier = _invented(document, place)
    call = tool_call(identifier, text_in(told, "name"), object_in(told, "args"))
    if part.get("thoughtSignature"):
        call["extra_content"] = {"google": {"thought_signature": text_in(part, "thoughtSignature")}}
    return call


def _invented(document: dict[str, Any], place: str) -> str:
    """The same for the same call of the same answer, another for any other."""
    try:
        told = orjson.dumps([document.get("responseId"), document.get("candidates"), place])
    except TypeError:
        raise ValueError("the answer is nested too deep") from None
    return f"call_{hashlib.sha256(told).hexdigest()[:24]}"


def finish_of(reason: Any, *, said: bool, called: bool) -> str:
    """Raises ValueError for a call that the model got wrong: it is no answer, and asking again may bring one."""
    if not isinstance(reason, str | None):
        raise ValueError("finishReason is not a text")
    if reason in _BROKEN:
        raise ValueError("the model made a call that cannot be read")
    if reason in _FILTERED:
        return "content_filter"
    if reason == "MAX_TOKENS":
        return "length"
    if called:
        return "tool_calls"
    return "stop" if said or reason == "STOP" else "content_filter"


def usage_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """The API counts thoughts, and what tools gave back, beside the rest."""
    told = object_in(document, "usageMetadata")
    if not told:
        return None
    thought = count_in(told, "thoughtsTokenCount")
    return usage(
        prompt=count_in(told, "promptTokenCount") + count_in(told, "toolUsePromptTokenCount"),
        cached=count_in(told, "cachedContentTokenCount"),
        completed=count_in(told, "candidatesTokenCount") + thought,
        thought=thought if "thoughtsTokenCount" in told else None,
    )
