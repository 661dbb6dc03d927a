"""Where the text is in an answer: the one list of places that detectors, reviewers and redactions use.

An answer is a chat completion, a legacy completion, a response or a message document. Nothing in it is passed over
because its kind is unknown: of what is not known, every string is a text. Left out is only what nobody reads and no
tool runs: kinds and ids, sealed or encoded bytes, and what merely echoes the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Place = tuple[str, Any, Any]
"""A JSON Pointer, and the container and the key of what it points at."""

_NONE: frozenset[str] = frozenset()
_TOLD = _NONE.union(
    {"id", "object", "created", "created_at", "completed_at", "model", "provider", "usage", "choices", "escalation"},
    {"type", "role", "status", "stop_reason", "stop_sequence", "stop_details", "system_fingerprint", "service_tier"},
    {"container", "context_management", "incomplete_details"},
    # what a response document echoes of its request
    {"background", "conversation", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "store", "user"},
    {"parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention", "text"},
    {"reasoning", "safety_identifier", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "truncation"},
    {"frequency_penalty", "presence_penalty", "prompt_cache_options", "prompt_cache_diagnostics", "diagnostics"},
    {"access_programs", "moderation", "tool_usage", "input_transformations"},
)
_LIST = _TOLD | {"data"}
_CHOICE = frozenset({"index", "message", "text", "finish_reason", "stop_reason", "logprobs", "content_filter_results"})
_FIELDS = ("content", "refusal", "reasoning_content", "reasoning", "audio", "function_call", "tool_calls")
_MESSAGE = frozenset({"role", *_FIELDS})

_SEALED = frozenset({"encrypted_content", "encrypted_index", "signature", "thought_signature", "logprobs"})
_ARGUMENTS = frozenset({"input", "arguments", "parameters"})
_KINDS = frozenset({"type", "id", "status", "role", "object", "media_type"})
_NAMES = frozenset({"name", "server_label", "server_name"})
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.:/+-]{0,127}\Z")
_BYTES = frozenset({"data", "result", "b64_json", "file_data", "image_url", "url", "partial_image_b64"})
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{64,}={0,2}\Z")
LONG_NUMBER = 1_000_000
"""From here on a number in a tool's input may be somebody's: a telephone, an account, a card."""


def texts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of an answer that a person could read or a tool could run, with its JSON Pointer."""
    choices = document.get("choices")
    if isinstance(choices, list):
        for index, choice in enumerate(choices):
            if isinstance(choice, dict):
                yield from _choice_texts(f"/choices/{index}", choice)
            else:
                yield from _texts_of(places("/choices", choices, index))
    elif choices is not None:
        yield from _texts_of(places("", document, "choices"))
    if not document.keys() <= _TOLD:
        # a list's data are vectors: numbers by the thousand, and no text
        yield from _texts_of(members("", document, _LIST if document.get("object") == "list" else _TOLD))


def _choice_texts(base: str, choice: Any) -> Iterator[tuple[str, str]]:
    text = choice.get("text")
    if isinstance(text, str):
        yield f"{base}/text", text
    elif text is not None:
        yield from _texts_of(places(base, choice, "text"))
    message = choice.get("message")
    if isinstance(message, dict):
        yield from _message_texts(f"{base}/message", message)
    elif message is not None:
        yield from _texts_of(places(base, choice, "message"))
    if not choice.keys() <= _CHOICE:
        yield from _texts_of(members(base, choice, _CHOICE))


def _message_texts(base: str, message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in _FIELDS:
        value = message.get(field)
        if isinstance(value, str):
            yield f"{base}/{field}", value
        elif value is not None:
            yield from _texts_of(places(base, message, field))
    if not message.keys() <= _MESSAGE:
        yield from _texts_of(members(base, message, _MESSAGE))


def _texts_of(found: Iterator[Place]) -> Iterator[tuple[str, str]]:
    for pointer, holder, key in found:
        yield pointer, str(holder[key])


def members(base: str, holder: dict[str, Any], known: frozenset[str], skip: frozenset[str] = _NONE) -> Iterator[Place]:
    """Every string below the members of `holder` that are not in `known`; those in `skip` are left out at any depth."""
    for name, value in holder.items():
        if name not in known and name not in _SEALED and name not in skip and not _is_kind(holder, name, value):
            yield from places(base, holder, name, skip)


def places(base: str, holder: Any, key: Any, skip: frozenset[str] = _NONE) -> Iterator[Place]:
    """Every string at and below `holder[key]`, where `base` points at the holder; members named in `skip` left out.

    Below a tool's input nothing else is left out, and long numbers count as text: all of it reaches a program.
    """
    if key in _ARGUMENTS:
        yield from _inputs(f"{base}/{_token(key)}", holder, key)
        return
    value = holder[key]
    if isinstance(value, str):
        if key not in _BYTES or not _is_encoded(value):
            yield f"{base}/{_token(key)}", holder, key
    elif isinstance(value, dict):
        yield from members(f"{base}/{_token(key)}", value, _NONE, skip)
    elif isinstance(value, list):
        here = f"{base}/{_token(key)}"
        for number in range(len(value)):
            yield from places(here, value, number, skip)


def _inputs(here: str, holder: Any, key: Any) -> Iterator[Place]:
    value = holder[key]
    if isinstance(value, str):
        yield here, holder, key
    elif isinstance(value, dict):
        for name in value:
            yield from _inputs(f"{here}/{_token(name)}", value, name)
    elif isinstance(value, list):
        for number in range(len(value)):
            yield from _inputs(f"{here}/{number}", value, number)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= LONG_NUMBER:
        yield here, holder, key


def _token(key: Any) -> str:
    return key.replace("~", "~0").replace("/", "~1") if isinstance(key, str) else str(key)


def _is_kind(holder: dict[str, Any], name: str, value: Any) -> bool:
    """Whether a member only says what something is: a kind, an id, the name of the tool that is called, a recording."""
    if not isinstance(value, str):
        return False
    if name in _KINDS or name.endswith("_id"):
        return bool(_WORD.match(value))
    if name in _NAMES:
        return not _ARGUMENTS.isdisjoint(holder) and bool(_WORD.match(value))
    return name == "data" and "transcript" in holder


def _is_encoded(value: str) -> bool:
    """Bytes: an image, a recording, a sealed thought."""
    return (value.startswith("data:") and ";base64," in value[:200]) or bool(_ENCODED.match(value))
