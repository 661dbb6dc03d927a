"""How often a consumer's answers are escalated, against what is usual for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from policies.findings import VERDICTS, Finding
from policies.rate_options import RateAnomaly

POLICY = "rate-anomaly"
VERSION = "rate-anomaly/1"


@dataclass(frozen=True, slots=True)
class Rate:
    """Escalations of one consumer: `recent` within the window, `before` within the baseline, which ends where that
    begins."""

    recent: int = 0
    before: int = 0


class Rates(Protocol):
    """Knows the counts, without a look at any store."""

    def want(self, window: timedelta, baseline: timedelta) -> None:
        """That these are going to be asked for."""

    def of(self, consumer: str, window: timedelta, baseline: timedelta) -> Rate | None:
        """The counts of a consumer; None where nobody knows them."""


def usual(rate: Rate, options: RateAnomaly) -> float:
    """What the baseline comes to in one window. A consumer without a past has none: `at_least` alone speaks for it."""
    return rate.before * (options.window / options.baseline)


def judge(rate: Rate | None, options: RateAnomaly) -> Finding | None:
    """What there is to say of a consumer; None where nothing is unusual."""
    if rate is None:
        return _finding(options, options.on_unknown, "rate_unknown", 1000)
    normal = usual(rate, options)
    if rate.recent < options.at_least or rate.recent <= options.factor * normal:
        return None
    # 0 at the limit, 1 as the limit becomes small beside what came.
    score = 1 - max(options.factor * normal, options.at_least - 1) / rate.recent
    return _finding(
        options, options.action, "above_usual", round(score * 1000), {"recent": rate.recent, "usual": math.ceil(normal)}
    )


def _finding(
    options: RateAnomaly, action: str, reason: str, score: int, counts: dict[str, int] | None = None
) -> Finding:
    return Finding(
        policy=POLICY,
        stage="input",
        verdict=VERDICTS[action],
        action=action,
        reason_code=reason,
        detector=VERSION,
        score=score,
        severity=options.severity,
        layers=counts or {},
    )
