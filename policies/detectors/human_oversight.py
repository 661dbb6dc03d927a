"""Answers that a person must see first, by category: what they are about, and whether they decide something.

Four layers add up to one score between 0 and 1. The subject: words of the field. The decision: somebody is directed,
or a phrase decides by itself. The request: somebody asks about their own case, or for a decision. Against them: a
request for knowledge or fiction, an answer that declines. Subject alone stays below the usual threshold of 0.5, or a
queue would fill with encyclopaedia.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors import Span, decisions
from policies.detectors.described import Described
from policies.detectors.directed import Directions, directions
from policies.detectors.subjects import MEDICAL_ENDINGS, NOT_MEDICAL, SUBJECTS, WEIGHTS
from policies.detectors.words import folded, spans, tokens
from policies.normalising import origins

VERSION = "human-oversight/2"
CATEGORIES = tuple(SUBJECTS)
"""What `judge` knows without being told."""


@dataclass(frozen=True, slots=True)
class Score:
    """How sure it is that a category applies (0 to 1), and by what; each of the layers is between 0 and 1."""

    category: str
    score: float
    request: float
    answer: float
    spans: tuple[Span, ...]
    layers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Read:
    """One text, read once for all categories."""

    original: str
    text: str
    words: list[str]
    directed: Directions
    subjects: dict[str, float]
    cache: dict[str, Any] = field(default_factory=dict)

    def placed(self, found: list[tuple[int, int]], path: str, label: str, pattern: str) -> list[Span]:
        """Places in the normalised text as spans of the text that it came from."""
        if found and "origins" not in self.cache:
            self.cache["origins"] = origins(self.original)
        return _placed(found, self.cache.get("origins"), path, label, pattern)

    def token_spans(self, wanted: list[int]) -> list[tuple[int, int]]:
        """Where the tokens of those numbers stand in the normalised text."""
        if wanted and "tokens" not in self.cache:
            self.cache["tokens"] = spans(self.text)
        return [self.cache["tokens"][number] for number in wanted]


_PHRASES: dict[str, Any] = {name: re2.compile(rf"\b(?:{said})") for name, said in decisions.PHRASES.items()}
_ASKS: dict[str, Any] = {name: re2.compile(rf"\b(?:{said})\b") for name, said in decisions.ASKS.items()}
_GENERAL: Any = re2.compile(decisions.GENERAL)
_ENCYCLOPAEDIA: Any = re2.compile(decisions.ENCYCLOPAEDIA)
_CASE: Any = re2.compile(decisions.CASE)
_FICTION: Any = re2.compile(decisions.FICTION)
_REFUSES: Any = re2.compile(decisions.REFUSES)


def judge(
    request: str,
    answer: str,
    categories: tuple[str, ...],
    answer_path: str = "",
    own: tuple[Described, ...] = (),
    least: float = 0.0,
) -> list[Score]:
    """The score of each category for one answer and the request that it answers, highest first.

    `own` are categories that a configuration describes in its own words. Scores below `least` may be left out: most
    texts are about nothing that is looked for, and that is seen early.
    """
    asked, said = _read(request, categories), _read(answer, categories)
    scores = []
    damping = None
    for name in categories:
        values = features(name, asked, said)
        # What speaks against a decision only takes away.
        if least and round(_certainty(name, combined(values, 0.0)), 3) < least:
            continue
        damping = _damping(asked, said) if damping is None else damping
        scores.append(_score(name, asked, said, values, damping, answer_path))
    scores += [_own_score(category, request, answer, answer_path) for category in own]
    return sorted(scores, key=lambda score: -score.score)


def _own_score(category: Described, request: str, answer: str, path: str) -> Score:
    """An answer that says it in a phrase or like an example is held; a request for it counts for most of that."""
    sums, spans_found = [], []
    layers: dict[str, float] = {}
    for text, where, share, side in ((request, "request", 0.8, "asked"), (answer, path, 1.0, "said")):
        evidence, places = category.evidence(text)
        doubt = (1 - 0.4 * evidence["subject"]) * (1 - 0.9 * evidence["phrases"]) * (1 - evidence["alike"] ** 2)
        sums.append(share * (1 - doubt))
        layers |= {f"{layer}_{side}": round(value, 3) for layer, value in evidence.items()}
        spans_found += _placed(places, origins(text) if places else None, where, category.name, "phrase")
    score = 1 - (1 - sums[0]) * (1 - sums[1])
    return Score(category.name, round(score, 3), round(sums[0], 3), round(sums[1], 3), tuple(spans_found), layers)


def features(name: str, asked: _Read, said: _Read) -> dict[str, float]:
    """What the layers measure, each between 0 and 1."""
    subject = _subject(said, name)
    topic = _subject(asked, name)
    phrases = sum(1 for _, _match in zip(range(4), _PHRASES[name].finditer(said.text), strict=False)) if subject else 0
    asks = 1 if (topic or subject) and _ASKS[name].search(asked.text) else 0
    directed = _squash(said.directed.decisions.get(name, 0.0) * 0.7)
    address = _squash((said.directed.second + 2 * said.directed.advice) * 30 / (60 + said.directed.count))
    own = _squash(asked.directed.first * 0.5)
    wanted = _squash(asked.directed.asks.get(name, 0.0) * 0.9)
    return {
        "subject": subject,
        "topic": topic,
        "phrases": _squash(phrases * 0.7 * min(1.0, 200 / (1 + said.directed.count))),
        "asks": float(asks),
        "directed": directed,
        "address": address,
        "own": own,
        "wanted": wanted,
    }


def _read(text: str, categories: tuple[str, ...]) -> _Read:
    read = folded(text)
    words = tokens(read)
    return _Read(text, read, words, directions(words, categories), _subjects(words))


def _subjects(words: list[str]) -> dict[str, float]:
    """The weights of the distinct words of each field, added up."""
    sums: dict[str, float] = {}
    for word in set(words):
        entry = _INDEX.get(word)
        if entry is None:
            if len(word) < 7 or word in NOT_MEDICAL or not word.endswith(MEDICAL_ENDINGS):
                continue
            entry = _ENDING
        for name, weight in entry:
            sums[name] = sums.get(name, 0.0) + weight
    return sums


def _subject(read: _Read, name: str) -> float:
    """How much of a text is of the field: its words, against what a text of that length says by chance."""
    weight = read.subjects.get(name, 0.0)
    return _squash(max(0.0, weight - 0.2) / (1.2 + 0.012 * min(read.directed.count, 600))) if weight else 0.0


def _damping(asked: _Read, said: _Read) -> float:
    """What speaks against a decision: a question of knowledge, fiction, an answer that declines."""
    known = (
        asked.directed.first < 2
        and (asked.directed.first == 0 or "i need to know" in asked.text)
        and _GENERAL.search(asked.text)
        and not _CASE.search(asked.text)
    )
    told = 0.5 if _FICTION.search(asked.text) else 0.0
    refuses = 0.5 if _REFUSES.search(said.text) else 0.0
    general = (1.0 if _ENCYCLOPAEDIA.search(asked.text) else 0.4) if known else 0.0
    return general + told + refuses


WEIGHTS_OF = {
    "bias": -3.15,
    "subject": 3.3,
    "topic": 4.1,
    "phrases": 5.6,
    "asks": 2.0,
    "own": 0.95,
    "wanted": 2.95,
    "address": 0.2,
    "subject*directed": 0.8,
    "subject*address": 3.0,
    "subject*phrases": 3.8,
    "topic*own": 5.8,
    "topic*asks": 1.4,
    "topic*wanted": 2.9,
    "damping": -5.0,
}
"""One set for all categories, fitted by logistic regression on the development sources of docs/detection.md."""
OFFSETS = {
    "legal_opinions": 0.3,
    "medical_decisions": -0.3,
    "hiring_actions": 0.1,
    "financial_advice": -0.4,
    "high_risk_transactions": 1.3,
}
"""What brings each category's score to 0.5 where about one in a hundred answers of general traffic reaches it."""


_PAIRS = {pair: pair.split("*") for pair in WEIGHTS_OF if "*" in pair}


def combined(values: dict[str, float], damping: float) -> dict[str, float]:
    """The terms of the sum: the layers and the products that say more than their parts."""
    terms = dict(values)
    for pair, (left, right) in _PAIRS.items():
        terms[pair] = values[left] * values[right]
    # Whatever was asked, an answer that decides in so many words has decided.
    terms["damping"] = damping * (1 - 0.6 * max(values["phrases"], values["address"]))
    terms["bias"] = 1.0
    return terms


def _certainty(name: str, terms: dict[str, float]) -> float:
    total = OFFSETS.get(name, 0.0) + sum([weight * terms[term] for term, weight in WEIGHTS_OF.items()])
    return 1 / (1 + math.exp(-total))


def _score(name: str, asked: _Read, said: _Read, values: dict[str, float], damping: float, path: str) -> Score:
    score = _certainty(name, combined(values, damping))
    request = 1 - (1 - values["topic"] * values["own"]) * (1 - max(values["asks"], values["wanted"]) * 0.8)
    answer = values["subject"] * (0.3 + 0.7 * max(values["directed"], values["phrases"], values["address"]))
    found = _spans(name, asked, said, path) if score >= 0.4 else ()
    return Score(
        name, round(score, 3), round(request, 3), round(answer, 3), found, {k: round(v, 3) for k, v in values.items()}
    )


def _spans(name: str, asked: _Read, said: _Read, path: str) -> tuple[Span, ...]:
    asks = [match.span() for _, match in zip(range(6), _ASKS[name].finditer(asked.text), strict=False)]
    decides = [match.span() for _, match in zip(range(6), _PHRASES[name].finditer(said.text), strict=False)]
    directs = said.token_spans(said.directed.places.get(name, [])[:10])
    return tuple(
        asked.placed(asks, "request", name, "asks")
        + said.placed(decides, path, name, "decides")
        + said.placed(directs, path, name, "directs")
    )


def _placed(found: list[tuple[int, int]], places: list[int] | None, path: str, label: str, pattern: str) -> list[Span]:
    if places is not None:
        last = len(places) - 1
        found = [(places[min(start, last)], places[min(end, last)]) for start, end in found]
    return [Span(path, start, end, label, pattern) for start, end in found]


def _squash(evidence: float) -> float:
    """From evidence to a share of certainty: 0 for none, one half at 1, near 1 at 4."""
    return 1 - math.pow(2, -evidence)


def _index() -> dict[str, tuple[tuple[str, float], ...]]:
    built: dict[str, dict[str, float]] = {}
    for name, levels in SUBJECTS.items():
        for words, weight in zip(levels, WEIGHTS, strict=True):
            for word in words.split():
                for form in {word, word if word.endswith("s") else f"{word}s"}:
                    entry = built.setdefault(form, {})
                    entry[name] = max(weight, entry.get(name, 0.0))
    return {word: tuple(entry.items()) for word, entry in built.items()}


_INDEX = _index()
_ENDING = (("medical_decisions", 0.7),)
