"""What a benchmark must reach, and whether it did: one line each, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`unsound` says why nothing can be concluded from the figure."""

    line: str
    met: bool
    unsound: str | None = None


def at_least(what: str, found: float, floor: float, unit: str) -> Check:
    return Check(f"{what}: {found} {unit}, at least {floor} {unit}", found >= floor)


def at_most(what: str, found: float, ceiling: float, unit: str) -> Check:
    return Check(f"{what}: {found} {unit}, at most {ceiling} {unit}", found <= ceiling)


def tell(checks: Sequence[Check]) -> int:
    """Print each; the exit code is 1 when one was missed."""
    for check in checks:
        verdict = f"NOT MEASURED ({check.unsound})" if check.unsound else "met" if check.met else "MISSED"
        print(f"{verdict:8} {check.line}")
    return 0 if all(check.met or check.unsound for check in checks) else 1
