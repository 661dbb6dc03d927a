"""Writing a chat completion out of another API's answer, of whose types nothing is taken on trust: ValueError."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

MOST_TOKENS = 10**12
"""A larger count is nonsense, and sums of such counts do not fit on the wire."""


def completion(
    identifier: str, model: str, choices: Iterable[dict[str, Any]], usage: dict[str, Any] | None
) -> dict[str, Any]:
    """The whole document. Its time is now: the other APIs do not tell theirs."""
    document = {
        "id": identifier,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": index, **choice} for index, choice in enumerate(choices)],
    }
    if usage is not None:
        document["usage"] = usage
    return document


def choice(
    texts: list[str],
    thoughts: list[str],
    calls: list[dict[str, Any]],
    finish_reason: str,
    refusal: str | None = None,
) -> dict[str, Any]:
    """One choice without its index: texts in one piece, thoughts set apart by a blank line."""
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None, "refusal": refusal}
    if thoughts:
        message["reasoning_content"] = "\n\n".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return {"message": message, "finish_reason": finish_reason, "logprobs": None}


def tool_call(identifier: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A call as clients expect it, its arguments as JSON text."""
    try:
        written = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise ValueError("the arguments of a call are nested too deep") from None
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": written}}


def usage(prompt: int, cached: int, completed: int, thought: int | None, written: int | None = None) -> dict[str, Any]:
    """`cached` and `written` (to the cache) are part of `prompt`, `thought` of `completed`."""
    told: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completed,
        "total_tokens": prompt + completed,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    if written is not None:
        told["prompt_tokens_details"]["cache_write_tokens"] = written
    if thought is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": thought}
    return told


class Chunks:
    """The chunks of one streamed completion: `identifier` and `model` as the provider tells them, `usage` at the end.

    `finished`: the provider has said that this is all.
    """

    def __init__(self, model: str) -> None:
        self.identifier = ""
        self.model = model
        self.usage: dict[str, Any] | None = None
        self.finished = False
        self._created = int(time.time())

    def chunk(self, delta: dict[str, Any], index: int = 0, finish_reason: str | None = None) -> dict[str, Any]:
        """What one choice has more than before."""
        return {**self._base(), "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]}

    def usage_chunk(self) -> dict[str, Any]:
        """The last one, for clients that asked for it."""
        return {**self._base(), "choices": [], "usage": self.usage}

    def _base(self) -> dict[str, Any]:
        return {
            "id": self.identifier,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.model,
        }


def call_delta(arguments: str, name: str | None = None) -> dict[str, Any]:
    """More of a call's arguments, at first with the name of what is called."""
    return {"function": {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}}


def object_in(holder: dict[str, Any], name: str) -> dict[str, Any]:
    """The object of that name; an empty one where there is none. Raises ValueError for anything else."""
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")
    return value


def objects_in(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of objects of that name; an empty one where there is none. Raises ValueError for anything else."""
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{name} is not a list of objects")
    return value


def text_in(holder: dict[str, Any], name: str) -> str:
    """The text of that name. Raises ValueError where there is none."""
    value = holder.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a text")
    return value


def count_in(holder: dict[str, Any], name: str) -> int:
    """The number of tokens of that name, 0 where it is not told. Raises ValueError for anything else."""
    value = holder.get(name)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_TOKENS:
        raise ValueError(f"{name} is not a count")
    return value
