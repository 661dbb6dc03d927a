"""The clock of a case: its terms, fixed when it opens, and the instants that follow from them.

Definitions: the deadline is creation plus target; a case turns amber when half (a setting) of its target remains;
a breach happens at the deadline, is recorded once and stays even if the case is resolved later; reassignment,
escalating further and unclaiming neither stop nor reset the clock. A case resolved exactly at its deadline met it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from escalations.severity import Severity

DEFAULT_TARGETS = {
    Severity.CRITICAL: timedelta(minutes=15),
    Severity.HIGH: timedelta(hours=1),
    Severity.MEDIUM: timedelta(hours=4),
    Severity.LOW: timedelta(hours=24),
}
DEFAULT_AMBER = 50
DEFAULT_EXPIRE_AFTER = timedelta(days=7)
DEFAULT_CLAIM_LEASE = timedelta(hours=1)


class SlaState(StrEnum):
    OK = "ok"
    AMBER = "amber"
    BREACHED = "breached"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SlaTerms:
    """What a case is held to. It keeps these however settings change later.

    `amber_at_remaining` is a percentage of the target; `claim_lease` is how long a claim lasts without a sign of
    life from its holder, None for ever; `settings_version` names the settings that the terms were read from.
    """

    target: timedelta
    amber_at_remaining: int = DEFAULT_AMBER
    expire_after: timedelta = DEFAULT_EXPIRE_AFTER
    claim_lease: timedelta | None = DEFAULT_CLAIM_LEASE
    settings_version: int = 0

    def due_at(self, created_at: datetime) -> datetime:
        return created_at + self.target

    def amber_at(self, created_at: datetime) -> datetime:
        return created_at + self.target * (100 - self.amber_at_remaining) / 100

    def expires_at(self, created_at: datetime) -> datetime:
        return created_at + self.expire_after


class AlarmKind(StrEnum):
    AMBER = "amber"
    BREACH = "breach"
    LEASE = "lease"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that time itself does to a case."""

    kind: AlarmKind
    at: datetime
