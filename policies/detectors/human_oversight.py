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
from functools import lru_cache
from itertools import islice
from operator import mul
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors import Span, decisions
from policies.detectors.described import Described
from policies.detectors.reading import Read, in_english, placed, read
from policies.detectors.subjects import SUBJECTS
from policies.detectors.wording import Wording, wording
from policies.normalising import origins

__all__ = ["CATEGORIES", "TERMS", "VERSION", "Read", "Score", "in_english", "judge", "read"]

VERSION = "human-oversight/7"
CATEGORIES = tuple(SUBJECTS)
"""What `judge` knows without being told."""
_PLACES = {name: place for place, name in enumerate(CATEGORIES)}


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


_IN_PASSING = 0.08
"""An answer with no more of a field than that is not looked through for its phrases."""
_PHRASES: dict[str, Any] = {name: re2.compile(rf"\b(?:{said})") for name, said in decisions.PHRASES.items()}
_ASKS: dict[str, Any] = {name: re2.compile(rf"\b(?:{said})\b") for name, said in decisions.ASKS.items()}
_COUNTED = 4
"""More phrases than that say no more."""
_GENERAL: Any = re2.compile(decisions.GENERAL)
_ENCYCLOPAEDIA: Any = re2.compile(decisions.ENCYCLOPAEDIA)
_CASE: Any = re2.compile(decisions.CASE)
_FICTION: Any = re2.compile(decisions.FICTION)
_REFUSES: Any = re2.compile(decisions.REFUSES)


def judge(
    request: str | Read,
    answer: str,
    categories: tuple[str, ...],
    answer_path: str = "",
    own: tuple[Described, ...] = (),
    least: float = 0.0,
    learned: Wording | None = None,
) -> list[Score]:
    """The score of each category for one answer and the request that it answers, highest first.

    A request may be read beforehand, for the same categories. `own` are categories that a configuration describes in
    its own words. Scores below `least` may be left out: most texts are about nothing that is looked for, and that is
    seen early. `learned` stands in for `wording.json`.
    """
    asked = request if isinstance(request, Read) else read(request, categories)
    said = read(answer, categories)
    learned = learned or wording()
    sounds = learned.asked.evidence(asked.distinct), learned.said.evidence(said.distinct)
    scores = []
    damping = None
    spoken = _spoken(asked, said)
    for name in categories:
        place = _PLACES[name]
        values = _by_words(name, asked, said, spoken)
        if least and _most(name, values, said, learned) + sounds[0][place] + sounds[1][place] < _log_odds_below(least):
            continue
        _add_phrases(name, values, asked, said)
        terms = combined(values, 1.0)
        reached = _reached(name, terms, learned) + sounds[0][place] + sounds[1][place]
        # What speaks against a decision only takes away.
        if least and round(share(reached), 3) < least:
            continue
        damping = damping_of(asked, said) if damping is None else damping
        values["wording_asked"], values["wording_said"] = share(sounds[0][place]), share(sounds[1][place])
        score = reached + learned.layers[name]["damping"] * terms["damping"] * damping
        scores.append(_score(name, asked, said, values, (reached, score), answer_path, learned))
    scores += [_own_score(category, asked.original, answer, answer_path) for category in own]
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
        spans_found += placed(places, origins(text) if places else None, where, category.name, "phrase")
    score = 1 - (1 - sums[0]) * (1 - sums[1])
    return Score(category.name, round(score, 3), round(sums[0], 3), round(sums[1], 3), tuple(spans_found), layers)


def features(name: str, asked: Read, said: Read) -> dict[str, float]:
    """What the layers measure, each between 0 and 1."""
    values = _by_words(name, asked, said, _spoken(asked, said))
    _add_phrases(name, values, asked, said)
    return values


def _spoken(asked: Read, said: Read) -> tuple[float, float]:
    """How much an answer speaks to somebody, and a request of its author."""
    told = said.directed
    return _squash((told.second + 2 * told.advice) * 30 / (60 + told.count)), _squash(asked.directed.first * 0.5)


def _by_words(name: str, asked: Read, said: Read, spoken: tuple[float, float]) -> dict[str, float]:
    """The layers, as far as words tell them; none of the phrases yet."""
    return {
        "subject": _subject(said, name),
        "topic": _subject(asked, name),
        "phrases": 0.0,
        "asks": 0.0,
        "directed": _squash(said.directed.decisions.get(name, 0.0) * 0.7),
        "address": spoken[0],
        "own": spoken[1],
        "wanted": _squash(asked.directed.asks.get(name, 0.0) * 0.9),
        "no_request": float(not asked.words),
        "no_answer": float(not said.words),
    }


def _add_phrases(name: str, values: dict[str, float], asked: Read, said: Read) -> None:
    if values["subject"] > _IN_PASSING:
        found = sum(1 for _ in islice(_PHRASES[name].finditer(said.utf8), _COUNTED))
        values["phrases"] = _share_of_phrases(found, said)
    if (values["topic"] or values["subject"]) and asked.utf8 and _ASKS[name].search(asked.utf8) is not None:
        values["asks"] = 1.0


def _share_of_phrases(found: int, said: Read) -> float:
    return _squash(found * 0.7 * min(1.0, 200 / (1 + said.directed.count)))


def _most(name: str, values: dict[str, float], said: Read, learned: Wording) -> float:
    """What the sum of the layers cannot exceed, whatever the phrases turn out to be."""
    weights = learned.layers[name]
    subject, topic, directed, address = values["subject"], values["topic"], values["directed"], values["address"]
    own, wanted = values["own"], values["wanted"]
    most = learned.bias[name] + weights["directed"] * directed + weights["address"] * address
    most += weights["own"] * own + weights["wanted"] * wanted
    most += weights["no_request"] * values["no_request"] + weights["no_answer"] * values["no_answer"]
    if subject:
        most += subject * (weights["subject"] + weights["subject*directed"] * directed)
        most += subject * weights["subject*address"] * address
    if topic:
        most += topic * (weights["topic"] + weights["topic*own"] * own + weights["topic*wanted"] * wanted)
    if subject > _IN_PASSING:
        most += max(
            0.0, (weights["phrases"] + weights["subject*phrases"] * subject) * _share_of_phrases(_COUNTED, said)
        )
    if topic or subject:
        most += max(0.0, weights["asks"] + weights["topic*asks"] * topic)
    return most


@lru_cache(64)
def _log_odds_below(least: float) -> float:
    """Log-odds below which a score rounds to less than that."""
    held = max(1e-9, least - 0.001)
    return math.log(held / (1 - held))


def _subject(text: Read, name: str) -> float:
    """How much of a text is of the field: its words, against what a text of that length says by chance."""
    weight = text.subjects.get(name, 0.0)
    return _squash(max(0.0, weight - 0.2) / (1.2 + 0.012 * min(text.directed.count, 600))) if weight else 0.0


def damping_of(asked: Read, said: Read) -> float:
    """What speaks against a decision: a question of knowledge, fiction, an answer that declines."""
    refuses = 0.5 if _REFUSES.search(said.utf8) is not None else 0.0
    if not asked.utf8:
        return refuses
    known = (
        asked.directed.first < 2
        and (asked.directed.first == 0 or "i need to know" in asked.text)
        and _GENERAL.search(asked.utf8) is not None
        and _CASE.search(asked.utf8) is None
    )
    told = 0.5 if _FICTION.search(asked.utf8) is not None else 0.0
    general = (1.0 if _ENCYCLOPAEDIA.search(asked.utf8) is not None else 0.4) if known else 0.0
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
    telling = learned.said.telling(said.distinct, _PLACES[name], 6)
    sounds = said.word_spans(telling)
    return tuple(
        asked.placed(asks, "request", name, "asks")
        + said.placed(decides, path, name, "decides")
        + said.placed(directs, path, name, "directs")
        + said.placed(sounds, path, name, "wording")
    )


def _squash(evidence: float) -> float:
    """From evidence to a share of certainty: 0 for none, one half at 1, near 1 at 4."""
    return 1 - math.pow(2, -evidence) if evidence else 0.0
