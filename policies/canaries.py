"""A word in the system prompt that means nothing and that no answer has a reason to hold: one that does repeats what
the model was told.

Each consumer has its own, made with the installation's key: the same on every gateway and in every request, so that a
provider's cache of the prompt still serves, and nothing that a caller could know.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from policies.detectors import Span
from policies.json_texts import find_written

LONGEST_WRITTEN = 96
"""Characters that a canary can take up however it is spaced: shorter than what a windowed stream keeps back."""
_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")
_ROLES = frozenset({"system", "developer"})
_GAP = r"[\W_]{0,3}"


def canary_of(consumer: str, key: bytes) -> str:
    """Eighteen letters, 64 bits of them unforeseeable."""
    digest = hmac.new(key, b"kt.canary.v1\0" + consumer.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return "kt" + digest[:16].translate(_LETTERS)


def find(path: str, text: str, canary: str) -> list[Span]:
    """Where a text holds it, in any case and with up to three other characters between its letters."""

    def spans(said: str) -> list[Span]:
        return [Span(path, *match.span(), "CANARY", "canary") for match in _pattern(canary).finditer(said)]

    return find_written(path, text, spans)


@lru_cache(maxsize=4096)
def _pattern(canary: str) -> re.Pattern[str]:
    return re.compile(rf"(?:\[ref: )?{_GAP.join(canary)}(?:\])?", re.IGNORECASE)


def planted(request: Mapping[str, Any], canary: str) -> dict[str, Any] | None:
    """The request with the canary around its system prompt, whichever API it is of; None where it has none."""
    for name in ("system", "instructions"):
        around = _around(request.get(name), canary)
        if around is not None:
            return {**request, name: around}
    for name in ("messages", "input"):
        items = request.get(name)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if not isinstance(item, dict) or item.get("role") not in _ROLES:
                continue
            around = _around(item.get("content"), canary)
            if around is not None:
                assert isinstance(items, list)
                return {**request, name: [*items[:index], {**item, "content": around}, *items[index + 1 :]]}
    return None


def _around(content: Any, canary: str) -> Any:
    """At both ends: who asks for a prompt leaves out the one or the other."""
    mark = f"[ref: {canary}]"
    if isinstance(content, str) and content:
        return f"{mark}\n{content}\n{mark}"
    if not isinstance(content, list):
        return None
    at = [i for i, part in enumerate(content) if isinstance(part, dict) and isinstance(part.get("text"), str)]
    if not at:
        return None
    around = list(content)
    around[at[0]] = {**around[at[0]], "text": f"{mark}\n{around[at[0]]['text']}"}
    around[at[-1]] = {**around[at[-1]], "text": f"{around[at[-1]]['text']}\n{mark}"}
    return around


def without_echo(answer: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that repeats its request's instructions, as response documents do, with those that the caller sent."""
    return {**answer, "instructions": request.get("instructions")} if answer.get("instructions") is not None else answer
