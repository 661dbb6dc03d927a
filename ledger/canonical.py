"""The one spelling of a ledger entry, so that anybody can recompute its hash.

Entries hold only ASCII keys, strings, booleans, null and integers below 2**53. Over those, a fast serializer with
sorted keys writes the very bytes of RFC 8785 (JSON Canonicalization Scheme); a property test holds the two together.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

BIGGEST = 2**53 - 1
_SURROGATES = re.compile("[\ud800-\udfff]")


class NotCanonical(ValueError):
    """A value that two serializers might spell differently; it must never reach the ledger."""


def canonical(value: Any) -> bytes:
    """The canonical bytes of `value`. Raises NotCanonical with the path of what does not belong."""
    if not _fits(value):
        _check(value, "$")
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def clean(text: str) -> str:
    """The text with lone surrogates replaced: a model can emit them, and they have no bytes in UTF-8."""
    return text if text.isascii() else _SURROGATES.sub("�", text)


def _fits(value: Any) -> bool:
    """Whether `_check` would accept the value, without keeping account of where: every request is written down."""
    kind = type(value)
    if kind is str:
        return value.isascii() or _SURROGATES.search(value) is None
    if kind is dict:
        for key, inner in value.items():
            if type(key) is not str or not key.isascii():
                return False
            if inner is None or (type(inner) is str and inner.isascii()):
                continue
            if not _fits(inner):
                return False
        return True
    if kind is int:
        return bool(-BIGGEST <= value <= BIGGEST)
    if kind is list:
        return all(map(_fits, value))
    return value is None or kind is bool


def _check(value: Any, path: str) -> None:
    if value is None or value is True or value is False:
        return
    kind = type(value)
    if kind is str:
        if _SURROGATES.search(value):
            raise NotCanonical(f"{path} has a lone surrogate")
    elif kind is int:
        if not -BIGGEST <= value <= BIGGEST:
            raise NotCanonical(f"{path} is an integer beyond 2**53; write it as a string")
    elif kind is dict:
        for key, inner in value.items():
            if type(key) is not str or not key.isascii():
                raise NotCanonical(f"{path} has a key that is not ASCII text: {key!r}")
            _check(inner, f"{path}.{key}")
    elif kind is list:
        for index, inner in enumerate(value):
            _check(inner, f"{path}[{index}]")
    else:
        raise NotCanonical(f"{path} is a {kind.__name__}; the ledger takes text, integers, true, false and null")
