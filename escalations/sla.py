"""The clock of a case: its terms, fixed when it opens, and the instants that follow from them.

Definitions: the deadline is creation plus target, in open time outside pauses (of a critical case
every hour counts, unless settings say otherwise); a case turns amber when half (a
setting) of its target remains; a breach happens at the deadline, is recorded once and stays even if the case is
resolved later; reassignment, escalating further and unclaiming neither stop nor reset the clock. A case resolved
exactly at its deadline met it. Expiry counts every hour of the wall clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from escalations.severity import Severity
from escalations.windows import ALWAYS, OpenTime, Window

DEFAULT_TARGETS = {
    Severity.CRITICAL: timedelta(minutes=15),
    Severity.HIGH: timedelta(hours=1),
    Severity.MEDIUM: timedelta(hours=4),
    Severity.LOW: timedelta(hours=24),
}
DEFAULT_AMBER = 50
DEFAULT_REMINDERS = (50, 10)
DEFAULT_EXPIRE_AFTER = timedelta(days=7)
DEFAULT_CLAIM_LEASE = timedelta(hours=1)
SHORTEST_LEASE = timedelta(minutes=1)
"""Of claims whose lease follows the target. Where targets are seconds, so that a clock can be watched, people are as
slow as ever."""
LEASE_WARNING = 80
"""Percent of a claim's lease that are gone when its holder is warned."""


class SlaState(StrEnum):
    OK = "ok"
    AMBER = "amber"
    BREACHED = "breached"
    PAUSED = "paused"


Targets = tuple[Severity, timedelta, timedelta | None]
"""What a severity is held to: the target of its decision, and that of its first claim, None where there is none."""


@dataclass(frozen=True, slots=True)
class SlaTerms:
    """What a case is held to. It keeps these however settings change later.

    `amber_at_remaining` is a percentage of the target; `claim_lease` is how long a claim lasts without a sign of
    life from its holder, None for ever; `lease_within_target` says that it is no longer than the target (or a minute),
    whatever the severity becomes; `settings_version` names the settings that the terms were read from.

    `open_time` is the calendar as frozen at opening, None for around the clock. `claim_target` is until when somebody
    should have claimed it. Reminders come when `notify_at_remaining` percent of the target remain, in falling order.
    `max_pause` is how long all pauses together may last, None for no pause at all. `by_severity` holds the targets of
    every severity, for when it changes. No deadline is later than `due_no_later_than`. The holder is warned when
    `warn_at_lease` percent of the lease are gone without a sign of life, None for never. Of the severities in
    `every_hour_for` the hours that the calendar is closed count too; `every_hour` says that they do for this case, as
    severe as it is or once was.
    """

    target: timedelta
    amber_at_remaining: int = DEFAULT_AMBER
    expire_after: timedelta = DEFAULT_EXPIRE_AFTER
    claim_lease: timedelta | None = DEFAULT_CLAIM_LEASE
    settings_version: int = 0
    open_time: OpenTime | None = None
    claim_target: timedelta | None = None
    notify_at_remaining: tuple[int, ...] = ()
    max_pause: timedelta | None = None
    by_severity: tuple[Targets, ...] = ()
    due_no_later_than: datetime | None = None
    warn_at_lease: int | None = None
    lease_within_target: bool = False
    every_hour_for: tuple[Severity, ...] = ()
    every_hour: bool = False

    @property
    def lease(self) -> timedelta | None:
        """How long a claim lasts without a sign of life from its holder; None for ever."""
        if self.claim_lease is None or not self.lease_within_target:
            return self.claim_lease
        return min(self.claim_lease, max(self.target, SHORTEST_LEASE))

    @property
    def calendar(self) -> OpenTime | None:
        """The calendar whose open time alone counts; None where every hour does."""
        return None if self.every_hour else self.open_time

    @property
    def set_aside(self) -> str | None:
        """The calendar that it has and that does not count for it."""
        return self.open_time.calendar if self.every_hour and self.open_time is not None else None

    @property
    def counted(self) -> OpenTime:
        """The time that counts."""
        return self.calendar or ALWAYS

    def due_at(self, created_at: datetime, pauses: Sequence[Window] = ()) -> datetime:
        due = self.counted.add(created_at, self.target, pauses)
        return due if self.due_no_later_than is None else min(due, self.due_no_later_than)

    def at_remaining(self, percent: int, created_at: datetime, pauses: Sequence[Window] = ()) -> datetime:
        """When so much of the target remains; the deadline itself where another one comes before that."""
        at = self.counted.add(created_at, self.target * (100 - percent) / 100, pauses)
        return min(at, self.due_at(created_at, pauses))

    def amber_at(self, created_at: datetime, pauses: Sequence[Window] = ()) -> datetime:
        return self.at_remaining(self.amber_at_remaining, created_at, pauses)

    def claim_due_at(self, created_at: datetime, pauses: Sequence[Window] = ()) -> datetime | None:
        """Until when somebody should have claimed it; None where that is not asked for."""
        return None if self.claim_target is None else self.counted.add(created_at, self.claim_target, pauses)

    def expires_at(self, created_at: datetime) -> datetime:
        return created_at + self.expire_after


class AlarmKind(StrEnum):
    """In the order in which alarms of one instant ring."""

    RELEASE = "release"
    RESUME = "resume"
    AMBER = "amber"
    REMIND = "remind"
    CLAIM_DUE = "claim_due"
    ACK = "ack"
    BREACH = "breach"
    LEASE_WARNING = "lease_warning"
    LEASE = "lease"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that time itself does to a case."""

    kind: AlarmKind
    at: datetime
