"""What a stream cost that passes through untouched: by its own usage where it says it, else an estimate."""

from __future__ import annotations

import re

_SAID = re.compile(rb'"(prompt|completion|input|output|total)_tokens": ?(\d{1,12})')
_OVERLAP = 64
"""Bytes: more than a count takes, which may be cut in two."""


class TokenMeter:
    """Reads pieces as they pass. In text that a model wrote the quotes are escaped, so it cannot pretend a count."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._events = 0
        self._end = b""

    def read(self, piece: bytes) -> None:
        looked_at = self._end + piece
        for kind, count in _SAID.findall(looked_at):
            self._counts[kind] = max(self._counts.get(kind, 0), int(count))
        self._events += looked_at.count(b"data:") - self._end.count(b"data:")
        self._end = looked_at[-_OVERLAP:]

    @property
    def tokens(self) -> int:
        """In all; where the stream was not told to say it, or broke off, a token for each of its events."""
        counts = self._counts
        if not counts:
            return self._events
        return counts.get(b"total") or sum(counts.values())
