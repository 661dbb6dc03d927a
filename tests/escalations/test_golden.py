"""How the decisions of golden cases are counted, and how often they are sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from escalations.decisions import Resolution
from escalations.golden import GoldenCase, GoldenFigures, GoldenResult, GoldenSettings, figures
from escalations.severity import Severity
from tests.escalations.cases import START


def result(
    expected: str, resolution: str | None, *, category: str | None = None, wanted: str | None = None, blind: bool = True
) -> GoldenResult:
    golden = GoldenCase(
        "gold_1", "default", "human-oversight", "legal", Severity.HIGH, Resolution(expected), START, "root", wanted
    )
    return GoldenResult(golden, "esc_1", START, START, resolution, category, "ana", blind)


@pytest.mark.parametrize(
    ("found", "right", "let_through"),
    [
        (result("block", "block"), True, False),
        (result("block", "allow"), False, True),
        (result("block", "redact_and_allow"), False, True),
        (result("allow", "block"), False, False),
        (result("redact_and_allow", "allow"), False, False),
        (result("block", "block", category="other", wanted="true_positive"), False, False),
        (result("block", "block", category="other"), True, False),
        (result("block", None), None, False),
        (result("block", "allow", blind=False), None, False),
    ],
    ids=[
        "right", "let through", "let through in part", "blocked for nothing", "not redacted", "wrong category",
        "any category", "nobody decided", "not blind",
    ],
)  # fmt: skip
def test_what_counts_as_right(found: GoldenResult, right: bool | None, let_through: bool) -> None:
    assert (found.right, found.let_through) == (right, let_through)


def test_only_blind_decisions_are_counted_and_none_is_no_data() -> None:
    found = figures([result("block", "block"), result("block", "allow"), result("block", None)])
    assert (found, found.rate) == (GoldenFigures(2, 1, 1), 0.5)
    assert figures([]).rate is None


def test_the_rhythm_is_blurred_by_half_of_it_unless_the_settings_say_otherwise() -> None:
    assert GoldenSettings.model_validate({"every": "6h"}).spread == timedelta(hours=3)
    assert GoldenSettings.model_validate({"every": "6h", "jitter": "10m"}).spread == timedelta(minutes=10)
    with pytest.raises(ValidationError, match="every 1s at most"):
        GoldenSettings.model_validate({"every": "0.2s"})
