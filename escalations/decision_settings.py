"""The settings of decisions: what one must bring, and how many people it takes.

decisions:
  require_note_from: high
  categories: [false_positive, true_positive, policy_gap, other]
  undo_window: 5s
  second_review: {share: 5%, policy_rule: [human-oversight], wait: 7d}
  approvals:
  - {match: {severity: critical}, required: 2}
  - {match: {policy_rule: human-oversight.hiring}, required: 3, approvers: ["team:compliance", ana]}
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from escalations.decisions import DEFAULT_CATEGORIES
from escalations.durations import format_duration
from escalations.facts import Facts
from escalations.parts import Duration, Names, Part, Share, one_or_many
from escalations.severity import Severity

MOST_APPROVALS = 20
LONGEST_UNDO = timedelta(minutes=5)


class ApprovalMatch(Part):
    """Which cases: every criterion that is given must hold. `rule` is the name of the routing rule that won.

    `policy_rule` names a policy, what it found, or both joined by a dot.
    """

    any: Literal[True] | None = None
    policy_rule: Names | None = None
    severity: Annotated[tuple[Severity, ...], BeforeValidator(one_or_many)] | None = None
    rule: Names | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ApprovalMatch:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("a match with no criterion never says when it fires; write `any: true` for every case")
        return self

    def fits(self, facts: Facts, severity: Severity, rule: str) -> bool:
        return (
            (self.policy_rule is None or not facts.policy_names.isdisjoint(self.policy_rule))
            and (self.severity is None or severity in self.severity)
            and (self.rule is None or rule in self.rule)
        )


class ApprovalRule(Part):
    """How many different people a decision takes, the first included. The first rule that matches counts.

    `approvers` are who may confirm: logins, addresses, `team:NAME`. Without them, whoever may review the case.
    """

    match: ApprovalMatch
    required: Annotated[int, Field(ge=2, le=MOST_APPROVALS)] = 2
    approvers: Annotated[Names, Field(min_length=1, max_length=200)] | None = None


class SecondReviewSettings(Part):
    """Which share of the cases is looked at a second time, blind, by somebody else, within `wait` of its end.

    `policy_rule` names the policies, or what they find; without it, all.
    """

    share: Share
    policy_rule: Names | None = None
    wait: Duration = timedelta(days=7)

    def share_of(self, policy_rule: str, reason_code: str) -> int:
        """The share, in percent, of the cases of this policy and what it found; 0 for none."""
        names = {policy_rule, reason_code, f"{policy_rule}.{reason_code}"}
        return 0 if self.policy_rule is not None and names.isdisjoint(self.policy_rule) else self.share


class DecisionSettings(Part):
    """What a decision must bring. From `require_note_from` on, a category and a note of three words at least.

    `slack_decisions` names the policies, or what they find, whose cases may be decided in Slack.
    For `undo_window` a decision can be undone, and nothing leaves. A request that was blocked is blocked again for
    `sticky_rejection`; with `follow_leader` one that waits already is decided once.
    """

    categories: tuple[str, ...] = DEFAULT_CATEGORIES
    require_note_from: Severity | None = None
    slack_decisions: Names = ()
    approvals: tuple[ApprovalRule, ...] = ()
    follow_leader: bool = False
    sticky_rejection: Duration | None = None
    second_review: SecondReviewSettings | None = None
    undo_window: Annotated[Duration | None, Field(description="0 or off: a decision counts at once")] = None

    @field_validator("undo_window", "sticky_rejection", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value in (0, "0", "0s", "off", "never", False) else value

    @field_validator("undo_window")
    @classmethod
    def _short(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value > LONGEST_UNDO:
            raise ValueError(f"the consumer waits all the while; {format_duration(LONGEST_UNDO)} at most")
        return value

    @field_validator("categories")
    @classmethod
    def _has_other(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        if "other" not in categories:
            raise ValueError("the list must hold 'other', which is the default")
        return categories

    def in_slack(self, facts: Facts) -> bool:
        """Whether a case of this kind may be decided in Slack."""
        return not facts.policy_names.isdisjoint(self.slack_decisions)
