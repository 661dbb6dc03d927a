"""What an answer means, where its words leave a doubt: a layer over `human_oversight`, and over `prompt_injection`.

It runs a sentence encoder, which takes a thousand times as long as the words do, and therefore only in the grey band:
where the words come near a category and do not settle it. The encoder's directions and the weights with which all
layers add up to one score are in `semantic.json`, fitted by `bench.fitting` on development sources alone.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from policies.detectors import encoder, human_oversight
from policies.detectors.encoder import NotInstalled, check_installed
from policies.detectors.human_oversight import Score

__all__ = ["VERSION", "Fitted", "NotInstalled", "added", "check_installed", "fitted", "is_doubtful", "reaches", "read"]

VERSION = "semantic/6"
FITTED = Path(__file__).with_name("semantic.json")
CERTAIN = 0.97
"""From this score on the words alone are sure."""
LEAST_DOUBTED = 0.02
"""No score below it, with nothing yet that speaks against it, is near enough to be doubted."""
TERMS = (
    "words",
    "damping",
    "request_beside",
    "answer_beside",
    "request_alone",
    "answer_alone",
    "only_request",
    "only_answer",
)
_GRAIN = 0.0005
_MOST = math.log((1 - _GRAIN) / _GRAIN)


def added(words: float, reached: float, asked: float | None, said: float | None) -> dict[str, float]:
    """What adds up. `words` is the log-odds of the words' score and `reached` what they were before anything spoke
    against it; `asked` and `said` are the encoder's of request and answer, None for one that is empty."""
    both = asked is not None and said is not None
    values = (
        reached,
        min(0.0, max(-_MOST, min(_MOST, words)) - reached),
        asked if both else 0.0,
        said if both else 0.0,
        0.0 if both else asked,
        0.0 if both else said,
        float(said is None),
        float(asked is None),
    )
    return {name: value or 0.0 for name, value in zip(TERMS, values, strict=True)}


@cache
def _told() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(FITTED.read_text())
    return told


def reaches() -> dict[str, float]:
    """The log-odds from which on a category's words are doubted, before anything speaks against them."""
    limits: dict[str, float] = _told()["reaches"]
    return limits


def is_doubtful(score: Score) -> bool:
    """Whether a category's score is in the grey band, so that it is worth a second look."""
    if score.score >= CERTAIN:
        return False
    limit = reaches().get(score.category)
    return score.score > 0 if limit is None else score.reached >= limit


@dataclass(frozen=True, slots=True)
class Fitted:
    """The content of `semantic.json`, ready to use."""

    bias: dict[str, float]
    weights: dict[str, float]
    biases: dict[str, float]
    directions: dict[str, dict[str, Any]]
    reaches: dict[str, float]

    def look(self, score: Score, asked: str, said: str, examples: tuple[str, ...] = ()) -> Score:
        """The score with this layer in it, which lowers none of a text that the encoder does not read to its end.

        `examples` describe a category of the user's own.
        Raises NotInstalled, and whatever a damaged file of weights raises.
        """
        if score.category not in self.bias:
            return _like_examples(score, asked, said, examples)
        sides = {"request": asked, "answer": said}
        odds = {side: self._odds(score.category, side, text) if text.strip() else None for side, text in sides.items()}
        values = added(_log_odds(score.score), score.reached, odds["request"], odds["answer"])
        total = self.total(score.category, values)
        meant = {f"meaning_{side}": _share(value) for side, value in odds.items() if value is not None}
        sure = _share(total)
        if sure < score.score and any(map(_is_cut, (asked, said))):
            sure = score.score
        return replace(score, score=sure, layers={**score.layers, "words": score.score, **meant})

    def total(self, category: str, values: dict[str, float]) -> float:
        """The log-odds with everything added up."""
        return self.bias[category] + sum(self.weights[name] * value for name, value in values.items())

    def _odds(self, category: str, side: str, text: str) -> float:
        return float(_vector(human_oversight.in_english(text)) @ self.directions[side][category]) + self.biases[side]


@cache
def fitted() -> Fitted:
    """Read once in a process. Needs numpy. Raises NotInstalled."""
    check_installed()
    return read(_told())


def read(told: dict[str, Any]) -> Fitted:
    """What `semantic.json` holds."""
    import numpy as np

    directions = {
        side: {
            category: np.frombuffer(base64.b64decode(written), "<f2").astype(np.float32)
            for category, written in told[side]["directions"].items()
        }
        for side in ("request", "answer")
    }
    biases = {side: told[side]["bias"] for side in directions}
    return Fitted(told["bias"], told["weights"], biases, directions, told["reaches"])


def _is_cut(text: str) -> bool:
    """Whether the encoder, which knows English, reads less than all of a text."""
    return human_oversight.in_english(text) != text or encoder.encoder().is_cut(text)


_ALIKE = 0.55
"""The cosine at which a sentence is as likely as not a paraphrase of an example."""
_STEEPNESS = 14.0
_SENTENCES = 4


def _like_examples(score: Score, asked: str, said: str, examples: tuple[str, ...]) -> Score:
    """A category of the user's own: as sure as the nearest sentence is a paraphrase of an example, or as the words."""
    texts = [text for text in (asked, said, *_sentences(said)) if text.strip()]
    if not examples or not texts:
        return score
    nearest = max(float((_examples(examples) @ _vector(text)).max()) for text in texts)
    meant = 1 / (1 + math.exp(-_STEEPNESS * (nearest - _ALIKE)))
    sure = round(1 - (1 - score.score) * (1 - meant), 3)
    return replace(score, score=sure, layers={**score.layers, "words": score.score, "meaning": round(meant, 3)})


def _sentences(text: str) -> Sequence[str]:
    """The first few sentences, where there is more than one."""
    found = [part.strip() for part in text.replace("\n", ". ").split(". ", _SENTENCES) if part.strip()]
    return found[:_SENTENCES] if len(found) > 1 else ()


@lru_cache(64)
def _vector(text: str) -> Any:
    return encoder.encoder().encode([text])[0]


@lru_cache(64)
def _examples(examples: tuple[str, ...]) -> Any:
    return encoder.encoder().encode(examples)


def _log_odds(share: float) -> float:
    held = min(1 - _GRAIN, max(_GRAIN, share))
    return math.log(held / (1 - held))


def _share(log_odds: float) -> float:
    return round(1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds)))), 3)
