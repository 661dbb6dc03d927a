"""What people's decisions suggest about a policy. Nothing here is ever applied by itself.

A rule that people answered with allow and `false_positive` again and again gets a threshold above those, where the
cases that were right stand higher; or, where none was right, `log` instead of a person. Each has its backtest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from policies.backtesting import Backtest, Record, backtest
from policies.config import PolicyConfig
from policies.findings import Verdict

FALSE = "false_positive"
FEWEST = 5
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A change of one rule, as the part of the configuration that would be laid over it."""

    rule: str
    change: dict[str, Any]
    because: str
    backtest: Backtest

    def shown(self) -> dict[str, Any]:
        told = {"rule": self.rule, "change": self.change, "because": self.because}
        return {**told, "backtest": self.backtest.shown()}


def suggest_changes(config: PolicyConfig, records: Sequence[Record], *, fewest: int = FEWEST) -> list[Suggestion]:
    """A suggestion for each rule of human-oversight that people keep overruling, the most overruled first."""
    if config.policy.human_oversight is None:
        return []
    decided: dict[str, list[tuple[float, Record]]] = defaultdict(list)
    for record in records:
        for finding in record.findings:
            held = finding.get("verdict") == Verdict.ESCALATED and finding.get("policy") == "human-oversight"
            if held and record.right is not None:
                decided[str(finding["reason_code"])].append((int(finding.get("score", 1000)) / 1000, record))
    found: list[tuple[int, Suggestion]] = []
    for category, cases in decided.items():
        overruled = [score for score, record in cases if record.resolution == "allow" and record.category == FALSE]
        if len(overruled) < fewest or len(overruled) < SHARE * len(cases):
            continue
        kept = [score for score, record in cases if record.right]
        made = _change(category, overruled, kept, len(cases))
        if made is None:
            continue
        change, because = made
        found.append(
            (
                len(overruled),
                Suggestion(f"human-oversight.{category}", change, because, _tried(config, change, records)),
            )
        )
    return [suggestion for _, suggestion in sorted(found, key=lambda one: -one[0])]


def changed(config: PolicyConfig, change: dict[str, Any]) -> PolicyConfig:
    """The configuration with a change laid over it."""
    document = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return PolicyConfig.model_validate(_over(document, change))


def _change(category: str, overruled: list[float], kept: list[float], count: int) -> tuple[dict[str, Any], str] | None:
    told = f"{len(overruled)} of {count} decided cases were allowed as {FALSE}"
    if not kept:
        because = f"{told}, none was blocked or redacted: counting may be enough"
        return {"policy": {"human-oversight": {"actions": {category: "log"}}}}, because
    lowest = min(kept)
    spared = sum(score < lowest for score in overruled)
    # A little below the lowest that was right: what is as sure as that has to stay held.
    threshold = round(lowest - 0.005, 3)
    if not spared or not 0 < threshold < 1:
        return None
    because = f"{told}; every blocked or redacted one scored {lowest:.2f} or more, {spared} of those allowed less"
    return {"policy": {"human-oversight": {"thresholds": {category: threshold}}}}, because


def _tried(config: PolicyConfig, change: dict[str, Any], records: Sequence[Record]) -> Backtest:
    return backtest(changed(config, change), records)


def _over(document: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(document)
    for key, value in change.items():
        before = merged.get(key)
        merged[key] = _over(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
