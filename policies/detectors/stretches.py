"""Where in a text numbers of some length stand: the only places where patterns of numbers are tried.

Prose has few, and a pattern that is tried at every letter costs more than all the rest. RE2 finds them in a copy of the
text in which each character is one byte, whatever it was, so that places in it are places in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import re2  # type: ignore[import-untyped]

from policies.normalising import beyond_ascii

_DIGITS = b"0123456789"
TELLING = r"[a-z][0-9]|[0-9]\.[0-9]|[0-9](?:[^0-9]{0,8}[0-9]){5}"
"""Without that there may be stretches, years mostly, but none that any pattern fits. (Dates of birth are called so.)"""
_LEAST = 4
"""Nothing that is looked for has fewer digits, but for what is called by its name."""
_AROUND = 8
"""Characters before and after; and up to so many between two digits, room for a bank code in the middle of an IBAN."""
_STRETCH: Any = re2.compile(rf"[0-9](?:[^0-9]{{0,{_AROUND}}}[0-9]){{{_LEAST - 1},}}")
_STRETCH_OF_ANY = re.compile(rf"\d(?>(?:[^\d]{{0,{_AROUND}}}+\d)*)")
_UNUSUAL = re.compile("[\u017f\u212a\u0130\u0131]|\\d")
"""Digits of other scripts, and the letters that are ASCII in another case."""
_LETTER_AND_DIGIT = re.compile(rb"[a-z][0-9]")


class Stretch(NamedTuple):
    """A part of a text; how many digits are in it, and whether a letter stands right before one of them."""

    start: int
    end: int
    digits: int
    lettered: bool


class Marked:
    """A text, and in lower case a byte for each of its characters: a question mark for one that is not ASCII.

    `unusual`: whether characters are in it of which that does not tell enough.
    """

    __slots__ = ("_stretches", "plain", "text", "unusual")

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = text.encode("ascii", "replace").lower()
        self.unusual = not text.isascii() and _UNUSUAL.search(beyond_ascii(text)) is not None
        self._stretches: list[Stretch] | None = None

    @property
    def stretches(self) -> list[Stretch]:
        """From left to right, with a little of what surrounds them, in which no other digit is."""
        if self._stretches is None:
            self._stretches = [self._stretch(*run) for run in self._runs()]
        return self._stretches

    def lowered(self) -> str:
        """The text in lower case, of the same length."""
        lowered = self.text.lower()
        if len(lowered) == len(self.text):
            return lowered
        return "".join(char.lower() if len(char.lower()) == 1 else char for char in self.text)

    def _stretch(self, start: int, end: int, digits: int) -> Stretch:
        low, high = max(0, start - _AROUND), min(len(self.text), end + _AROUND)
        lettered = self.unusual or _LETTER_AND_DIGIT.search(self.plain, low, high) is not None
        return Stretch(low, high, digits, lettered)

    def _runs(self) -> Iterator[tuple[int, int, int]]:
        if not self.unusual:
            for match in _STRETCH.finditer(self.plain):
                start, end = match.span()
                found = self.plain[start:end]
                yield start, end, len(found) - len(found.translate(None, _DIGITS))
            return
        for run in _STRETCH_OF_ANY.finditer(self.text):
            digits = sum(map(str.isdecimal, run[0]))
            if digits >= _LEAST:
                yield run.start(), run.end(), digits

    def begun(self, heads: Any, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """The matches of a pattern, in any case, that begins with one of the heads: it is tried nowhere else.

        No head may begin a word inside of another.
        """
        if self.unusual:
            yield from pattern.finditer(self.text)
            return
        done = 0
        for head in heads.finditer(self.plain):
            match = pattern.match(self.text, head.start()) if head.start() >= done else None
            if match is not None:
                yield match
                done = match.end()
