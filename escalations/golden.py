"""Golden cases: answers whose right decision is known, sent to reviewers like any other to see how they decide.

Nobody who reviews is told which they are. They release nothing to anybody and count in no other statistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import field_validator

from escalations.decisions import Resolution
from escalations.durations import format_duration
from escalations.parts import Duration, Part
from escalations.severity import Severity

SHORTEST_INTERVAL = timedelta(seconds=1)
NOBODY = ":golden"
"""In whose name their holds are registered: no consumer's id looks like this, so none ever finds one."""


class GoldenSettings(Part):
    """One golden case is sent `every` so often, later by a random time of `jitter` at most (half of it, if not given),
    so that nobody can tell by the clock."""

    every: Duration
    jitter: Duration | None = None

    @field_validator("every")
    @classmethod
    def _long_enough(cls, value: timedelta) -> timedelta:
        if value < SHORTEST_INTERVAL:
            raise ValueError(f"golden cases are sent every {format_duration(SHORTEST_INTERVAL)} at most")
        return value

    @property
    def spread(self) -> timedelta:
        return self.every / 2 if self.jitter is None else self.jitter


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """A known answer. Its content is in the vault under its own id. `like` says whose request it looks like: consumer,
    gateway, model and what else an event has; without a consumer, like the newest case of the policy."""

    golden_id: str
    tenant: str
    policy_rule: str
    reason_code: str
    severity: Severity
    expected: Resolution
    created_at: datetime
    created_by: str
    expected_category: str | None = None
    score: int | None = None
    like: dict[str, Any] = field(default_factory=dict)
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GoldenRound:
    """One turn of sending; repeated under its id, it sends nothing twice. `golden_id` None: whichever's turn it is."""

    tenant: str
    round_id: str
    golden_id: str | None = None


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """A golden case that was sent and has ended. `resolution` None: nobody decided. `blind` is false where whoever
    decided it may look up golden cases."""

    golden: GoldenCase
    escalation_id: str
    sent_at: datetime
    ended_at: datetime
    resolution: str | None
    category: str | None
    reviewer: str | None
    blind: bool = True

    @property
    def right(self) -> bool | None:
        """Whether it was decided as it should be; None where that says nothing."""
        if self.resolution is None or not self.blind:
            return None
        wanted = self.golden.expected_category
        return self.resolution == self.golden.expected.value and wanted in (None, self.category)

    @property
    def let_through(self) -> bool:
        """Whether something left that had to be blocked."""
        return self.right is False and self.golden.expected is Resolution.BLOCK and self.resolution != Resolution.BLOCK


@dataclass(frozen=True, slots=True)
class GoldenFigures:
    """Of those that count: how many, how many of them right, and how many let through what had to be blocked."""

    count: int
    right: int
    let_through: int

    @property
    def rate(self) -> float | None:
        """None where nothing counted."""
        return self.right / self.count if self.count else None


def figures(results: Sequence[GoldenResult]) -> GoldenFigures:
    counted = [result for result in results if result.right is not None]
    return GoldenFigures(
        len(counted), sum(result.right is True for result in counted), sum(result.let_through for result in counted)
    )
