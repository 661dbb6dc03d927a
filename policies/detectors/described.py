"""Categories of the user's own, described in words, phrases and examples; no model, no training.

Words say what it is about and are weak alone. Phrases decide by themselves. An example is matched by the words that it
shares with one sentence, so that a paraphrase that keeps the words is found and one that changes them is not.
"""

from __future__ import annotations

# ruff: noqa: SIM905 - lists of words read better as text
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors.words import ENDS, folded, tokens

_COMMON = frozenset(
    "a about after all also am an and any are as at be been before but by can could did do does for from had has have he"
    " her him his how i if in into is it its just may me more my no not of on one or our out shall she should so some such"
    " than that the their them then there these they this to too up us very was we were what when where which who why will"
    " with would you your please we'll i'm it's don't".split()
)
_SENTENCE_END = "."
_ALIKE = 0.55


@dataclass(frozen=True, slots=True)
class Described:
    """One category, ready to be looked for. Made by `described`."""

    name: str
    words: frozenset[str]
    phrases: Any
    examples: dict[str, tuple[int, ...]]
    sizes: tuple[int, ...]

    def evidence(self, text: str) -> tuple[dict[str, float], list[tuple[int, int]]]:
        """What each layer says of one text, from 0 to 1, and where in the normalised text the phrases stand."""
        said = folded(text)
        read = tokens(said)
        hits = len(self.words.intersection(map(_stem, set(read)))) if self.words else 0
        places = [] if self.phrases is None else [match.span() for match in self.phrases.finditer(said)][:10]
        return {
            "subject": 1 - math.pow(2, -hits),
            "phrases": 1 - math.pow(2, -1.5 * len(places)),
            "alike": self._alike(read),
        }, places

    def _alike(self, read: list[str]) -> float:
        """The largest share of an example's words that one sentence has; nothing below a half and a little."""
        best, shared, seen = 0.0, Counter[int](), set[str]()
        for word in (*read, "."):
            if word == _SENTENCE_END:
                for example, count in shared.items():
                    best = max(best, count / self.sizes[example])
                shared, seen = Counter(), set()
                continue
            stem = _stem(word)
            if stem not in seen:
                seen.add(stem)
                shared.update(self.examples.get(stem, ()))
        return best if best >= _ALIKE else 0.0


def described(
    name: str, words: tuple[str, ...] = (), phrases: tuple[str, ...] = (), examples: tuple[str, ...] = ()
) -> Described:
    """A category from its description. Raises ValueError where there is nothing to look for.

    Phrases are taken literally, in any case and with any spacing; examples need three words that are not common ones.
    """
    single = frozenset(_stem(part) for word in words for part in tokens(folded(word)) if part not in ENDS)
    sought = [r"\s+".join(map(re2.escape, folded(phrase).split())) for phrase in phrases if phrase.strip()]
    kept = [content for example in examples if len(content := _content(example)) >= 3]
    if not (single or sought or kept):
        raise ValueError(f"category {name!r} has no word, no phrase and no example of three words or more")
    index: dict[str, list[int]] = {}
    for number, content in enumerate(kept):
        for stem in content:
            index.setdefault(stem, []).append(number)
    return Described(
        name,
        single - _COMMON,
        re2.compile(r"(?:^|\W)(?:" + "|".join(sought) + r")(?:$|\W)") if sought else None,
        {stem: tuple(numbers) for stem, numbers in index.items()},
        tuple(map(len, kept)),
    )


def _content(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in tokens(folded(text)) if word not in _COMMON and word.isalnum())


def _stem(word: str) -> str:
    """A word without its commonest endings: enough for `refunds` to be `refund`, no more."""
    for ending in ("ing", "ed", "es", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word
