"""What time does to a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from escalations.case import Case, End, Status
from escalations.clock import next_alarm, ring
from escalations.commands import Claim, Routed
from escalations.events import Event, EventType
from escalations.sla import AlarmKind, SlaState, SlaTerms
from escalations.step import step
from tests.escalations.cases import ANA, NEXT, START, TO_ANA, opened, resolve

HOUR = timedelta(hours=1)


def run_until(case: Case, end: timedelta) -> tuple[Case, list[Event]]:
    """Let every alarm ring that is due within a time."""
    happened: list[Event] = []
    while (alarm := next_alarm(case)) is not None and alarm.at <= START + end:
        case, events = step(case, alarm, alarm.at)
        happened += events
    return case, happened


def test_it_turns_amber_when_half_of_its_target_remains() -> None:
    alarm = next_alarm(opened())
    assert alarm is not None
    assert (alarm.kind, alarm.at) == (AlarmKind.AMBER, START + HOUR / 2)


def test_the_amber_threshold_is_a_setting() -> None:
    alarm = next_alarm(opened(sla=SlaTerms(HOUR, amber_at_remaining=25)))
    assert alarm is not None
    assert alarm.at == START + timedelta(minutes=45)


def test_amber_and_breach_happen_once_each() -> None:
    case, happened = run_until(opened(), timedelta(hours=5))
    assert [event.type for event in happened] == [EventType.AMBER, EventType.BREACHED]
    assert (case.sla_state, case.breached_at) == (SlaState.BREACHED, START + HOUR)


def test_a_breach_releases_the_claimant_and_wants_the_next_level() -> None:
    case, _ = step(opened(), Claim(ANA), START)
    case, happened = run_until(case, HOUR)
    assert [event.type for event in happened[1:]] == [EventType.BREACHED, EventType.RELEASED_AT_BREACH]
    assert happened[-1].data["assignee"] == "ana"
    assert (case.status, case.hold) == (Status.OPEN, None)
    assert case.wanted_route is not None
    assert case.wanted_route.after == 0


def test_behind_a_route_that_no_rule_chose_the_first_rule_comes_next() -> None:
    case, _ = run_until(opened(route=TO_ANA), HOUR)
    assert case.wanted_route is not None
    assert case.wanted_route.after is None


def test_after_a_breach_the_next_level_takes_it_and_it_stays_breached() -> None:
    case, _ = run_until(opened(), HOUR)
    case, _ = step(case, Routed(NEXT), START + HOUR)
    case, _ = step(case, Claim(ANA), START + HOUR)
    case, _ = step(case, resolve(ANA), START + HOUR)
    assert (case.status, case.sla_state) == (Status.RESOLVED, SlaState.BREACHED)


def test_a_case_resolved_at_its_deadline_met_it() -> None:
    case, _ = step(opened(), Claim(ANA), START)
    case, _ = step(case, resolve(ANA), START + HOUR)
    assert (case.breached_at, next_alarm(case)) == (None, None)


def test_it_expires_undecided_and_that_is_not_a_resolution() -> None:
    case, happened = run_until(opened(), timedelta(hours=6))
    assert (case.status, case.end, case.decision) == (Status.EXPIRED, End.EXPIRED, None)
    assert happened[-1].type is EventType.EXPIRED
    assert next_alarm(case) is None


def test_a_lease_that_runs_out_returns_the_case_to_the_queue() -> None:
    sla = SlaTerms(timedelta(hours=4), claim_lease=timedelta(minutes=10))
    case, _ = step(opened(sla=sla), Claim(ANA), START)
    case, happened = run_until(case, timedelta(minutes=10))
    assert [event.type for event in happened] == [EventType.LEASE_EXPIRED]
    assert (case.status, case.hold) == (Status.OPEN, None)


def test_an_alarm_that_is_early_or_out_of_date_does_nothing() -> None:
    case = opened()
    alarm = next_alarm(case)
    assert alarm is not None
    assert ring(case, alarm, alarm.at - timedelta(microseconds=1)) == (case, ())
    amber, _ = ring(case, alarm, alarm.at)
    assert ring(amber, alarm, alarm.at) == (amber, ())
    assert ring(case, replace(alarm, at=alarm.at + HOUR), alarm.at + HOUR) == (case, ())


def test_after_a_long_outage_amber_and_breach_follow_each_other() -> None:
    late = START + timedelta(hours=3)
    case = opened()
    kinds = []
    for _ in range(2):
        alarm = next_alarm(case)
        assert alarm is not None
        case, events = step(case, alarm, late)
        kinds.append(events[0].type)
    assert kinds == [EventType.AMBER, EventType.BREACHED]
    assert case.breached_at == START + HOUR, "the breach was at the deadline, whenever it was noticed"
