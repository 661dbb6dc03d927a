"""A decision that can be undone for a moment: it is on the record, nothing leaves, and nothing else happens to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from escalations.case import ApprovalTerms, Case, DecisionTerms, End, Status
from escalations.clock import next_alarm
from escalations.commands import (
    Approve,
    Assign,
    Claim,
    Command,
    Comment,
    EscalateFurther,
    SetSeverity,
    Unclaim,
    Undo,
    Withdraw,
)
from escalations.decision_settings import DecisionSettings
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.errors import (
    AlreadyDecided,
    AlreadyResolved,
    ConflictOfInterest,
    EscalationError,
    NotAllowed,
    NothingToUndo,
    NotHolder,
)
from escalations.events import EventType
from escalations.severity import Severity
from escalations.sla import AlarmKind, SlaTerms
from escalations.standing import standing_of, standing_of_view
from escalations.step import step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, CONSUMER, OPERATOR, SENIOR, START, opened, resolve

WINDOW = timedelta(seconds=10)
LATER = START + timedelta(minutes=2)
SLA = SlaTerms(timedelta(hours=1), expire_after=timedelta(hours=6), claim_lease=timedelta(minutes=30))


def decided(resolution: Resolution = Resolution.ALLOW, people: int = 1, **changes: Any) -> Case:
    terms = DecisionTerms(DEFAULT_CATEGORIES, approvals=(ApprovalTerms(Severity.HIGH, people),), undo_window=WINDOW)
    case, _ = step(opened(**{"decisions": terms, "sla": SLA, **changes}), Claim(ANA), LATER)
    return step(case, resolve(ANA, resolution), LATER)[0]


def refused(case: Case, command: Command) -> type[EscalationError]:
    with pytest.raises(EscalationError) as error:
        step(case, command, LATER)
    return type(error.value)


@pytest.mark.parametrize("resolution", list(Resolution))
def test_a_decision_waits_for_the_window_and_then_counts(resolution: Resolution) -> None:
    case = decided(resolution)
    assert (case.status, case.decision, view_of(case).released_digest) == (Status.CLAIMED, None, None)
    alarm = next_alarm(case)
    assert alarm is not None
    assert (alarm.kind, alarm.at) == (AlarmKind.RELEASE, LATER + WINDOW)
    assert step(case, alarm, alarm.at - timedelta(microseconds=1))[0] == case
    done, events = step(case, alarm, alarm.at)
    assert [event.type for event in events] == [EventType.RESOLVED]
    assert (done.end, done.pending, events[0].actor) == (End.RESOLVED, None, ANA)
    view = view_of(done)
    assert (view.resolution, view.resolution_time_seconds) == (resolution.value, 120), "the waiting is nobody's work"
    assert refused(done, Undo(ANA)) is AlreadyResolved


def test_undoing_returns_the_case_to_who_decided_it() -> None:
    case, events = step(decided(), Undo(ANA), LATER)
    assert [event.type for event in events] == [EventType.UNDONE]
    assert (case.status, case.pending, case.hold and case.hold.login) == (Status.CLAIMED, None, "ana")
    assert step(case, resolve(ANA, Resolution.BLOCK), LATER)[0].pending is not None
    assert refused(case, Undo(ANA)) is NothingToUndo


def test_a_senior_may_undo_and_others_may_not() -> None:
    case, _ = step(decided(), Undo(SENIOR), LATER)
    assert case.hold is not None
    assert case.hold.login == "ana"
    assert refused(decided(), Undo(BEN)) is NotHolder
    assert refused(decided(requester="sam"), Undo(SENIOR)) is ConflictOfInterest
    assert refused(decided(unverified_signals=True), Undo(OPERATOR)) is NotAllowed


@pytest.mark.parametrize(
    "command",
    [
        Claim(ANA),
        Unclaim(ANA),
        resolve(ANA),
        Approve(BEN),
        EscalateFurther(ANA),
        Assign(SENIOR, "ben"),
        SetSeverity(ANA, Severity.LOW),
    ],
    ids=lambda command: command.operation,
)
def test_nothing_else_is_done_to_it_meanwhile(command: Command) -> None:
    assert refused(decided(), command) is AlreadyDecided


def test_it_may_be_talked_about_and_withdrawn() -> None:
    case, _ = step(decided(), Comment(BEN, "b" * 64), LATER)
    assert case.pending is not None
    assert step(case, Withdraw(CONSUMER), LATER)[0].end is End.WITHDRAWN


def test_no_deadline_passes_meanwhile_and_every_one_that_did_counts_after_an_undo() -> None:
    sla = SlaTerms(timedelta(seconds=125), expire_after=timedelta(minutes=10), claim_lease=None)
    case = decided(sla=sla)
    alarm = next_alarm(case)
    assert alarm is not None
    assert alarm.kind is AlarmKind.RELEASE
    case, _ = step(case, Undo(ANA), LATER + timedelta(seconds=8))
    kinds = []
    while (alarm := next_alarm(case)) is not None and alarm.at <= LATER + timedelta(seconds=8):
        case, events = step(case, alarm, LATER + timedelta(seconds=8))
        kinds += [event.type for event in events]
    assert kinds[0] is EventType.AMBER
    assert EventType.BREACHED in kinds


def test_the_last_approval_can_be_undone_and_the_proposal_stands_again() -> None:
    proposed = decided(people=2)
    assert proposed.pending is None, "a proposal is no decision yet"
    case, events = step(proposed, Approve(BEN), LATER)
    assert [event.type for event in events] == [EventType.APPROVED, EventType.DECIDED]
    assert (case.proposal, case.hold and case.hold.login) == (None, "ben")
    assert refused(case, Undo(ANA)) is NotHolder
    case, _ = step(case, Undo(BEN), LATER)
    assert case.proposal == proposed.proposal
    case, _ = step(case, Approve(BEN), LATER)
    alarm = next_alarm(case)
    assert alarm is not None
    decision = step(case, alarm, alarm.at)[0].decision
    assert decision is not None
    assert (decision.reviewer, decision.approved_by) == ("ana", ("ben",))


def test_the_view_refuses_as_the_case_does() -> None:
    assert standing_of_view(view_of(decided())) == standing_of(decided())


@pytest.mark.parametrize(("written", "window"), [("5s", 5), (5, 5), (0, None), ("off", None), ("PT10S", 10)])
def test_the_window_is_a_setting(written: Any, window: int | None) -> None:
    found = DecisionSettings.model_validate({"undo_window": written}).undo_window
    assert found == (None if window is None else timedelta(seconds=window))
    assert DecisionSettings().undo_window is None


def test_a_window_in_which_a_consumer_would_give_up_is_refused() -> None:
    with pytest.raises(ValidationError, match="5m at most"):
        DecisionSettings.model_validate({"undo_window": "6m"})
