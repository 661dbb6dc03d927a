"""What a request asks, read for human oversight: once for all answers, and before there is one."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from policies.detectors.reading import Read, read
from policies.requests import last_asked


class ReadRequest:
    """The last question of a request. Made by `Chain.prepare`, or where an answer is looked at without it."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self._read: dict[tuple[str, ...], Read] = {}

    @cached_property
    def text(self) -> str:
        return last_asked(self.request)

    def read(self, categories: tuple[str, ...]) -> Read:
        """As `human_oversight.judge` takes it for those categories."""
        known = self._read.get(categories)
        if known is None:
            known = self._read[categories] = read(self.text, categories)
        return known
