"""The four severities, worst first, with the descriptions that reviewers read."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad it may be; it decides the deadline and the place in the queue."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical to 3 for low: the sort key of the queue."""
        return list(Severity).index(self)

    @property
    def description(self) -> str:
        return _DESCRIPTIONS[self]

    def at_least(self, other: Severity) -> bool:
        return self.rank <= other.rank


_DESCRIPTIONS = {
    Severity.CRITICAL: "Immediate safety or compliance risk",
    Severity.HIGH: "Significant policy violation",
    Severity.MEDIUM: "Moderate concern requiring review",
    Severity.LOW: "Informational review, no immediate risk",
}
