"""Attempts to overrule the instructions of an application: what they say, how they are built, what they hide.

Families of phrases in several languages, marks that imitate the turns of a conversation, and text inside the text
(base64, hexadecimal, escapes, letters apart, characters that nobody sees), which is decoded and looked at again. Hits
add up to a score; `find` speaks from 0.5 on.

Honest limits: this is screening for known ways of saying it. Many attacks are ones only in the light of what the
application was told, and a paraphrase passes. docs/detection.md has the figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors import Span
from policies.detectors.injection_phrases import (
    DELIMITERS,
    FAMILIES,
    FOREIGN,
    HINTS,
    LATIN_HINTS,
    OTHER_LATIN,
    OTHER_SCRIPTS,
    Family,
)
from policies.detectors.payloads import Oddities, hidden, respelled
from policies.detectors.words import Folded, distinct, fold
from policies.normalising import beyond_ascii, origins

VERSION = "prompt-injection/2"
THRESHOLD = 0.5

_HINT_NAMES = frozenset(("other_language", *(family.name for family in HINTS)))
_ENGLISH = (*FAMILIES, *HINTS)
_TELLING = FOREIGN.union(LATIN_HINTS, *(family.words for family in _ENGLISH))
_BY_WORD = {word: tuple(n for n, family in enumerate(_ENGLISH) if word in family.words) for word in _TELLING}


def _together(families: tuple[Family, ...]) -> Any:
    """One expression for several families; in one pass it says that none of them is there."""
    return re2.compile("|".join(f"(?:{family.pattern.pattern})" for family in families))


# More at once would have more states than RE2 keeps.
_HALF = len(FAMILIES) // 2
_GROUPS = tuple(
    (frozenset(range(low, high)), _together(_ENGLISH[low:high]))
    for low, high in ((0, _HALF), (_HALF, len(FAMILIES)), (len(FAMILIES), len(_ENGLISH)))
)
_FEW = 2
"""So many families are looked for one by one."""
_OTHER_LETTERS = re.compile("[\u0400-\u0fff\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]")
_DEEPEST = 2
_HIDDEN = 0.3
_REPEATED = re.compile(r"(?:(\b\w{2,20}\b)\W{1,3}(?>(?:\1\W{1,3}){7,}))")


@dataclass(frozen=True, slots=True)
class Screening:
    """How sure it is (0 to 1), each family's weight, and where in the text."""

    score: float
    layers: dict[str, float]
    spans: tuple[Span, ...]


def find(path: str, text: str, threshold: float = THRESHOLD) -> list[Span]:
    """Every family that the text shows, at most once each; nothing where they do not add up to the threshold."""
    screening = screen(path, text)
    return list(screening.spans) if screening.score >= threshold else []


def screen(path: str, text: str) -> Screening:
    """The families of one text and the score that they make together: any two are surer than one."""
    weights: dict[str, float] = {}
    spans: list[Span] = []
    places: list[int] | None = None
    for family, weight, start, end in _hits(text, 0):
        if family in weights:
            continue
        if not spans:
            places = origins(text)
        if places is not None and start >= 0:
            start, end = places[min(start, len(places) - 1)], places[min(end, len(places) - 1)]
        weights[family] = weight
        spans.append(Span(path, max(0, start), end if start >= 0 else len(text), "PROMPT_INJECTION", family))
    if not weights:
        return Screening(0.0, weights, ())
    doubt, hinted = 1.0, 1.0
    for family, weight in weights.items():
        if family in _HINT_NAMES:
            hinted *= 1 - weight
        else:
            doubt *= 1 - weight
    # Hints tip a balance, and hold nothing alone.
    return Screening(round(1 - doubt * max(0.55, hinted), 3), weights, tuple(spans))


def _hits(text: str, depth: int) -> Iterator[tuple[str, float, int, int]]:
    """(family, weight, start, end) in the normalised text; the start is negative for what stands in no one place."""
    looked_at = fold(text)
    words = distinct(looked_at.text, looked_at.others)
    yield from _said(looked_at, words)
    if depth >= _DEEPEST:
        return
    odd = Oddities.of(looked_at, words)
    for way, said in respelled(looked_at, odd):
        again = Folded(said, said.encode(), beyond_ascii(said))
        for family, weight, _, _ in _said(again, distinct(said)):
            yield f"{way}:{family}", max(weight, 0.6), -1, -1
    for way, _, _, said in hidden(text, looked_at, odd):
        inner = list(_hits(said, depth + 1))
        yield f"hidden_{way}", max((0.85 if hit[1] >= 0.3 else _HIDDEN for hit in inner), default=_HIDDEN), -1, -1


def _said(folded: Folded, words: set[str]) -> Iterator[tuple[str, float, int, int]]:
    text = folded.text
    telling = words & _TELLING
    if telling:
        for number in _tried(telling, folded.utf8):
            yield from _first(_ENGLISH[number], folded)
    other_letters = bool(folded.others) and _OTHER_LETTERS.search(folded.others) is not None
    if other_letters or len(telling & FOREIGN) >= 2:
        yield "other_language", 0.2, -1, -1
    if not telling.isdisjoint(LATIN_HINTS):
        for family in OTHER_LATIN:
            yield from _first_written(family, text)
    if other_letters:
        for family in OTHER_SCRIPTS:
            yield from _first_written(family, text)
    if "<" in text or "[" in text or ("#" in text and "##" in text):
        yield from _first(DELIMITERS, folded)
    if len(text) > 40 and len(words) * 8 < text.count(" "):
        match = _REPEATED.search(text)
        if match:
            yield "repeated_words", 0.4, match.start(), match.end()


def _tried(telling: set[str], utf8: bytes) -> list[int]:
    """The English families that the words call for, as numbers; without those that are seen not to be there."""
    called = {number for word in telling for number in _BY_WORD[word]}
    if len(called) > _FEW:
        for group, together in _GROUPS:
            if len(called & group) > 1 and together.search(utf8) is None:
                called -= group
    return sorted(called)


def _first(family: Family, folded: Folded) -> Iterator[tuple[str, float, int, int]]:
    match = family.pattern.search(folded.utf8)
    if match is not None:
        yield family.name, family.weight, *folded.place(*match.span())


def _first_written(family: Family, text: str) -> Iterator[tuple[str, float, int, int]]:
    match = family.pattern.search(text)
    if match:
        yield family.name, family.weight, match.start(), match.end()
