"""A case in a chain: who has to take it until when, and what becomes of it when nobody does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from escalations.case import Appeal, ApprovalTerms, Case, DecisionTerms, End, LeaderEnded, Status
from escalations.clock import next_alarm
from escalations.commands import (
    SYSTEM,
    Assign,
    Claim,
    Command,
    Comment,
    EscalateFurther,
    Routed,
    Unclaim,
    Undo,
    WaitOnRequester,
)
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.events import Event, EventType
from escalations.routes import Chooser, Exhausted, LegReason, OnExhausted, Place, Route
from escalations.second_review import opening_of
from escalations.severity import Severity
from escalations.sla import AlarmKind, SlaTerms
from escalations.step import open_case, step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, CONTENT, SENIOR, START, opened, opening, resolve

MINUTE = timedelta(minutes=1)


def leg(number: int, *, user: str | None = None, turn: int = 0, minutes: int = 5) -> Route:
    team = None if user else "legal"
    place = Place("c", number, turn, minutes * MINUTE)
    return Route(Chooser.RULE, "in turn", team=team, user=user, channel="log", position=0, place=place)


FIRST, SECOND, TO_ANA = leg(0), leg(1, minutes=10), leg(1, user="ana")
PATIENT = SlaTerms(timedelta(hours=1), expire_after=timedelta(hours=6), claim_lease=None, max_pause=timedelta(hours=1))


def at(minutes: int) -> datetime:
    return START + minutes * MINUTE


def rung(case: Case) -> tuple[Case, tuple[Event, ...]]:
    alarm = next_alarm(case)
    assert alarm is not None
    return step(case, alarm, alarm.at)


def after(case: Case, *happenings: Command | Routed | LeaderEnded, minute: int = 1) -> Case:
    for happening in happenings:
        case, _ = step(case, happening, at(minute))
    return case


def kinds(events: tuple[Event, ...]) -> list[EventType]:
    return [event.type for event in events]


def given_to_ana(**changes: Any) -> Case:
    case, _ = rung(opened(route=FIRST, sla=PATIENT, **changes))
    return after(case, Routed(TO_ANA), minute=5)


def test_a_leg_that_nobody_claims_is_passed_on_and_the_deadline_stays() -> None:
    case = opened(route=FIRST)
    due = case.due_at
    assert (next_alarm(case).kind, case.ack_until) == (AlarmKind.ACK, at(5))  # type: ignore[union-attr]
    case, [missed] = rung(case)
    assert (missed.type, missed.at, missed.data["leg"], missed.data["chain"]) == (
        EventType.UNACKNOWLEDGED,
        at(5),
        1,
        "c",
    )
    assert case.wanted_route is not None
    assert case.wanted_route.reason is LegReason.UNACKNOWLEDGED
    case, [moved] = step(case, Routed(SECOND, skipped=("leg 2 of chain c: nobody",)), at(5))
    assert (moved.type, moved.data["leg"], moved.data["skipped"]) == (
        EventType.REASSIGNED,
        2,
        "leg 2 of chain c: nobody",
    )
    assert (case.ack_until, case.due_at, [one.reason for one in case.legs]) == (
        at(15),
        due,
        [LegReason.OPENED, LegReason.UNACKNOWLEDGED],
    )


def test_a_claim_acknowledges() -> None:
    case = after(opened(route=FIRST), Claim(ANA))
    assert case.ack_until is None
    assert next_alarm(case).kind is not AlarmKind.ACK  # type: ignore[union-attr]


def test_a_case_outside_of_chains_waits_for_nobody() -> None:
    assert opened().ack_until is None


def test_whom_a_case_was_given_to_must_show_that_they_are_there() -> None:
    case = given_to_ana()
    assert (case.hold.login if case.hold else None, case.ack_until) == ("ana", at(10))
    case, [missed] = rung(case)
    assert (missed.type, missed.data["assignee"]) == (EventType.UNACKNOWLEDGED, "ana")
    assert (case.status, case.hold) == (Status.OPEN, None)


@pytest.mark.parametrize("sign", [Claim(ANA), Comment(ANA, "a" * 64), WaitOnRequester(ANA, "a" * 64), resolve(ANA)])
def test_anything_that_they_do_with_it_is_a_sign_of_life(sign: Command) -> None:
    case, events = step(given_to_ana(), sign, at(6))
    assert events[0].type is EventType.ACKNOWLEDGED
    assert (case.ack_until, case.first_claimed_at, case.claim_epoch) == (None, at(6), 1)


def test_a_word_of_somebody_else_is_none() -> None:
    assert after(given_to_ana(), Comment(BEN, "a" * 64), minute=6).ack_until == at(10)


def test_letting_it_go_is_none_and_wins_no_time() -> None:
    case = after(given_to_ana(), Unclaim(ANA), minute=6)
    assert (case.hold, case.ack_until) == (None, at(10))


def test_who_took_it_and_gives_it_back_sets_the_time_of_the_leg_running_again() -> None:
    case = after(after(opened(route=FIRST), Claim(ANA)), Unclaim(ANA), minute=30)
    assert case.ack_until == at(35)


def test_who_leads_may_give_it_to_somebody_for_good_and_a_rule_may_not() -> None:
    case = opened(route=FIRST)
    assert after(case, Assign(SENIOR, "ben")).ack_until is None
    assert after(case, Assign(SYSTEM, "ben", strategy="round_robin")).ack_until == at(5)


def test_a_claim_while_the_next_leg_is_looked_for_keeps_the_case() -> None:
    case, _ = rung(opened(route=FIRST))
    case = after(case, Claim(ANA), minute=5)
    assert (case.wanted_route, after(case, Routed(SECOND), minute=5)) == (None, case)


def test_a_route_by_hand_leaves_the_chain() -> None:
    by_hand = Route(Chooser.PERSON, "ana", team="senior", position=0)
    assert after(opened(route=FIRST), EscalateFurther(ANA, by_hand)).ack_until is None


def test_while_the_requester_is_asked_no_leg_is_passed_on() -> None:
    case = opened(route=FIRST, sla=PATIENT)
    case = after(case, WaitOnRequester(SENIOR, "a" * 64, timedelta(minutes=30)))
    case, events = rung(case)
    assert (kinds(events), case.ack_until) == ([EventType.RESUMED], at(36))


def test_a_follower_waits_for_its_leader_and_then_for_its_leg() -> None:
    case = opened(route=FIRST, leader="esc_leader")
    assert case.ack_until is None
    assert after(case, LeaderEnded(None), minute=20).ack_until == at(25)


def test_a_breach_does_not_hide_that_nobody_was_there() -> None:
    case, _ = rung(opened(route=FIRST))
    while case.breached_at is None:
        case, _ = rung(case)
    assert case.wanted_route is not None
    assert case.wanted_route.reason is LegReason.UNACKNOWLEDGED


def test_a_proposed_decision_waits_for_its_confirmation_as_long_as_the_leg_says() -> None:
    by_two = DecisionTerms(DEFAULT_CATEGORIES, approvals=(ApprovalTerms(Severity.HIGH, 2),))
    case = after(opened(route=FIRST, decisions=by_two), Claim(ANA))
    assert after(case, resolve(ANA), minute=20).ack_until == at(25)


def test_who_undoes_a_decision_still_has_the_case() -> None:
    undoable = DecisionTerms(DEFAULT_CATEGORIES, undo_window=timedelta(minutes=5))
    case = after(opened(route=FIRST, decisions=undoable), Claim(ANA), resolve(ANA), Undo(ANA))
    assert (case.ack_until, case.hold.login if case.hold else None) == (None, "ana")


def exhausted(end: OnExhausted, **changes: Any) -> tuple[Case, tuple[Event, ...]]:
    case, _ = rung(opened(route=leg(0, turn=1), **changes))
    return step(case, Routed(None, exhausted=Exhausted(end, ("pagerduty", "slack:#ops"))), at(5))


def test_at_its_end_a_chain_lets_the_case_expire() -> None:
    case, events = exhausted(OnExhausted.EXPIRE_BLOCK)
    assert kinds(events) == [EventType.CHAIN_EXHAUSTED, EventType.EXPIRED]
    assert (case.end, view_of(case).released_digest, view_of(case).resolution) == (End.EXPIRED, None, None)
    told = events[0].data
    assert (told["on_exhausted"], told["round"]) == ("expire_block", 2)
    assert (told["channel"], told["also"]) == ("pagerduty", "slack:#ops")


@pytest.mark.parametrize("end", [OnExhausted.HOLD, OnExhausted.PAGE_ADMIN])
def test_or_it_waits_where_it_is_and_nobody_else_is_asked(end: OnExhausted) -> None:
    case, events = exhausted(end)
    assert (kinds(events), events[0].data["on_exhausted"]) == ([EventType.CHAIN_EXHAUSTED], end.value)
    assert (case.closed, case.ack_until, case.wanted_route) == (False, None, None)
    case = after(case, Claim(ANA), Unclaim(ANA), minute=6)
    assert case.ack_until is None


def test_or_the_settings_release_it_in_words() -> None:
    case, events = exhausted(OnExhausted.ALLOW)
    assert kinds(events) == [EventType.CHAIN_EXHAUSTED, EventType.RESOLVED]
    assert case.decision is not None
    assert (case.decision.resolution, case.decision.reviewer) == (Resolution.ALLOW, "system")
    assert (case.decision.released_digest, events[1].actor, events[1].data["chain"]) == (CONTENT, SYSTEM, "c")
    assert view_of(case).unseen
    assert not view_of(after(opened(), Claim(ANA), resolve(ANA))).unseen


def test_what_nobody_has_decided_is_not_looked_at_a_second_time() -> None:
    case, events = exhausted(OnExhausted.ALLOW, second_review=timedelta(days=1))
    assert opening_of(case, events, "rev_1") is None


@pytest.mark.parametrize(
    "kind",
    [
        {"decisions": DecisionTerms(DEFAULT_CATEGORIES, approvals=(ApprovalTerms(Severity.HIGH, 2),))},
        {"appeal": Appeal("esc_first", ("ana",))},
    ],
)
def test_but_never_what_several_have_to_decide_nor_an_appeal(kind: dict[str, Any]) -> None:
    case, events = exhausted(OnExhausted.ALLOW, **kind)
    assert (case.end, case.decision, events[0].data["on_exhausted"]) == (End.EXPIRED, None, "expire_block")


def test_a_chain_that_is_gone_leaves_the_case_where_it_is() -> None:
    case, _ = rung(opened(route=FIRST))
    case, [told] = step(case, Routed(None), at(5))
    assert (told.type, told.data["on_exhausted"], told.data["channel"]) == (EventType.CHAIN_EXHAUSTED, "hold", "log")
    assert (case.ack_until, case.closed) == (None, False)


def test_a_leg_whose_person_may_not_have_it_any_more_is_asked_once_more() -> None:
    case, _ = rung(opened(route=FIRST, requester="ana"))
    case, events = step(case, Routed(TO_ANA), at(6))
    assert (kinds(events), case.route, case.ack_until) == ([EventType.UNROUTED], FIRST, at(11))


def test_it_says_from_the_start_in_which_leg_it_is() -> None:
    _, [event] = open_case(opening(route=replace(FIRST, also=("slack:#ops",)), skipped=("leg 1: nobody",)), START)
    told = {name: event.data[name] for name in ("chain", "leg", "round", "channel", "also", "skipped")}
    assert told == {
        "chain": "c",
        "leg": 1,
        "round": 1,
        "channel": "log",
        "also": "slack:#ops",
        "skipped": "leg 1: nobody",
    }


def test_who_was_given_a_case_by_rule_is_told_by_which() -> None:
    _, events = open_case(opening(assignee="ben", strategy="least_loaded"), START)
    assert (events[1].type, events[1].data["strategy"]) == (EventType.ASSIGNED, "least_loaded")
    _, [assigned] = step(opened(), Assign(SYSTEM, "ben", strategy="sticky"), START)
    assert assigned.data["strategy"] == "sticky"
