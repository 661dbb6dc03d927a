"""The rules of a case, one behaviour each."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escalations.case import DecisionTerms, End, Status
from escalations.commands import (
    Assign,
    Claim,
    Comment,
    EscalateFurther,
    Extend,
    FollowUp,
    Routed,
    Unclaim,
    Withdraw,
)
from escalations.decisions import DEFAULT_CATEGORIES, FollowUpKind, Resolution
from escalations.errors import (
    AlreadyClaimed,
    AlreadyExpired,
    AlreadyResolved,
    CategoryRequired,
    Invalid,
    NotAllowed,
    NotClaimed,
    NoteRequired,
    NotHolder,
    StaleClaim,
    StaleContent,
    UnknownCategory,
)
from escalations.events import EventType
from escalations.routes import LegReason
from escalations.severity import Severity
from escalations.sla import SlaTerms
from escalations.step import MOST_REFUSALS, open_case, refuse, step
from tests.escalations.cases import (
    ANA,
    AUDITOR,
    BEN,
    CONSUMER,
    NEXT,
    OPERATOR,
    SENIOR,
    START,
    TO_ANA,
    opened,
    opening,
    resolve,
)

LATER = START + timedelta(minutes=2)


def test_a_case_opens_in_the_queue_of_its_team() -> None:
    case, events = open_case(opening(), START)
    assert (case.status, case.route.team, case.hold) == (Status.OPEN, "legal", None)
    assert [event.type for event in events] == [EventType.OPENED]
    assert events[0].data["chosen_by"] == "rule"


def test_a_route_to_a_user_arrives_already_claimed() -> None:
    case, events = open_case(opening(route=TO_ANA), START)
    assert case.status is Status.CLAIMED
    assert case.hold is not None
    assert case.hold.login == "ana"
    assert [event.type for event in events] == [EventType.OPENED, EventType.ASSIGNED]
    assert case.first_claimed_at is None, "nobody chose to claim it, so it says nothing about reaction time"


def test_a_claim_gives_the_case_to_one_person() -> None:
    case, events = step(opened(), Claim(ANA), LATER)
    assert case.status is Status.CLAIMED
    assert case.hold is not None
    assert (case.hold.login, case.hold.since, case.claim_epoch) == ("ana", LATER, 1)
    assert [event.type for event in events] == [EventType.CLAIMED]


def test_claiming_what_another_holds_names_the_holder_and_since_when() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(AlreadyClaimed, match="ana holds this escalation since") as refusal:
        step(case, Claim(BEN), LATER)
    assert refusal.value.details == {"state": "claimed", "assignee": "ana", "since": LATER.isoformat()}


def test_claiming_again_as_the_holder_changes_nothing() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    assert step(case, Claim(ANA), LATER + timedelta(minutes=1)) == (case, ())


def test_unclaiming_returns_it_to_the_queue() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    case, events = step(case, Unclaim(ANA), LATER)
    assert (case.status, case.hold) == (Status.OPEN, None)
    assert events[0].data["assignee"] == "ana"


def test_a_senior_may_unclaim_for_the_holder_and_a_reviewer_may_not() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(NotHolder):
        step(case, Unclaim(BEN), LATER)
    assert step(case, Unclaim(SENIOR), LATER)[0].status is Status.OPEN


def test_unclaiming_what_nobody_holds_is_refused() -> None:
    with pytest.raises(NotClaimed):
        step(opened(), Unclaim(ANA), LATER)


@pytest.mark.parametrize("resolution", list(Resolution))
def test_the_holder_resolves(resolution: Resolution) -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    case, events = step(case, resolve(ANA, resolution), LATER)
    assert (case.status, case.end) == (Status.RESOLVED, End.RESOLVED)
    assert case.decision is not None
    assert (case.decision.resolution, case.decision.reviewer) == (resolution, "ana")
    assert (case.decision.released_digest is not None) == resolution.releases
    assert events[0].data["resolution_time_seconds"] == 120


def test_resolving_an_unclaimed_case_says_to_claim_it_first() -> None:
    with pytest.raises(NotClaimed, match="claim it first") as refusal:
        step(opened(), resolve(ANA), LATER)
    assert refusal.value.details["state"] == "open"


def test_only_the_holder_resolves_not_even_a_senior() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    for other in (BEN, SENIOR):
        with pytest.raises(NotHolder, match="ana holds"):
            step(case, resolve(other), LATER)


def test_a_resolved_case_says_how_by_whom_and_when() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    case, _ = step(case, resolve(ANA, Resolution.BLOCK), LATER)
    for command in (Claim(BEN), Unclaim(ANA), resolve(ANA), EscalateFurther(SENIOR), Withdraw(CONSUMER)):
        with pytest.raises(AlreadyResolved, match="block by ana") as refusal:
            step(case, command, LATER)
    assert refusal.value.details["state"] == "resolved"


def test_an_allow_releases_exactly_what_is_held() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(StaleContent):
        step(case, resolve(ANA, Resolution.ALLOW, released_digest="0" * 64), LATER)


def test_redact_and_allow_needs_a_redaction() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(Invalid, match="at least one redaction"):
        step(case, resolve(ANA, Resolution.REDACT_AND_ALLOW, redactions=0), LATER)


def test_a_decision_on_other_content_than_is_held_is_stale() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(StaleContent):
        step(case, resolve(ANA, content_digest="0" * 64), LATER)


def test_a_decision_made_under_an_earlier_claim_is_stale() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    case, _ = step(case, Unclaim(ANA), LATER)
    case, _ = step(case, Claim(ANA), LATER)
    with pytest.raises(StaleClaim) as refusal:
        step(case, resolve(ANA, claim_epoch=1), LATER)
    assert refusal.value.details == {"claim_epoch": 2}


def test_a_category_must_be_on_the_list() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(UnknownCategory, match="false_positive, true_positive"):
        step(case, resolve(ANA, category="fine"), LATER)


@pytest.mark.parametrize(
    ("severity", "words", "refused"),
    [(Severity.HIGH, 2, True), (Severity.HIGH, 3, False), (Severity.CRITICAL, 0, True), (Severity.MEDIUM, 0, False)],
)
def test_a_note_of_three_words_is_demanded_from_a_severity_on(severity: Severity, words: int, refused: bool) -> None:
    terms = DecisionTerms(DEFAULT_CATEGORIES, Severity.HIGH)
    case, _ = step(opened(severity=severity, decisions=terms), Claim(ANA), LATER)
    decision = resolve(ANA, category="true_positive", note_words=words)
    if refused:
        with pytest.raises(NoteRequired):
            step(case, decision, LATER)
    else:
        assert step(case, decision, LATER)[0].closed


def test_where_a_note_is_demanded_so_is_a_category_that_was_chosen() -> None:
    terms = DecisionTerms(DEFAULT_CATEGORIES, Severity.HIGH)
    case, _ = step(opened(decisions=terms), Claim(ANA), LATER)
    with pytest.raises(CategoryRequired):
        step(case, resolve(ANA, note_words=5), LATER)


def test_follow_ups_are_kept_with_the_decision() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    follow = FollowUp(FollowUpKind.POLICY_TUNING, "a" * 64)
    case, events = step(case, resolve(ANA, follow_ups=(follow,)), LATER)
    assert case.decision is not None
    assert case.decision.follow_ups == (follow,)
    assert events[0].data["follow_ups"] == f"policy_tuning:{'a' * 64}"


def test_escalating_further_releases_the_assignee_and_begins_a_leg_while_the_clock_goes_on() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    due = case.due_at
    case, events = step(case, EscalateFurther(ANA, NEXT), LATER)
    assert (case.status, case.hold, case.route) == (Status.OPEN, None, NEXT)
    assert case.due_at == due
    assert [leg.reason for leg in case.legs] == [LegReason.OPENED, LegReason.ESCALATED]
    assert (events[0].data["from"], events[0].data["route"]) == ("team:legal", "team:default-reviewers")


def test_escalating_without_a_destination_asks_for_the_next_level() -> None:
    case, _ = step(opened(), EscalateFurther(ANA), LATER)
    assert case.wanted_route is not None
    assert (case.wanted_route.reason, case.wanted_route.after) == (LegReason.ESCALATED, 0)
    case, events = step(case, Routed(NEXT), LATER)
    assert (case.route, case.wanted_route) == (NEXT, None)
    assert events[0].type is EventType.REASSIGNED


def test_without_a_further_level_the_case_stays_and_says_so() -> None:
    case, _ = step(opened(), EscalateFurther(ANA), LATER)
    case, events = step(case, Routed(None), LATER)
    assert case.route.team == "legal"
    assert events[0].type is EventType.UNROUTED


def test_escalating_what_another_holds_is_for_those_who_lead() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(NotHolder):
        step(case, EscalateFurther(BEN, NEXT), LATER)
    assert step(case, EscalateFurther(SENIOR, NEXT), LATER)[0].route == NEXT


def test_a_senior_assigns_and_the_holder_hands_over() -> None:
    case, events = step(opened(), Assign(SENIOR, "ana"), LATER)
    assert events[0].data["assignee"] == "ana"
    case, _ = step(case, Assign(ANA, "ben"), LATER)
    assert case.hold is not None
    assert (case.hold.login, case.claim_epoch) == ("ben", 2)
    with pytest.raises(NotHolder):
        step(case, Assign(ANA, "ana"), LATER)


def test_a_reviewer_may_not_assign_what_nobody_holds() -> None:
    with pytest.raises(NotClaimed):
        step(opened(), Assign(ANA, "ben"), LATER)


def test_a_lease_can_be_extended_by_its_holder() -> None:
    sla = SlaTerms(timedelta(hours=4), claim_lease=timedelta(minutes=10))
    case, _ = step(opened(sla=sla), Claim(ANA), LATER)
    assert case.hold is not None
    assert case.hold.lease_until == LATER + timedelta(minutes=10)
    case, _ = step(case, Extend(ANA, timedelta(minutes=30)), LATER + timedelta(minutes=5))
    assert case.hold is not None
    assert case.hold.lease_until == LATER + timedelta(minutes=35)
    with pytest.raises(NotHolder):
        step(case, Extend(BEN), LATER)


def test_a_lease_is_never_shortened_nor_extended_by_more_than_a_day() -> None:
    sla = SlaTerms(timedelta(hours=4), claim_lease=timedelta(minutes=10))
    case, _ = step(opened(sla=sla), Claim(ANA), LATER)
    shorter, _ = step(case, Extend(ANA, timedelta(minutes=1)), LATER)
    assert shorter.hold == case.hold
    with pytest.raises(Invalid, match="24 hours"):
        step(case, Extend(ANA, timedelta(hours=25)), LATER)


def test_without_a_lease_there_is_nothing_to_extend() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(Invalid, match="no lease"):
        step(case, Extend(ANA), LATER)


def test_a_comment_by_the_holder_is_a_sign_of_life() -> None:
    sla = SlaTerms(timedelta(hours=4), claim_lease=timedelta(minutes=10))
    case, _ = step(opened(sla=sla), Claim(ANA), LATER)
    case, events = step(case, Comment(ANA, "b" * 64), LATER + timedelta(minutes=8))
    assert case.hold is not None
    assert case.hold.lease_until == LATER + timedelta(minutes=18)
    case, _ = step(case, Comment(BEN, "b" * 64), LATER + timedelta(minutes=9))
    assert case.hold is not None
    assert case.hold.lease_until == LATER + timedelta(minutes=18)
    assert events[0].data == {"text_digest": "b" * 64}


def test_the_consumer_may_withdraw_and_it_is_not_a_denial() -> None:
    case, events = step(opened(), Withdraw(CONSUMER), LATER)
    assert (case.status, case.end, case.decision) == (Status.EXPIRED, End.WITHDRAWN, None)
    assert events[0].type is EventType.WITHDRAWN
    with pytest.raises(AlreadyExpired, match="withdrew"):
        step(case, Claim(ANA), LATER)


def test_a_reviewer_may_not_withdraw_and_a_consumer_may_do_nothing_else() -> None:
    with pytest.raises(NotAllowed):
        step(opened(), Withdraw(ANA), LATER)
    with pytest.raises(NotAllowed):
        step(opened(), Claim(CONSUMER), LATER)


def test_an_auditor_may_do_nothing() -> None:
    for command in (Claim(AUDITOR), Comment(AUDITOR, "b" * 64), EscalateFurther(AUDITOR), Assign(AUDITOR, "ana")):
        with pytest.raises(NotAllowed):
            step(opened(), command, LATER)


def test_an_unverified_operator_may_do_nothing_unless_the_setting_says_so() -> None:
    with pytest.raises(NotAllowed, match="unverified_signals"):
        step(opened(), Claim(OPERATOR), LATER)


def test_where_allowed_an_unverified_operator_may_claim_and_block_but_never_allow() -> None:
    case, events = step(opened(unverified_signals=True), Claim(OPERATOR), LATER)
    assert str(events[0].actor) == "root (unverified)"
    for resolution in (Resolution.ALLOW, Resolution.REDACT_AND_ALLOW):
        with pytest.raises(NotAllowed):
            step(case, resolve(OPERATOR, resolution), LATER)
    with pytest.raises(NotAllowed):
        step(case, Assign(OPERATOR, "ana"), LATER)
    assert step(case, resolve(OPERATOR, Resolution.BLOCK), LATER)[0].closed


def test_refused_signals_are_written_down_up_to_a_bound() -> None:
    case = opened()
    for _ in range(MOST_REFUSALS + 20):
        case, events = refuse(case, "claim", OPERATOR, NotAllowed("no"), LATER)
    assert case.refusals == MOST_REFUSALS
    assert events == ()
    assert case.version == 1 + MOST_REFUSALS


def test_events_are_numbered_without_a_gap() -> None:
    case, first = open_case(opening(), START)
    seen = list(first)
    for command in (Claim(ANA), Comment(ANA, "b" * 64), EscalateFurther(ANA, TO_ANA), resolve(ANA)):
        case, events = step(case, command, LATER)
        seen += events
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert case.version == len(seen)
