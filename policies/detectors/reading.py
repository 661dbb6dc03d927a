"""One text as human oversight reads it: its words, what they are about and what they direct; once for all categories.

What is read of a request does not depend on its answer, so it can be read while the answer is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors import Span
from policies.detectors.directed import Directions, directions
from policies.detectors.glossing import glossed
from policies.detectors.subjects import MEDICAL_ENDINGS, NOT_MEDICAL, SUBJECTS, WEIGHTS
from policies.detectors.wording import packed, unpacked
from policies.detectors.words import first_place, fold, places, tokens
from policies.normalising import origins

_MEDICAL = tuple(SUBJECTS).index("medical_decisions")
_PARTS = 10
"""Weights of subjects are whole tenths."""
_ONE_ENDING = packed([0] * _MEDICAL + [7])
_ENDS: Any = re2.compile(rf"(?:{'|'.join(MEDICAL_ENDINGS)})(?:[^a-z0-9]|$)")
_TAILS = frozenset(ending[-3:] for ending in MEDICAL_ENDINGS)
_LONG = 6
"""A word with one of the endings is longer."""


@dataclass(frozen=True, slots=True)
class Read:
    """One text: folded, with its UTF-8, its words in order and without it, and what they say."""

    original: str
    text: str
    utf8: bytes
    words: list[str]
    distinct: set[str]
    directed: Directions
    subjects: dict[str, float]
    cache: dict[str, Any] = field(default_factory=dict)

    def placed(self, found: list[tuple[int, int]], path: str, label: str, pattern: str) -> list[Span]:
        """Places in the normalised text as spans of the text that it came from."""
        if found and "origins" not in self.cache:
            self.cache["origins"] = origins(self.original)
        return placed(found, self.cache.get("origins"), path, label, pattern)

    def token_spans(self, wanted: list[int]) -> list[tuple[int, int]]:
        """Where the tokens of those numbers stand in the normalised text."""
        if not wanted:
            return []
        known: list[tuple[int, int]] = self.cache.setdefault("tokens", [])
        if len(known) <= max(wanted):
            further: Iterator[tuple[int, int]] = self.cache.setdefault("further", places(self.text))
            known += [place for _, place in zip(range(max(wanted) + 1 - len(known)), further, strict=False)]
        return [known[number] for number in wanted]

    def word_spans(self, words: list[str]) -> list[tuple[int, int]]:
        """Where each of those words of it stands first, in the order of the text."""
        if "glossed" in self.cache:
            return self.token_spans(sorted(map(self.words.index, words)))
        return sorted(first_place(self.text, word) for word in words)


def placed(found: list[tuple[int, int]], sources: list[int] | None, path: str, label: str, pattern: str) -> list[Span]:
    """Places in a normalised text as spans. `sources` leads back to the text that it came from, see `origins`."""
    if sources is not None:
        last = len(sources) - 1
        found = [(sources[min(start, last)], sources[min(end, last)]) for start, end in found]
    return [Span(path, start, end, label, pattern) for start, end in found]


def read(text: str, categories: tuple[str, ...]) -> Read:
    """`categories` are those whose directions are looked for."""
    folded = fold(text)
    words = tokens(folded.text, folded.others)
    distinct = set(words)
    foreign = glossed(folded.text, words, distinct)
    cache: dict[str, Any] = {}
    if foreign is not None:
        cache["glossed"] = True
        words, stand = foreign
        distinct = set(words)
        if stand is not None:
            cache["tokens"] = stand
    subjects = _subjects(distinct, None if foreign else folded.utf8)
    return Read(
        text, folded.text, folded.utf8, words, distinct, directions(words, distinct, categories), subjects, cache
    )


def in_english(text: str) -> str:
    """The glosses of a text in another language; any other as it is."""
    plain = fold(text).text
    words = tokens(plain)
    foreign = glossed(plain, words, set(words))
    return text if foreign is None else " ".join(foreign[0])


def _subjects(words: set[str], utf8: bytes | None) -> dict[str, float]:
    """The weights of the distinct words of each field, added up. `utf8` is the text that they are the words of."""
    total = sum(map(_INDEX.__getitem__, words & _INDEXED))
    if utf8 is None or _ENDS.search(utf8) is not None:
        ending = [word for word in words - _INDEXED if word[-3:] in _TAILS and len(word) > _LONG]
        medical = sum(word.endswith(MEDICAL_ENDINGS) and word not in NOT_MEDICAL for word in ending)
        total += medical * _ONE_ENDING
    if not total:
        return {}
    return {name: sum_ / _PARTS for name, sum_ in zip(SUBJECTS, unpacked(total, len(SUBJECTS)), strict=True) if sum_}


def _index() -> dict[str, int]:
    built: dict[str, dict[str, float]] = {}
    for name, levels in SUBJECTS.items():
        for words, weight in zip(levels, WEIGHTS, strict=True):
            for word in words.split():
                for form in {word, word if word.endswith("s") else f"{word}s"}:
                    entry = built.setdefault(form, {})
                    entry[name] = max(weight, entry.get(name, 0.0))
    return {word: packed(round(entry.get(name, 0.0) * _PARTS) for name in SUBJECTS) for word, entry in built.items()}


_INDEX = _index()
_INDEXED = frozenset(_INDEX)
