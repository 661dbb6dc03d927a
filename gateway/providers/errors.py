"""The bodies of providers' errors, of which nothing is certain: not JSON, another envelope, other types."""

from __future__ import annotations

from typing import Any

import orjson

LONGEST = 2000
"""Characters of a provider's text that a caller is told."""


def error_object(body: bytes) -> dict[str, Any]:
    """What stands under `error`, or the whole object where it has no envelope; empty where there is no such thing."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return {}
    inner = found.get("error", found)
    if isinstance(inner, str):
        return {"message": inner}
    return inner if isinstance(inner, dict) else {}


def text(told: dict[str, Any], name: str) -> str | None:
    """A member that is a text and not empty, cut to a length that fits in an error."""
    value = told.get(name)
    return value[:LONGEST] if isinstance(value, str) and value else None
