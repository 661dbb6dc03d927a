"""What channels say of where a case is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from activities.channels.slack_card import Look, blocks, summary
from activities.channels.words import standing, when_due
from cli.watching import row_of
from escalations.case import ApprovalTerms, DecisionTerms
from escalations.commands import Approve, Claim
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.severity import Severity
from escalations.step import step
from escalations.views import View, view_of
from escalations.windows import OpenTime
from tests.activities.notifications import claimed, resolved
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


def stopped(left: timedelta, open_time: OpenTime | None = None) -> View:
    """Held by ana, its clock stopped for two hours, so much wall time before its deadline."""
    until = START + timedelta(hours=2)
    return replace(claimed(), paused_until=until, sla_deadline=until + left, open_time=open_time)


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(minutes=12, seconds=40), "Paused, 12 min left"),
        (timedelta(hours=3, minutes=5), "Paused, 3 h 5 min left"),
        (timedelta(hours=30), "Paused, 30 h left"),
        (timedelta(seconds=20), "Paused, less than 1 min left"),
    ],
)
def test_of_a_paused_case_what_is_left_is_told_and_no_due_time(left: timedelta, told: str) -> None:
    assert when_due(stopped(left)) == told
    assert standing(stopped(left)) == "Claimed by ana, paused"


def test_what_is_left_is_open_time() -> None:
    """The office is closed for the night in between."""
    evening = (START, START + timedelta(hours=2, minutes=10))
    office = OpenTime("office", 1, "test", (evening,), START + timedelta(hours=20))
    assert when_due(stopped(timedelta(hours=18, minutes=2), office)) == "Paused, 12 min left"


def test_a_case_whose_clock_runs_or_that_is_over_has_its_due_time() -> None:
    view = claimed()
    told = view.sla_deadline.strftime("%Y-%m-%d %H:%M UTC")
    assert [when_due(one) for one in (view, replace(resolved(), paused_until=START))] == [told, told]
    assert when_due(view, "soon") == "soon"


def test_the_card_of_a_paused_case_shows_what_is_left() -> None:
    fields = blocks(stopped(timedelta(minutes=12)), "https://kt.example", Look())[1]["fields"]
    assert fields[3]["text"] == "*Due*\nPaused, 12 min left"


def test_so_does_its_line_in_the_queue() -> None:
    now = datetime.now(UTC).isoformat()
    item = dict.fromkeys(
        ("escalation_id", "severity", "sla_state", "policy_rule", "reason_code", "team", "assignee"), "x"
    )
    item |= {"status": "claimed", "sla_deadline": now, "created_at": now}
    assert row_of({**item, "left_when_paused": 720})[4] == "Paused, 12 min left"
    assert row_of({**item, "left_when_paused": None})[4].endswith("ago")
