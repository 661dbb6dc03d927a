"""Scores that the words leave in doubt, until something slower has looked at them.

A policy that has a second look puts what it doubts here and not among its findings. The encoder may be run wherever
its time does no harm; a judge is asked by whoever may call out. `findings` are then what the policy would have found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from policies.detectors import prompt_injection, semantic
from policies.detectors.human_oversight import Score
from policies.findings import Finding, Screened
from policies.second_looks import Judge, OnError, Semantic

LONGEST = 12_000
"""Characters of a text that a judge is given."""
_MOST = 0.98
"""How sure a judge is at most taken to be."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One score and the texts that it was given for."""

    score: Score
    asked: str
    said: str

    @property
    def shortened(self) -> bool:
        """Whether a judge is given only parts of them."""
        return max(len(self.asked), len(self.said)) > LONGEST


@dataclass(frozen=True, slots=True)
class Pending:
    """What one policy has to look at again. `settled` are the scores that need no second look.

    `finding` is what follows from the best score of a category; `examples` are those of the user's own categories.
    """

    policy: str
    stage: str
    semantic: Semantic
    judge: Judge | None
    on_judge_error: OnError
    settled: tuple[Score, ...]
    doubts: tuple[Doubt, ...]
    finding: Callable[[Score], Finding | None]
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    acts: bool = True
    config: str | None = None

    def with_meaning(self) -> Pending:
        """The same with the encoder's word in every score. Slow. Raises NotInstalled."""
        if not self.semantic.enabled or not self.doubts:
            return self
        fitted = semantic.fitted()
        looked = tuple(
            replace(one, score=fitted.look(one.score, one.asked, one.said, self.examples.get(one.score.category, ())))
            for one in self.doubts
        )
        return replace(self, doubts=looked)

    @property
    def unsure(self) -> tuple[Doubt, ...]:
        """What a judge is to be asked about."""
        if self.judge is None:
            return ()
        low, high = self.judge.between
        return tuple(one for one in self.doubts if low <= one.score.score <= high)

    def judged(self, doubt: Doubt, certainty: float) -> Pending:
        """The same with a judge's certainty, 0 to 1, that the category applies; evidence beside the other layers.

        Of a text that it did not read whole it lowers no score: what it was not given may be what matters.
        """
        said = min(_MOST, max(1 - _MOST, certainty))
        before = min(0.999, max(0.001, doubt.score.score))
        odds = math.log(before / (1 - before)) + math.log(said / (1 - said))
        layers = {**doubt.score.layers, "before_judge": doubt.score.score, "judge": round(certainty, 3)}
        sure = round(1 / (1 + math.exp(-odds)), 3)
        score = replace(doubt.score, score=max(sure, doubt.score.score) if doubt.shortened else sure, layers=layers)
        return replace(self, doubts=tuple(replace(one, score=score) if one is doubt else one for one in self.doubts))

    def best(self) -> dict[str, Score]:
        """The highest score of each category."""
        best: dict[str, Score] = {}
        for score in (*self.settled, *(one.score for one in self.doubts)):
            if score.category not in best or score.score > best[score.category].score:
                best[score.category] = score
        return best

    def findings(self) -> tuple[Finding, ...]:
        """What follows, as far as it has been looked at."""
        found = [self.finding(score) for score in self.best().values()]
        return tuple(self.shaded(one) for one in found if one is not None)

    def shaded(self, finding: Finding) -> Finding:
        """The finding as it counts: only looked at where the policy does not act."""
        return finding if self.acts else finding.in_shadow(self.config)


def settle(screened: Screened) -> Screened:
    """Everything looked at again, here and now, but by no judge. Slow. Raises NotInstalled."""
    pending = [one.with_meaning() for one in screened.pending]
    return replace(screened, pending=()).adding(*(finding for one in pending for finding in one.findings()))


def suspicious(text: str) -> bool:
    """Whether a text tries to give orders to whoever reads it, so that no judge's word on it can be trusted."""
    return bool(prompt_injection.find("", text))


def detector_of(version: str, score: Score) -> str:
    """The versions of everything that had a part in a score."""
    parts = [version]
    if any(name.startswith("meaning") for name in score.layers):
        parts.append(semantic.VERSION)
    if "judge" in score.layers:
        parts.append("judge")
    return "+".join(parts)
