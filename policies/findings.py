"""What policies find, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from escalations.severity import Severity
from policies.detectors import Span

if TYPE_CHECKING:
    from policies.doubts import Pending


class Verdict(StrEnum):
    """What the gateway is to do, mildest first."""

    PASSED = "passed"
    REDACTED = "redacted"
    ESCALATED = "escalated"
    BLOCKED = "blocked"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)


VERDICTS = {
    "block": Verdict.BLOCKED,
    "escalate": Verdict.ESCALATED,
    "redact": Verdict.REDACTED,
    "mask": Verdict.REDACTED,
    "hash": Verdict.REDACTED,
    "tokenize": Verdict.REDACTED,
    "log": Verdict.PASSED,
}
"""What each action comes to."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one policy found. `score` is its certainty in thousandths; spans are where, for those who may see text.

    A finding of a shadow has the verdict `passed`, and in `would` the one that it would have had.
    """

    policy: str
    stage: str
    verdict: Verdict
    action: str
    reason_code: str
    detector: str
    score: int = 1000
    severity: Severity = Severity.MEDIUM
    spans: tuple[Span, ...] = ()
    layers: dict[str, int] = field(default_factory=dict)
    would: Verdict | None = None
    ambiguous: bool = False
    config: str | None = None

    def summary(self) -> dict[str, Any]:
        """For the event: names, numbers and patterns, no text."""
        told: dict[str, Any] = {
            "policy": self.policy,
            "stage": self.stage,
            "verdict": self.verdict.value,
            "action": self.action,
            "reason_code": self.reason_code,
            "detector": self.detector,
            "score": self.score,
            "severity": self.severity.value,
            "layers": self.layers,
            "patterns": sorted({span.pattern for span in self.spans}),
            "matches": len(self.spans),
        }
        if self.would is not None:
            told |= {"mode": "shadow", "would": self.would.value}
        if self.config is not None:
            told["config_version"] = self.config
        if self.ambiguous:
            told["ambiguous"] = True
        return told

    def in_shadow(self, config: str | None = None) -> Finding:
        """The same, with nothing done about it. `config` is the version that looked on, where it is not the one that
        acts."""
        return replace(self, verdict=Verdict.PASSED, would=self.would or self.verdict, config=config)


@dataclass(frozen=True, slots=True)
class Screened:
    """What came out of one stage. `document` is the request or the completion, redacted where a policy did that.

    `tokens` holds what was put in place of personal data, with what it stands for: for the vault alone.
    `pending` is what must be looked at again before the findings are all there; see `policies.doubts`.
    """

    document: dict[str, Any]
    findings: tuple[Finding, ...] = ()
    tokens: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if not self.findings:  # as nearly always
            return Verdict.PASSED
        return max((finding.verdict for finding in self.findings), key=lambda v: v.rank)

    @property
    def cause(self) -> Finding | None:
        """The finding that decided the verdict: the surest of the most severe."""
        deciding = [f for f in self.findings if f.verdict is self.verdict and f.would is None]
        return min(deciding, key=lambda f: (f.severity.rank, -f.score), default=None)

    def adding(self, *findings: Finding) -> Screened:
        return replace(self, findings=(*self.findings, *findings))


def failed(policy: str, stage: str, action: str = "escalate", detector: str = "chain/1") -> Finding:
    """A policy that did not come to an end: whatever it would have found, a person has to look."""
    return Finding(policy, stage, VERDICTS[action], action, "detector_failed", detector, severity=Severity.HIGH)


def thousandths(layers: Mapping[str, float]) -> dict[str, int]:
    """Layers as a finding has them."""
    return {name: round(value * 1000) for name, value in layers.items()}
