"""How deep JSON nests, seen before it is parsed: what is absurdly deep is refused while it is cheap to refuse."""

from __future__ import annotations

import re

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def nests_deeper(raw: bytes, levels: int) -> bool:
    """Whether arrays and objects nest deeper than that. Most texts have too few brackets to be looked at closely."""
    if raw.count(b"[") + raw.count(b"{") <= levels:
        return False
    depth = 0
    for token in _BRACKETS.finditer(raw):
        mark = token[0][:1]
        depth += (mark in b"[{") - (mark in b"]}")
        if depth > levels:
            return True
    return False
