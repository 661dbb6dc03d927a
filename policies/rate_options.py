"""The options of `rate-anomaly`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from escalations.parts import Duration
from escalations.severity import Severity
from policies.faults import Misplaced
from policies.governed import Governed


class RateAnomaly(Governed):
    """A consumer whose answers were escalated more often within `window` than is usual for it.

    Usual is what `baseline`, the time before that window, comes to per window. More than `factor` times as many, and
    `at_least` so many, are an anomaly. Its own escalations do not count. `on_unknown`: what becomes of requests while
    the counts are not known.
    """

    window: Duration = timedelta(hours=1)
    baseline: Duration = timedelta(days=7)
    factor: Annotated[float, Field(gt=1, le=1000)] = 3.0
    at_least: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    action: Literal["escalate", "block", "log"] = "escalate"
    on_unknown: Literal["escalate", "block", "log"] = "escalate"
    severity: Severity = Severity.LOW

    @model_validator(mode="after")
    def _can_be_compared(self) -> RateAnomaly:
        if self.window < timedelta(minutes=1):
            raise Misplaced("a window has a minute at least: counts are a few seconds old", "KT108", ("window",))
        if self.baseline < 2 * self.window:
            raise Misplaced("the baseline is to be twice as long as the window, or longer", "KT108", ("baseline",))
        if self.baseline > timedelta(days=90):
            raise Misplaced("a baseline has 90 days at most", "KT108", ("baseline",))
        return self
