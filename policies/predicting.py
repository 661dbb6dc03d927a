"""How many cases a configuration would let breach: what it would hold, through the clocks of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from escalations.facts import Facts
from escalations.settings import EscalationSettings
from escalations.simulator import Arrival, Played, play
from escalations.terms import Frozen, terms_of
from policies.backtesting import Backtest, Held, Record

USUAL_HANDLING_S = 600.0
"""For one case, where nobody's time is known."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Breaches of what was held and of what would be, by so many reviewers who need so long for a case."""

    reviewers: int
    handling_s: float
    before: Played
    after: Played

    def shown(self) -> dict[str, Any]:
        return {
            "reviewers": self.reviewers,
            "handling_seconds": round(self.handling_s),
            "before": _shown(self.before),
            "after": _shown(self.after),
        }


def predict(result: Backtest, settings: EscalationSettings, reviewers: int | None = None) -> Prediction:
    """Both sides are played, so that they are alike: what really happened also had weekends and other work in it.

    Without a number of reviewers it is as many people as decided in that time.
    """
    times = [held.record.handled_s for held in result.held_before if held.record.handled_s is not None]
    usual = median(times) if times else USUAL_HANDLING_S
    people = reviewers or max(1, len({held.record.reviewer for held in result.held_before if held.record.reviewer}))
    return Prediction(
        people,
        usual,
        play(_arrivals(result.held_before, settings, usual), people),
        play(_arrivals(result.held_after, settings, usual), people),
    )


def _arrivals(held: Sequence[Held], settings: EscalationSettings, usual: float) -> list[Arrival]:
    frozen: Frozen = {}
    return [
        Arrival(
            one.record.name,
            one.record.at,
            one.severity,
            terms_of(settings, 0, _facts(one), one.record.at, frozen),
            timedelta(seconds=one.record.handled_s if one.record.handled_s is not None else usual),
        )
        for one in held
        if one.record.at is not None
    ]


def _facts(held: Held) -> Facts:
    policy, _, reason = (min(held.rules) if held.rules else "").partition(".")
    record: Record = held.record
    return Facts(policy, reason, held.severity, record.team, record.group)


def _shown(played: Played) -> dict[str, Any]:
    return {
        "cases": played.cases,
        "breached": len(played.breached),
        "by_severity": {
            severity.value: {"cases": total, "breached": missed}
            for severity, (missed, total) in sorted(played.by_severity.items(), key=lambda item: item[0].rank)
        },
    }
