"""What settings can ask about a case when it opens: which rule and which targets are for it."""

from __future__ import annotations

from dataclasses import dataclass

from escalations.severity import Severity


@dataclass(frozen=True, slots=True)
class Facts:
    """`policy_rule` names the policy that fired and `reason_code` what it found. `team` is the consumer's own.

    `requester` is the login of the person behind the request: a route to them is passed over. `score` is how sure the
    policy was, in thousandths, None where nobody said.
    """

    policy_rule: str
    reason_code: str
    severity: Severity
    team: str | None = None
    consumer_group: str | None = None
    requester: str | None = None
    consumer: str | None = None
    provider: str | None = None
    model: str | None = None
    score: int | None = None

    @property
    def policy_names(self) -> frozenset[str]:
        """The policy, what it found, and both joined by a dot: each may stand in settings."""
        return frozenset({self.policy_rule, self.reason_code, f"{self.policy_rule}.{self.reason_code}"})
