"""Answers that a person must see first, by category: what they are about, and whether they decide something.

Five layers add up to one score between 0 and 1. The subject: words of the field. The decision: somebody is directed,
or a phrase decides by itself. The request: somebody asks about their own case, or for a decision. The wording: what
requests and answers of that kind sound like, learned from examples. Against them: a request for knowledge or fiction,
an answer that declines. Subject alone stays below the usual threshold of 0.5, or a queue would fill with encyclopaedia.
Other languages are read by their glosses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import mul
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors import Span, decisions
from policies.detectors.described import Described
from policies.detectors.directed import Directions, directions
from policies.detectors.glossing import glossed
from policies.detectors.subjects import MEDICAL_ENDINGS, NOT_MEDICAL, SUBJECTS, WEIGHTS
from policies.detectors.wording import Wording, wording
from policies.detectors.words import folded, spans, tokens
from policies.normalising import origins

VERSION = "human-oversight/3"
CATEGORIES = tuple(SUBJECTS)
"""What `judge` knows without being told."""


@dataclass(frozen=True, slots=True)
class Score:
    """How sure it is that a category applies (0 to 1), and by what; each of the layers is between 0 and 1.

    `reached` is the log-odds before anything spoke against it.
    """

    category: str
    score: float
    request: float
    answer: float
    spans: tuple[Span, ...]
    layers: dict[str, float] = field(default_factory=dict)
    reached: float = 0.0


@dataclass(frozen=True, slots=True)
class Read:
    """One text, read once for all categories."""

    original: str
    text: str
    words: list[str]
    distinct: set[str]
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


_IN_PASSING = 0.08
"""An answer with no more of a field than that is not looked through for its phrases."""
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
    learned: Wording | None = None,
) -> list[Score]:
    """The score of each category for one answer and the request that it answers, highest first.

    `own` are categories that a configuration describes in its own words. Scores below `least` may be left out: most
    texts are about nothing that is looked for, and that is seen early. `learned` stands in for `wording.json`.
    """
    asked, said = read(request, categories), read(answer, categories)
    learned = learned or wording()
    sounds = learned.asked.evidence(asked.distinct), learned.said.evidence(said.distinct)
    scores = []
    damping = None
    for name in categories:
        values = features(name, asked, said)
        place = CATEGORIES.index(name)
        terms = combined(values, 1.0)
        reached = _reached(name, terms, learned) + sounds[0][place] + sounds[1][place]
        # What speaks against a decision only takes away.
        if least and round(share(reached), 3) < least:
            continue
        damping = damping_of(asked, said) if damping is None else damping
        values["wording_asked"], values["wording_said"] = share(sounds[0][place]), share(sounds[1][place])
        score = reached + learned.layers[name]["damping"] * terms["damping"] * damping
        scores.append(_score(name, asked, said, values, (reached, score), answer_path, learned))
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


def features(name: str, asked: Read, said: Read) -> dict[str, float]:
    """What the layers measure, each between 0 and 1."""
    subject = _subject(said, name)
    topic = _subject(asked, name)
    phrases = 0
    if subject > _IN_PASSING:
        phrases = sum(1 for _, _match in zip(range(4), _PHRASES[name].finditer(said.text), strict=False))
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
        "no_request": float(not asked.words),
        "no_answer": float(not said.words),
    }


def read(text: str, categories: tuple[str, ...]) -> Read:
    plain = folded(text)
    words = tokens(plain)
    distinct = set(words)
    foreign = glossed(plain, words, distinct)
    cache: dict[str, Any] = {}
    if foreign is not None:
        words, places = foreign
        distinct = set(words)
        if places is not None:
            cache["tokens"] = places
    return Read(text, plain, words, distinct, directions(words, categories), _subjects(distinct), cache)


def in_english(text: str) -> str:
    """The glosses of a text in another language; any other as it is."""
    plain = folded(text)
    words = tokens(plain)
    foreign = glossed(plain, words, set(words))
    return text if foreign is None else " ".join(foreign[0])


def _subjects(words: set[str]) -> dict[str, float]:
    """The weights of the distinct words of each field, added up."""
    sums: dict[str, float] = {}
    for word in words & _INDEXED:
        for name, weight in _INDEX[word]:
            sums[name] = sums.get(name, 0.0) + weight
    for word in words - _INDEXED:
        if word[-3:] in _TAILS and len(word) > 6 and word.endswith(MEDICAL_ENDINGS) and word not in NOT_MEDICAL:
            sums["medical_decisions"] = sums.get("medical_decisions", 0.0) + _ENDING
    return sums


def _subject(text: Read, name: str) -> float:
    """How much of a text is of the field: its words, against what a text of that length says by chance."""
    weight = text.subjects.get(name, 0.0)
    return _squash(max(0.0, weight - 0.2) / (1.2 + 0.012 * min(text.directed.count, 600))) if weight else 0.0


def damping_of(asked: Read, said: Read) -> float:
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


TERMS = (
    "subject",
    "topic",
    "phrases",
    "asks",
    "own",
    "wanted",
    "directed",
    "address",
    "subject*directed",
    "subject*address",
    "subject*phrases",
    "topic*own",
    "topic*asks",
    "topic*wanted",
    "damping",
    "no_request",
    "no_answer",
)
"""What is weighted: the layers, the products that say more than their parts, and that a side is not there."""
_UPWARD = tuple(term for term in TERMS if term != "damping")


def combined(values: dict[str, float], damping: float) -> dict[str, float]:
    """The terms of the sum, without the wording."""
    subject, topic = values["subject"], values["topic"]
    return {
        **values,
        "subject*directed": subject * values["directed"],
        "subject*address": subject * values["address"],
        "subject*phrases": subject * values["phrases"],
        "topic*own": topic * values["own"],
        "topic*asks": topic * values["asks"],
        "topic*wanted": topic * values["wanted"],
        # Whatever was asked, an answer that decides in so many words has decided.
        "damping": damping * (1 - 0.6 * max(values["phrases"], values["address"])),
    }


def _reached(name: str, terms: dict[str, float], learned: Wording) -> float:
    total: float = sum(map(mul, learned.upward[name], map(terms.__getitem__, _UPWARD)))
    return learned.bias[name] + total


def share(log_odds: float) -> float:
    """Log-odds as a number between 0 and 1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))


def _score(
    name: str, asked: Read, said: Read, values: dict[str, float], sums: tuple[float, float], path: str, learned: Wording
) -> Score:
    score = share(sums[1])
    request = 1 - (1 - values["topic"] * values["own"]) * (1 - max(values["asks"], values["wanted"]) * 0.8)
    answer = values["subject"] * (0.3 + 0.7 * max(values["directed"], values["phrases"], values["address"]))
    found = _spans(name, asked, said, path, learned) if score >= 0.4 else ()
    layers = {term: round(value, 3) if value else 0.0 for term, value in values.items()}
    return Score(name, round(score, 3), round(request, 3), round(answer, 3), found, layers, round(sums[0], 3))


def _spans(name: str, asked: Read, said: Read, path: str, learned: Wording) -> tuple[Span, ...]:
    asks = [match.span() for _, match in zip(range(6), _ASKS[name].finditer(asked.text), strict=False)]
    decides = [match.span() for _, match in zip(range(6), _PHRASES[name].finditer(said.text), strict=False)]
    directs = said.token_spans(said.directed.places.get(name, [])[:10])
    telling = learned.said.telling(said.distinct, CATEGORIES.index(name), 6)
    sounds = said.token_spans(sorted(said.words.index(word) for word in telling))
    return tuple(
        asked.placed(asks, "request", name, "asks")
        + said.placed(decides, path, name, "decides")
        + said.placed(directs, path, name, "directs")
        + said.placed(sounds, path, name, "wording")
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
_INDEXED = frozenset(_INDEX)
_ENDING = 0.7
_TAILS = frozenset(ending[-3:] for ending in MEDICAL_ENDINGS)
