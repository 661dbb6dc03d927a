"""How much the words of a request and of its answer sound like a decision of each category, as learned from examples.

`wording.json` is fitted by `bench.fitting` on the development sources: words with one weight for each category, asked
and said apart, and how they add up with the layers of `human_oversight`. A text's evidence is the sum over its distinct
words by the root of how many there are. The five sums of a text are carried in one whole number, 32 bits for each, so
that a word costs one look-up and one addition.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cache
from heapq import nsmallest
from pathlib import Path
from typing import Any

FITTED = Path(__file__).with_name("wording.json")
FEWEST = 4
"""A text of fewer distinct words counts as one of so many."""
LIMIT = 127
"""The largest weight of a word, in grains."""
_BITS = 32
_HALF = 1 << (_BITS - 1)
_MASK = (1 << _BITS) - 1


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
        return tuple([grains * scale for grains in unpacked(total, self.categories)])

    def telling(self, words: Set[str], category: int, most: int) -> list[str]:
        """The words that say most for a category, the strongest first."""
        weights = {word: unpacked_one(self.packed[word], category) for word in words & self.known}
        found = ((-weight, word) for word, weight in weights.items() if weight > 0)
        return [word for _, word in nsmallest(most, found)]


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
        word: packed(byte - 256 if byte > LIMIT else byte for byte in written[number * count : (number + 1) * count])
        for number, word in enumerate(words)
    }


def packed(numbers: Iterable[int]) -> int:
    """Signed numbers as one, the first in the lowest bits; of such, sums are sums of each."""
    return sum(number << (_BITS * place) for place, number in enumerate(numbers))


def unpacked(total: int, count: int) -> list[int]:
    """The signed sums that a whole number carries, lowest bits first."""
    lifted, layout = _lifted(count)
    # Lifted, none of them borrows from the next.
    return [number - _HALF for number in layout.unpack((total + lifted).to_bytes(layout.size, "little"))]


def unpacked_one(total: int, place: int) -> int:
    """One of those sums."""
    below = (total & ((1 << (_BITS * place)) - 1)) >> (_BITS * place - 1) if place else 0
    part = (total >> (_BITS * place)) + below
    return ((part + _HALF) & _MASK) - _HALF


@cache
def _lifted(count: int) -> tuple[int, struct.Struct]:
    return packed([_HALF] * count), struct.Struct(f"<{count}I")
