"""How much the words of a request and of its answer sound like a decision of each category, as learned from examples.

`wording.json` is fitted by `bench.fitting` on the development sources: words with one weight for each category, asked
and said apart, and how they add up with the layers of `human_oversight`. A text's evidence is the sum over its distinct
words by the root of how many there are. The five sums of a text are carried in one whole number, 20 bits for each, so
that a word costs one look-up and one addition.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FITTED = Path(__file__).with_name("wording.json")
FEWEST = 4
"""A text of fewer distinct words counts as one of so many."""
LIMIT = 127
"""The largest weight of a word, in grains."""
_BITS = 20
_MASK = (1 << _BITS) - 1
_HALF = 1 << (_BITS - 1)


@dataclass(frozen=True, slots=True)
class Side:
    """The words of requests, or of answers, with their weights."""

    packed: dict[str, int]
    known: frozenset[str]
    grain: float
    categories: int

    def evidence(self, words: Set[str]) -> tuple[float, ...]:
        """For each category, in log-odds."""
        total = sum(map(self.packed.__getitem__, words & self.known))
        if not total:
            return (0.0,) * self.categories
        scale = self.grain / math.sqrt(max(FEWEST, len(words)))
        return tuple(grains * scale for grains in _unpacked(total, self.categories))

    def telling(self, words: Set[str], category: int, most: int) -> list[str]:
        """The words that say most for a category, the strongest first."""
        weights = {word: _unpacked(self.packed[word], self.categories)[category] for word in words & self.known}
        found = sorted((word for word in weights if weights[word] > 0), key=lambda word: (-weights[word], word))
        return found[:most]


@dataclass(frozen=True, slots=True)
class Wording:
    """The content of `wording.json`, ready to use, by category. `upward` are the weights of `layers` but for the
    damping, in their order."""

    asked: Side
    said: Side
    layers: dict[str, dict[str, float]]
    upward: dict[str, tuple[float, ...]]
    bias: dict[str, float]


@cache
def wording() -> Wording:
    """Read once in a process."""
    return read(json.loads(FITTED.read_text(encoding="utf-8")))


def read(told: dict[str, Any]) -> Wording:
    """What `wording.json` holds."""
    count = len(told["bias"])
    sides = {}
    for name in ("asked", "said"):
        packed = _packed(told[name]["words"].split(), told[name]["weights"], count)
        sides[name] = Side(packed, frozenset(packed), told[name]["grain"], count)
    upward = {
        name: tuple(weight for term, weight in layers.items() if term != "damping")
        for name, layers in told["layers"].items()
    }
    return Wording(sides["asked"], sides["said"], told["layers"], upward, told["bias"])


def _packed(words: list[str], weights: str, count: int) -> dict[str, int]:
    """One whole number for each word; a weight is a signed byte."""
    written = base64.b64decode(weights)
    return {
        word: sum(
            (byte - 256 if byte > LIMIT else byte) << (_BITS * place)
            for place, byte in enumerate(written[number * count : (number + 1) * count])
        )
        for number, word in enumerate(words)
    }


def _unpacked(total: int, count: int) -> list[int]:
    """The signed sums that a whole number carries, lowest bits first."""
    sums = []
    for _ in range(count):
        part = ((total + _HALF) & _MASK) - _HALF
        sums.append(part)
        total = (total - part) >> _BITS
    return sums
