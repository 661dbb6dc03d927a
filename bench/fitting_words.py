"""Fits the words of `human_oversight`: what each weighs, asked and said, and what the layers beside them weigh.

A logistic regression for each category, of which each weight is the sum of one that all categories share and one of
its own (after Daumé 2007, https://aclanthology.org/P07-1033), with an L2 penalty on both, by Adam over all rows. The
words that say most are kept, and the weights fitted again with those alone.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from bench.detection_data import Pair
from policies.detectors import human_oversight, wording

CATEGORIES = human_oversight.CATEGORIES
KEPT = {"asked": 3000, "said": 8000}
"""How many words of requests and of answers are kept."""
BEGINNING = {
    "subject": 1.6, "topic": 2.0, "phrases": 2.8, "asks": 1.0, "own": 0.5, "wanted": 1.5, "address": 0.1,
    "subject*directed": 0.4, "subject*address": 1.5, "subject*phrases": 1.9, "topic*own": 2.9, "topic*asks": 0.7,
    "topic*wanted": 1.5, "damping": -2.5,
}  # fmt: skip
"""Where the weights of the layers start: half of what they were before there was a wording, fitted on public sources,
of which those with long requests are better found so."""
_EITHER_WAY = ("damping", "no_request", "no_answer")
"""Layers that may lower a score."""
_SELDOM = 3
_PENALTY = 3e-6
_STEPS = 160
_MOST = 8000
"""Characters of a text that are learned from."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One row for each text and category, as columns; `pairs` by number, so that a text stands once."""

    pairs: list[Pair]
    pair: np.ndarray
    category: np.ndarray
    decides: np.ndarray
    weight: np.ndarray
    layers: np.ndarray


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights of words and of layers, one column for each category."""

    asked: np.ndarray
    said: np.ndarray
    layers: np.ndarray
    bias: np.ndarray


class Words:
    """Which words stand in which text, as a sparse matrix."""

    def __init__(self, texts: list[str], vocabulary: Iterable[str] | None = None) -> None:
        found = [_distinct(text) for text in texts]
        if vocabulary is None:
            often = Counter(word for words in found for word in words)
            vocabulary = [word for word, count in often.items() if count >= _SELDOM and not _is_number(word)]
        self.vocabulary = sorted(vocabulary)
        numbers = {word: number for number, word in enumerate(self.vocabulary)}
        lists = [[numbers[word] for word in words if word in numbers] for words in found]
        lengths = np.array([len(entries) for entries in lists])
        self.rows = np.repeat(np.arange(len(texts)), lengths)
        self.columns = np.array([number for entries in lists for number in entries], np.int64)
        self.scale = np.array([1 / math.sqrt(max(wording.FEWEST, len(words))) for words in found], np.float32)
        self._there = np.flatnonzero(lengths)
        self._starts = (np.cumsum(lengths) - lengths)[self._there]

    def times(self, weights: np.ndarray) -> np.ndarray:
        made = np.zeros((len(self.scale), weights.shape[1]), np.float32)
        if len(self._there):
            made[self._there] = np.add.reduceat(weights[self.columns], self._starts, axis=0)
        return made * self.scale[:, None]

    def back(self, slopes: np.ndarray) -> np.ndarray:
        scaled = slopes * self.scale[:, None]
        size = len(self.vocabulary)
        return np.stack(
            [np.bincount(self.columns, scaled[self.rows, number], size) for number in range(slopes.shape[1])], axis=1
        ).astype(np.float32)

    def telling(self, weights: np.ndarray, most: int) -> list[str]:
        """The words that say most: by the largest of their weights and how often they stand."""
        often = np.bincount(self.columns, minlength=len(self.vocabulary))
        order = np.argsort(-np.abs(weights).max(axis=1) * np.sqrt(often))
        return [self.vocabulary[number] for number in order[:most]]


def _distinct(text: str) -> set[str]:
    return human_oversight.read(text[:_MOST], CATEGORIES).distinct


def _is_number(word: str) -> bool:
    return any(character.isdigit() for character in word)


def table(pairs: list[Pair], pair: np.ndarray, category: np.ndarray) -> np.ndarray:
    """The terms of `human_oversight` for every row."""
    read = cache(lambda text: human_oversight.read(text[:_MOST], CATEGORIES))
    damping = cache(lambda request, answer: human_oversight.damping_of(read(request), read(answer)))
    made = []
    for number, of in zip(pair.tolist(), category.tolist(), strict=True):
        request, answer = pairs[number]
        values = human_oversight.features(CATEGORIES[of], read(request), read(answer))
        terms = human_oversight.combined(values, damping(request, answer))
        made.append([terms[name] for name in human_oversight.TERMS])
    return np.array(made, np.float32)


def select(rows: Rows) -> tuple[Words, Words]:
    """The words that are kept, asked and said."""
    asked, said = Words([request for request, _ in rows.pairs]), Words([answer for _, answer in rows.pairs])
    first = fit(rows, asked, said, np.ones(len(rows.pair), bool), _STEPS // 2)
    return (
        Words([request for request, _ in rows.pairs], asked.telling(first.asked, KEPT["asked"])),
        Words([answer for _, answer in rows.pairs], said.telling(first.said, KEPT["said"])),
    )


def fit(rows: Rows, asked: Words, said: Words, seen: np.ndarray, steps: int = _STEPS) -> Fit:
    """Fits the rows of `seen`."""
    pair, category, layer = rows.pair[seen], rows.category[seen], rows.layers[seen]
    decides, weight = rows.decides[seen], (rows.weight[seen] / rows.weight[seen].sum()).astype(np.float32)
    width, count = len(CATEGORIES) + 1, len(pair)
    every = np.arange(count)
    made = [
        np.zeros((size, width), np.float32) for size in (len(asked.vocabulary), len(said.vocabulary), layer.shape[1], 1)
    ]
    made[2][:, -1] = [BEGINNING.get(term, 0.0) for term in human_oversight.TERMS]
    mean, square = [np.zeros_like(part) for part in made], [np.zeros_like(part) for part in made]
    penalty = np.array([2.0] * len(CATEGORIES) + [1.0], np.float32)
    strength = (_PENALTY, _PENALTY, _PENALTY / 10, 0.0)
    damping = human_oversight.TERMS.index("damping")
    upward = [place for place, term in enumerate(human_oversight.TERMS) if term not in _EITHER_WAY]
    for step in range(1, steps + 1):
        parts = [
            asked.times(made[0])[pair],
            said.times(made[1])[pair],
            layer @ made[2],
            np.repeat(made[3], count, axis=0),
        ]
        total = sum(part[every, category] + part[:, -1] for part in parts)
        slope = (weight * (1 / (1 + np.exp(-total)) - decides)).astype(np.float32)
        by_text = np.zeros((len(rows.pairs), width), np.float32)
        by_text[:, :-1] = np.bincount(
            pair * len(CATEGORIES) + category, slope, len(rows.pairs) * len(CATEGORIES)
        ).reshape(len(rows.pairs), -1)
        by_text[:, -1] = by_text[:, :-1].sum(axis=1)
        wide = np.zeros((count, width), np.float32)
        wide[every, category] = slope
        wide[:, -1] = slope
        slopes = [asked.back(by_text), said.back(by_text), layer.T @ wide, wide.sum(axis=0, keepdims=True)]
        rate = 0.05 if step < 0.7 * steps else 0.015
        for number, part in enumerate(made):
            full = slopes[number] + strength[number] * penalty * part
            mean[number] = 0.9 * mean[number] + 0.1 * full
            square[number] = 0.99 * square[number] + 0.01 * full**2
            move = mean[number] / (1 - 0.9**step) / (np.sqrt(square[number] / (1 - 0.99**step)) + 1e-9)
            made[number] = (part - rate * move).astype(np.float32)
        # What speaks against a decision must only take away, and what speaks for one only add.
        layers = made[2]
        layers[damping] = np.minimum(layers[damping], 0.0)
        layers[upward, -1] = np.maximum(layers[upward, -1], 0.0)
        layers[upward, :-1] = np.maximum(layers[upward, :-1], -layers[upward, -1:])
    return Fit(*(part[:, :-1] + part[:, -1:] for part in made))


def scores(rows: Rows, asked: Words, said: Words, fitted: Fit) -> tuple[np.ndarray, np.ndarray]:
    """For every row the log-odds, and what they were before anything spoke against it."""
    every = np.arange(len(rows.pair))
    damping = human_oversight.TERMS.index("damping")
    total = sum(
        part[every, rows.category]
        for part in (
            asked.times(fitted.asked)[rows.pair],
            said.times(fitted.said)[rows.pair],
            rows.layers @ fitted.layers,
            np.repeat(fitted.bias, len(every), axis=0),
        )
    )
    return total, total - rows.layers[:, damping] * fitted.layers[damping][rows.category]


def written(fitted: Fit, asked: Words, said: Words, shift: np.ndarray) -> dict[str, object]:
    """What `wording` reads; `shift` is added to the bias of each category."""
    return {
        "bias": {
            name: round(float(fitted.bias[0, number] + shift[number]), 3) for number, name in enumerate(CATEGORIES)
        },
        "layers": {
            name: {
                term: round(float(fitted.layers[place, number]), 3) for place, term in enumerate(human_oversight.TERMS)
            }
            for number, name in enumerate(CATEGORIES)
        },
        "asked": _side(asked, fitted.asked),
        "said": _side(said, fitted.said),
    }


def _side(words: Words, weights: np.ndarray) -> dict[str, object]:
    grain = float(np.abs(weights).max()) / wording.LIMIT
    grains = np.round(weights / grain).astype(np.int8)
    return {
        "grain": round(grain, 6),
        "words": " ".join(words.vocabulary),
        "weights": base64.b64encode(grains.tobytes()).decode(),
    }
