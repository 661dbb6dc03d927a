"""What a configuration would have made of what happened, held against what people decided.

A record with its content is tried anew, but for what no content shows: what an application demanded, a detector of
one's own, a rate, personal data that the reader sees only as stars. That is judged by what was recorded. A record
without content, of a request that passed and of which nothing but names and scores was kept, is judged by its recorded
scores; where it has none, nothing can be said, and it is counted as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from escalations.severity import Severity
from policies.chain import Chain, Verdict
from policies.config import PolicyConfig
from policies.findings import VERDICTS
from policies.options import HumanOversight, PromptInjection
from policies.rates import POLICY as RATES
from policies.trying import try_out

_SEVERITIES = frozenset(severity.value for severity in Severity)
PROVED_RIGHT = frozenset({"block", "redact_and_allow"})
"""Resolutions after which nobody would have wanted the answer to leave as it was."""


@dataclass(frozen=True, slots=True)
class Record:
    """One governed request. `findings` are the event's; `answer` is None where the content is not there.

    `resolution` and `category` are what a person, the `reviewer`, decided; `handled_s` is how long they had it.
    `masked`: personal data in the content is stars. `at` is when it came, `team` the consumer's.
    """

    event_id: str
    verdict: str
    findings: tuple[dict[str, Any], ...] = ()
    escalation_id: str | None = None
    group: str | None = None
    request: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    resolution: str | None = None
    category: str | None = None
    handled_s: float | None = None
    reviewer: str | None = None
    at: datetime | None = None
    team: str | None = None
    masked: bool = False

    @property
    def name(self) -> str:
        """The case's id, or the event's where there is none."""
        return self.escalation_id or self.event_id

    @property
    def severity(self) -> Severity:
        """The highest of what held it."""
        return _highest(one for one in self.findings if one.get("verdict") == Verdict.ESCALATED)

    @property
    def rules(self) -> frozenset[str]:
        """The rules that held it, as `policy.reason`."""
        return frozenset(
            f"{one['policy']}.{one['reason_code']}" for one in self.findings if one.get("verdict") == Verdict.ESCALATED
        )

    @property
    def right(self) -> bool | None:
        """Whether holding it was right; None where nobody decided."""
        return None if self.resolution is None else self.resolution in PROVED_RIGHT


@dataclass(frozen=True, slots=True)
class Held:
    """A record that is held: by which rules, and how severe it is."""

    record: Record
    rules: frozenset[str]
    severity: Severity


@dataclass(slots=True)
class RuleScore:
    """What one rule holds before and after, and how often people agreed."""

    before: int = 0
    after: int = 0
    right_before: int = 0
    right_after: int = 0
    decided_after: int = 0
    kept: int = 0

    @property
    def precision(self) -> float | None:
        """Of what it holds after and people decided, the share that was right to hold."""
        return self.right_after / self.decided_after if self.decided_after else None

    @property
    def recall(self) -> float | None:
        """Of what was right to hold, the share that it still holds."""
        return self.kept / self.right_before if self.right_before else None

    def shown(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "after": self.after,
            "decided": self.decided_after,
            "precision": None if self.precision is None else round(self.precision, 3),
            "recall": None if self.recall is None else round(self.recall, 3),
        }


@dataclass(slots=True)
class Backtest:
    """`missed` are cases that people blocked or redacted and that would have left unseen. Ids are those of cases where
    there is one, else of events."""

    looked_at: int = 0
    with_content: int = 0
    unknown: int = 0
    before: int = 0
    after: int = 0
    newly_escalated: list[str] = field(default_factory=list)
    no_longer: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    saved_s: float = 0.0
    held_before: list[Held] = field(default_factory=list)
    held_after: list[Held] = field(default_factory=list)
    rules: dict[str, RuleScore] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        return {
            "looked_at": self.looked_at,
            "with_content": self.with_content,
            "unknown": self.unknown,
            "escalations": {"before": self.before, "after": self.after},
            "newly_escalated": self.newly_escalated,
            "no_longer_escalated": self.no_longer,
            "missed_blocks": self.missed,
            "no_longer_and_undecided": self.undecided,
            "reviewer_hours_saved": round(self.saved_s / 3600, 2),
            "rules": {name: score.shown() for name, score in sorted(self.rules.items())},
        }


def backtest(config: PolicyConfig, records: Iterable[Record]) -> Backtest:
    """Play the records through a configuration."""
    result = Backtest()
    chains: dict[str | None, tuple[PolicyConfig, Chain]] = {}
    for record in records:
        group = record.group if record.group in config.consumer_groups else None
        if group not in chains:
            own = config.for_group(group)
            chains[group] = own, Chain(own)
        result.looked_at += 1
        held = _would_hold(record, *chains[group])
        if held is None:
            result.unknown += 1
            continue
        result.with_content += record.answer is not None
        _count(result, record, *held)
    return result


def _count(result: Backtest, record: Record, verdict: Verdict, rules: frozenset[str], severity: Severity) -> None:
    was, will = record.verdict == Verdict.ESCALATED, verdict is Verdict.ESCALATED
    name = record.name
    result.before += was
    result.after += will
    if was:
        result.held_before.append(Held(record, record.rules, record.severity))
    if will:
        result.held_after.append(Held(record, rules, severity))
    if will and not was:
        result.newly_escalated.append(name)
    if was and not will:
        result.no_longer.append(name)
        result.saved_s += record.handled_s or 0.0
        # What is blocked outright does not leave either.
        if record.right and verdict is not Verdict.BLOCKED:
            result.missed.append(name)
        elif record.right is None:
            result.undecided.append(name)
    for rule in record.rules | rules:
        score = result.rules.setdefault(rule, RuleScore())
        before, after = rule in record.rules, rule in rules
        score.before += before
        score.after += after
        score.decided_after += after and record.right is not None
        score.right_before += before and bool(record.right)
        score.right_after += after and bool(record.right)
        score.kept += after and before and bool(record.right)


Verdicts = tuple[Verdict, frozenset[str], Severity]
"""The verdict, the rules that escalate, and the highest severity of theirs."""


def _would_hold(record: Record, config: PolicyConfig, chain: Chain) -> Verdicts | None:
    """None where nothing can be said."""
    if record.answer is not None:
        trial = try_out(chain, record.request or {}, record.answer)
        found = [finding.summary() for finding in trial.findings if finding.verdict is Verdict.ESCALATED]
        kept, holding = _by_record(config, [one for one in record.findings if _beyond_content(record, config, one)])
        return _told(max(trial.verdict, kept, key=_rank), [*found, *holding])
    if not record.findings:
        sure = record.verdict == "failed" or not _could_find(config)
        return _told(Verdict.PASSED, []) if sure else None
    return _told(*_by_record(config, record.findings))


def _by_record(config: PolicyConfig, findings: Sequence[dict[str, Any]]) -> tuple[Verdict, list[dict[str, Any]]]:
    """The verdict on recorded findings, and those of them that escalate."""
    verdict, holding = Verdict.PASSED, []
    for finding in findings:
        action = _action(config, finding)
        if action is None:
            continue
        verdict = max(verdict, VERDICTS[action], key=_rank)
        if action == "escalate":
            holding.append(finding)
    return verdict, holding


def _told(verdict: Verdict, holding: Sequence[dict[str, Any]]) -> Verdicts:
    return verdict, frozenset(f"{one['policy']}.{one['reason_code']}" for one in holding), _highest(holding)


def _beyond_content(record: Record, config: PolicyConfig, finding: dict[str, Any]) -> bool:
    """Whether trying the content anew cannot show this."""
    name = finding["policy"]
    if _demanded(finding) or name == RATES or name in config.detectors:
        return True
    return record.masked and name == "pii-detector"


def _highest(findings: Iterable[dict[str, Any]]) -> Severity:
    told = [Severity(one["severity"]) for one in findings if one.get("severity") in _SEVERITIES]
    return min(told, key=lambda severity: severity.rank, default=Severity.MEDIUM)


def _rank(verdict: Verdict) -> int:
    return verdict.rank


def _demanded(finding: dict[str, Any]) -> bool:
    return str(finding.get("detector", "")).startswith("required-by-caller/")


def _could_find(config: PolicyConfig) -> bool:
    return bool(config.escalating)


def _action(config: PolicyConfig, finding: dict[str, Any]) -> str | None:
    """What a configuration does about a recorded finding, by its score; None for nothing."""
    name, reason = str(finding["policy"]), str(finding["reason_code"])
    if _demanded(finding):
        return "escalate"
    options = config.options.get(name)
    if options is None or options.mode != "enforce":
        return None
    if isinstance(options, HumanOversight):
        named = reason in options.require_human_for
        return options.action_of(reason, int(finding.get("score", 0)) / 1000) if named else None
    if isinstance(options, PromptInjection) and int(finding.get("score", 1000)) < options.threshold * 1000:
        return None
    for said in ("response", "action", "otherwise"):
        value = getattr(options, said, None)
        if value is not None:
            return str(getattr(value, "action", value))
    return str(finding.get("action", "log"))
