"""What a reviewer can decide, in the words that the product accepts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from escalations.errors import Invalid

DEFAULT_CATEGORIES = ("false_positive", "true_positive", "policy_gap", "other")
DEFAULT_CATEGORY = "other"
SHORTEST_NOTE = 3
"""Words that a demanded note must have."""


class Resolution(StrEnum):
    """The three ends that a reviewer can give a case. Escalating further resolves nothing."""

    ALLOW = "allow"
    BLOCK = "block"
    REDACT_AND_ALLOW = "redact_and_allow"

    @property
    def releases(self) -> bool:
        """Whether the consumer receives an answer."""
        return self is not Resolution.BLOCK


_ALIASES = {
    "allow": Resolution.ALLOW,
    "allowed": Resolution.ALLOW,
    "approve": Resolution.ALLOW,
    "approved": Resolution.ALLOW,
    "block": Resolution.BLOCK,
    "blocked": Resolution.BLOCK,
    "reject": Resolution.BLOCK,
    "rejected": Resolution.BLOCK,
    "redact": Resolution.REDACT_AND_ALLOW,
    "redacted": Resolution.REDACT_AND_ALLOW,
    "redact_and_allow": Resolution.REDACT_AND_ALLOW,
}


def parse_resolution(word: str) -> Resolution:
    """The resolution that a word means; `approved`, `blocked` and `rejected` are accepted. Raises Invalid."""
    found = _ALIASES.get(word.strip().lower().replace("-", "_").replace(" ", "_"))
    if found is None:
        raise Invalid(
            f"{word!r} is not a resolution; use allow (approved), block (blocked, rejected) or redact_and_allow"
            " (to hand the case on, use escalate)",
            field="resolution",
        )
    return found


class FollowUpKind(StrEnum):
    POLICY_TUNING = "policy_tuning"
    EVIDENCE_EXPORT = "evidence_export"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Redaction:
    """One stretch of the held answer to strip.

    `path` is a JSON Pointer (RFC 6901) to a string in the held completion, `start` and `end` are Unicode code
    points in that string, `label` is what is shown in its place (`[LABEL]`).
    """

    path: str
    start: int
    end: int
    label: str = "REDACTED"
