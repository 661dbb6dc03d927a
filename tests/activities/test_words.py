"""What channels say of where a case is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from activities.channels.slack_card import Look, blocks, summary
from activities.channels.words import standing
from escalations.case import ApprovalTerms, DecisionTerms
from escalations.commands import Approve, Claim
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.severity import Severity
from escalations.step import step
from escalations.views import View, view_of
from tests.activities.notifications import resolved
from tests.escalations.cases import ANA, BEN, START, opened, resolve

TWO = DecisionTerms(DEFAULT_CATEGORIES, approvals=(ApprovalTerms(Severity.HIGH, 2),), undo_window=timedelta(seconds=5))


def states(*, sampled: bool) -> list[View]:
    """Proposed, decided and about to count, and resolved."""
    opening = opened(decisions=TWO, second_review=timedelta(days=7) if sampled else None)
    proposed = step(step(opening, Claim(ANA), START)[0], resolve(ANA, Resolution.BLOCK), START)[0]
    pending = step(proposed, Approve(BEN), START)[0]
    return [view_of(proposed), view_of(pending), replace(resolved(), second_review=sampled)]


def test_how_a_case_was_decided_and_by_whom_is_told() -> None:
    assert [standing(view) for view in states(sampled=False)] == [
        "Blocked is what ana proposes; 1 more must confirm",
        "Blocked by ben, can be undone",
        "Blocked by ana",
    ]


def test_of_a_case_that_may_be_reviewed_again_neither_is() -> None:
    assert [standing(view) for view in states(sampled=True)] == [
        "A decision is proposed; 1 more must confirm",
        "Decided, can be undone",
        "Decided",
    ]


@pytest.mark.parametrize("number", range(3))
def test_a_card_of_it_shows_no_more(number: int) -> None:
    view = states(sampled=True)[number]
    shown = orjson.dumps(blocks(view, "https://kt.example", Look())).decode() + summary(view, "Resolved")
    assert "Blocked" not in shown
    assert not any(f" {name}" in shown for name in ("ana", "ben"))
