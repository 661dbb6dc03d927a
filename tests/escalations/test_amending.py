"""Commands that change a clock: pauses, severities, other terms; and the alarms that only newer terms have."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from escalations.case import Case
from escalations.clock import next_alarm
from escalations.commands import (
    Actor,
    Claim,
    Comment,
    Extend,
    Recompute,
    Resume,
    Role,
    SetSeverity,
    Unclaim,
    WaitOnRequester,
)
from escalations.errors import CannotPause, Invalid, NotAllowed, NotClaimed, NotHolder, NotPaused
from escalations.events import Event, EventType
from escalations.severity import Severity
from escalations.sla import AlarmKind, SlaState, SlaTerms
from escalations.step import open_case, step
from escalations.views import view_of
from escalations.windows import OpenTime
from tests.escalations.cases import ANA, BEN, OPERATOR, SENIOR, START, opened, opening, resolve
from tests.escalations.test_clock import run_until

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ADMIN = Actor("root", roles=(Role.ADMIN,))
TARGETS = {
    Severity.CRITICAL: 15 * MINUTE,
    Severity.HIGH: HOUR,
    Severity.MEDIUM: 4 * HOUR,
    Severity.LOW: 24 * HOUR,
}
BY_SEVERITY = tuple((severity, target, target / 3) for severity, target in TARGETS.items())
TERMS = SlaTerms(
    HOUR,
    claim_lease=None,
    claim_target=20 * MINUTE,
    notify_at_remaining=(40, 10),
    max_pause=2 * HOUR,
    by_severity=BY_SEVERITY,
)
# Open for two hours from noon on, closed until the next day's noon.
NOON = START + 2 * HOUR
OPEN = OpenTime("noon", 3, "", ((NOON, NOON + 2 * HOUR), (NOON + 24 * HOUR, NOON + 26 * HOUR)), NOON + 26 * HOUR)


def case_with(severity: Severity = Severity.HIGH, terms: SlaTerms = TERMS) -> Case:
    return opened(severity=severity, sla=replace(terms, target=TARGETS[severity]))


def after(case: Case, minutes: float, command: object) -> tuple[Case, tuple[Event, ...]]:
    return step(case, command, START + minutes * MINUTE)  # type: ignore[arg-type]


def kinds(events: tuple[Event, ...] | list[Event]) -> list[str]:
    return [event.type.value for event in events]


def held_by_ana(severity: Severity = Severity.HIGH, terms: SlaTerms = TERMS) -> Case:
    return after(case_with(severity, terms), 0, Claim(ANA))[0]


def wait(up_to: int | None = 30, actor: Actor = ANA) -> WaitOnRequester:
    return WaitOnRequester(actor, "r" * 64, up_to * MINUTE if up_to is not None else None)


# Reminders and the claim target


def test_reminders_come_at_what_remains_and_once_each() -> None:
    _, happened = run_until(held_by_ana(), HOUR)
    told = [(event.type.value, (event.at - START) / MINUTE) for event in happened]
    assert told[:4] == [("amber", 30), ("reminder", 36), ("reminder", 54), ("breached", 60)]


def test_after_an_outage_several_reminders_are_one() -> None:
    case = held_by_ana()
    case, _ = step(case, next_alarm(case), START + 58 * MINUTE)  # type: ignore[arg-type]
    case, events = step(case, next_alarm(case), START + 58 * MINUTE)  # type: ignore[arg-type]
    assert [event.data["remaining_percent"] for event in events] == [10]
    alarm = next_alarm(case)
    assert alarm is not None
    assert alarm.kind is AlarmKind.BREACH


def test_nobody_claims_in_time_and_that_is_told_once() -> None:
    case, happened = run_until(case_with(), 59 * MINUTE)
    assert kinds(happened) == ["claim_overdue", "amber", "reminder", "reminder"]
    assert case.claim_overdue_at == START + 20 * MINUTE


def test_a_claim_meets_the_claim_target_for_good() -> None:
    case, _ = after(held_by_ana(), 5, Unclaim(ANA))
    _, happened = run_until(case, 59 * MINUTE)
    assert "claim_overdue" not in kinds(happened)


def test_a_holder_is_warned_once_before_the_claim_runs_out() -> None:
    terms = replace(TERMS, claim_lease=10 * MINUTE, warn_at_lease=80)
    _, happened = run_until(held_by_ana(terms=terms), 10 * MINUTE)
    told = [(event.type.value, (event.at - START) / MINUTE, event.data["assignee"]) for event in happened]
    assert told == [("lease_warning", 8, "ana"), ("lease_expired", 10, "ana")]


@pytest.mark.parametrize("sign", [Comment(ANA, "b" * 64), Extend(ANA)])
def test_a_sign_of_life_puts_the_warning_off(sign: object) -> None:
    case = held_by_ana(terms=replace(TERMS, claim_lease=10 * MINUTE, warn_at_lease=80))
    case, _ = run_until(case, 9 * MINUTE)
    case, _ = after(case, 9, sign)
    _, happened = run_until(case, 19 * MINUTE)
    assert [(event.type.value, (event.at - START) / MINUTE) for event in happened] == [
        ("lease_warning", 17),
        ("lease_expired", 19),
    ]


def test_a_lease_that_follows_the_target_follows_the_severity_too() -> None:
    targets = ((Severity.HIGH, HOUR, None), (Severity.CRITICAL, 15 * MINUTE, None))
    terms = replace(TERMS, claim_lease=HOUR, lease_within_target=True, by_severity=targets)
    case = held_by_ana(terms=terms)
    assert case.hold is not None
    assert case.hold.lease_until == START + HOUR
    case, _ = after(case, 1, SetSeverity(SENIOR, Severity.CRITICAL))
    case, _ = after(case, 2, Unclaim(ANA))
    case, _ = after(case, 3, Claim(ANA))
    assert case.hold is not None
    assert case.hold.lease_until == START + 18 * MINUTE


def test_a_severity_that_is_raised_moves_no_deadline_later_where_it_has_more_time() -> None:
    targets = ((Severity.HIGH, 10 * MINUTE, None), (Severity.CRITICAL, 15 * MINUTE, None))
    case = after(opened(sla=replace(TERMS, target=10 * MINUTE, by_severity=targets)), 0, Claim(ANA))[0]
    kept, _ = after(case, 1, SetSeverity(ANA, Severity.CRITICAL))
    assert (kept.due_at, kept.terms.target) == (START + 10 * MINUTE, 15 * MINUTE)
    moved, _ = after(case, 1, SetSeverity(SENIOR, Severity.CRITICAL, later=True))
    assert moved.due_at == START + 15 * MINUTE


def test_a_case_from_before_that_rule_replays_as_it_was() -> None:
    targets = ((Severity.HIGH, 10 * MINUTE, None), (Severity.CRITICAL, 15 * MINUTE, None))
    terms = replace(TERMS, target=10 * MINUTE, by_severity=targets)
    case = after(opened(sla=terms, edition=2), 0, Claim(ANA))[0]
    assert after(case, 1, SetSeverity(ANA, Severity.CRITICAL))[0].due_at == START + 15 * MINUTE


def test_no_pause_begins_at_the_deadline() -> None:
    with pytest.raises(CannotPause) as refused:
        after(held_by_ana(), 60, wait())
    assert refused.value.details["reason"] == "breached"


# Calendars


def test_a_deadline_counts_open_time_and_expiry_the_wall_clock() -> None:
    terms = replace(TERMS, open_time=OPEN, expire_after=30 * HOUR)
    case = opened(sla=replace(terms, target=3 * HOUR))
    assert case.due_at == NOON + 25 * HOUR
    assert case.amber_at == NOON + 1.5 * HOUR
    assert case.expires_at == START + 30 * HOUR


# Pauses


def test_a_pause_moves_the_deadline_by_its_length() -> None:
    case, events = after(held_by_ana(), 10, wait(30))
    assert kinds(events) == ["paused"]
    assert (case.due_at, view_of(case).sla_state) == (START + 90 * MINUTE, SlaState.PAUSED)
    assert view_of(case).paused_until == START + 40 * MINUTE
    case, happened = run_until(case, 90 * MINUTE)
    told = [(event.type.value, (event.at - START) / MINUTE) for event in happened[:2]]
    assert told == [("resumed", 40), ("amber", 60)]
    assert case.breached_at == START + 90 * MINUTE


def test_whoever_goes_on_early_gets_back_what_was_not_used() -> None:
    case, _ = after(held_by_ana(), 10, wait(30))
    case, _ = after(case, 15, Resume(ANA))
    assert (case.due_at, case.paused) == (START + 65 * MINUTE, False)
    case, _ = after(case, 20, wait(None))
    assert view_of(case).paused_until == START + 20 * MINUTE + 115 * MINUTE, "five of 120 minutes are used"


@pytest.mark.parametrize("command", [Comment(ANA, "b" * 64), resolve(ANA)])
def test_a_holder_who_works_on_it_does_not_wait(command: object) -> None:
    case, _ = after(held_by_ana(), 10, wait())
    case, events = after(case, 12, command)
    assert kinds(events)[0] == "resumed"
    assert not case.paused


def test_somebody_who_takes_a_waiting_case_goes_on() -> None:
    case, _ = after(held_by_ana(), 10, wait())
    case, _ = after(case, 11, Unclaim(ANA))
    assert case.paused
    case, events = after(case, 12, Claim(BEN))
    assert kinds(events) == ["resumed", "claimed"]


def test_nobody_loses_a_claim_while_they_wait() -> None:
    terms = replace(TERMS, claim_lease=10 * MINUTE)
    case, _ = after(held_by_ana(terms=terms), 5, wait(60))
    _, happened = run_until(case, 70 * MINUTE)
    assert kinds(happened)[0] == "resumed"


def asked(**changes: Any) -> Case:
    """Waiting for Ben, who made the request."""
    case, _ = after(opened(sla=TERMS, requester="Ben", **changes), 0, Claim(ANA))
    return after(case, 10, wait(60))[0]


def test_an_answer_of_the_requester_ends_the_pause_and_is_on_the_record() -> None:
    case, events = after(asked(), 20, Comment(BEN, "b" * 64))
    assert [(event.type.value, event.data.get("by")) for event in events] == [
        ("resumed", "answer"),
        ("commented", None),
    ]
    assert (case.paused, case.due_at, events[0].actor) == (False, START + 70 * MINUTE, BEN)
    again, events = after(case, 21, Comment(BEN, "b" * 64))
    assert kinds(events) == ["commented"]
    assert again.due_at == case.due_at


def test_a_case_from_before_that_rule_goes_on_waiting() -> None:
    case, events = after(asked(edition=3), 20, Comment(BEN, "b" * 64))
    assert (case.paused, kinds(events)) == (True, ["commented"])


def test_a_comment_of_somebody_else_stops_no_pause() -> None:
    case, _ = after(held_by_ana(), 10, wait())
    case, events = after(case, 11, Comment(BEN, "b" * 64))
    assert (kinds(events), case.paused) == (["commented"], True)


@pytest.mark.parametrize(
    ("case", "minute", "reason"),
    [
        (held_by_ana(Severity.CRITICAL), 1, "critical"),
        (held_by_ana(terms=replace(TERMS, max_pause=None)), 1, "not_allowed"),
        (after(held_by_ana(), 1, wait())[0], 2, "paused"),
        (held_by_ana(), 61, "breached"),
        (after(after(held_by_ana(), 1, wait(120))[0], 121, Resume(ANA))[0], 122, "used_up"),
    ],
)
def test_what_cannot_be_paused_says_why(case: Case, minute: int, reason: str) -> None:
    with pytest.raises(CannotPause) as refused:
        after(case, minute, wait())
    assert refused.value.details["reason"] == reason


@pytest.mark.parametrize("up_to", [0, -1, 121])
def test_a_pause_has_a_length_within_what_is_left(up_to: int) -> None:
    with pytest.raises(Invalid):
        after(held_by_ana(), 1, wait(up_to))


def test_only_the_holder_and_seniors_stop_and_start_the_clock() -> None:
    case = held_by_ana()
    for actor in (BEN, OPERATOR):
        with pytest.raises((NotHolder, NotAllowed)):
            after(case, 1, wait(actor=actor))
    with pytest.raises(NotClaimed):
        after(case_with(), 1, wait())
    with pytest.raises(NotPaused):
        after(case, 1, Resume(ANA))
    paused, _ = after(case_with(), 1, wait(actor=SENIOR))
    assert not after(paused, 2, Resume(SENIOR))[0].paused


def test_a_case_that_ends_while_it_waits_is_not_shown_as_waiting() -> None:
    terms = replace(TERMS, expire_after=20 * MINUTE)
    case, _ = after(held_by_ana(terms=terms), 10, wait())
    case, happened = run_until(case, 20 * MINUTE)
    assert kinds(happened) == ["expired"]
    assert (case.paused, view_of(case).paused_until) == (False, None)


# Severities


def test_a_raised_severity_counts_from_creation_and_may_breach_at_once() -> None:
    case, events = after(held_by_ana(Severity.MEDIUM), 20, SetSeverity(ANA, Severity.CRITICAL))
    assert kinds(events) == ["severity_changed"]
    assert (case.due_at, case.severity) == (START + 15 * MINUTE, Severity.CRITICAL)
    case, happened = run_until(case, 20 * MINUTE)
    assert EventType.BREACHED in [event.type for event in happened]
    assert case.breached_at == START + 20 * MINUTE, "it is breached when it was raised, not before"


def test_a_raised_severity_with_time_left_breaches_at_its_new_deadline() -> None:
    case, _ = after(held_by_ana(Severity.MEDIUM), 20, SetSeverity(ANA, Severity.HIGH))
    case, _ = run_until(case, 2 * HOUR)
    assert case.breached_at == START + HOUR


def test_a_lowered_severity_keeps_the_earlier_deadline_unless_a_senior_says_so() -> None:
    case, _ = after(held_by_ana(), 5, SetSeverity(ANA, Severity.LOW))
    assert (case.due_at, view_of(case).severity) == (START + HOUR, Severity.LOW)
    with pytest.raises(NotAllowed):
        after(case, 6, SetSeverity(ANA, Severity.MEDIUM, later=True))
    later, _ = after(case, 6, SetSeverity(SENIOR, Severity.MEDIUM, later=True))
    assert later.due_at == START + 4 * HOUR


def test_raised_and_lowered_again_a_case_has_no_more_time_than_before() -> None:
    case, _ = after(held_by_ana(), 5, SetSeverity(ANA, Severity.CRITICAL))
    case, _ = after(case, 6, SetSeverity(ANA, Severity.LOW))
    assert case.due_at == START + 15 * MINUTE


def test_a_deadline_that_a_senior_moved_is_announced_anew() -> None:
    case, _ = run_until(held_by_ana(), 40 * MINUTE)
    assert (case.sla_state, case.reminded) == (SlaState.AMBER, 1)
    case, _ = after(case, 41, SetSeverity(SENIOR, Severity.MEDIUM, later=True))
    assert (case.sla_state, case.reminded) == (SlaState.OK, 0)


def test_raised_to_critical_a_case_waits_no_more() -> None:
    case, _ = after(held_by_ana(), 5, wait())
    case, events = after(case, 6, SetSeverity(ANA, Severity.CRITICAL))
    assert kinds(events) == ["severity_changed", "resumed"]
    assert case.due_at == START + 16 * MINUTE, "the minute of the pause stays its"


def test_a_pause_moves_the_deadline_that_a_lowered_severity_kept() -> None:
    case, _ = after(held_by_ana(), 5, SetSeverity(ANA, Severity.LOW))
    case, _ = after(case, 10, wait(30))
    assert case.due_at == START + 90 * MINUTE
    case, _ = after(case, 20, Resume(ANA))
    assert case.due_at == START + 70 * MINUTE


def test_a_breach_stays_whatever_the_severity_becomes() -> None:
    case, _ = run_until(case_with(), HOUR)
    changed, _ = after(case, 61, SetSeverity(SENIOR, Severity.LOW, later=True))
    assert (changed.severity, changed.sla_state, changed.breached_at) == (Severity.LOW, SlaState.BREACHED, START + HOUR)
    late, _ = after(held_by_ana(), 61, SetSeverity(SENIOR, Severity.LOW, later=True))
    assert late.due_at == START + HOUR, "nor when the alarm has not rung yet"


def test_a_case_of_before_cannot_change_its_severity() -> None:
    case, _ = after(opened(), 0, Claim(ANA))
    with pytest.raises(Invalid, match="recompute"):
        after(case, 1, SetSeverity(ANA, Severity.LOW))
    assert after(case, 1, SetSeverity(ANA, Severity.HIGH)) == (case, ())


# Critical cases and the calendar

CLOSED_NOW = replace(TERMS, open_time=OPEN, every_hour_for=(Severity.CRITICAL,))


def born_critical() -> Case:
    return held_by_ana(Severity.CRITICAL, replace(CLOSED_NOW, every_hour=True))


def test_raised_to_critical_a_case_counts_every_hour_from_creation() -> None:
    case, events = after(held_by_ana(Severity.MEDIUM, CLOSED_NOW), 5, SetSeverity(ANA, Severity.CRITICAL))
    assert (case.due_at, case.claim_due_at) == (START + 15 * MINUTE, START + 5 * MINUTE)
    assert (events[0].data["calendar"], events[0].data["set_aside"]) == (None, "noon")
    assert view_of(case).open_time is None
    late, happened = run_until(case, 20 * MINUTE)
    assert late.breached_at == START + 15 * MINUTE
    assert EventType.AMBER in [event.type for event in happened]


def test_what_was_critical_keeps_its_deadline_in_closed_hours_unless_a_senior_says_so() -> None:
    case, events = after(born_critical(), 5, SetSeverity(ANA, Severity.HIGH))
    assert (case.due_at, events[0].data["set_aside"]) == (START + 15 * MINUTE, "noon")
    later, events = after(case, 6, SetSeverity(SENIOR, Severity.MEDIUM, later=True))
    assert (later.due_at, events[0].data["calendar"]) == (NOON + 26 * HOUR, "noon"), "two hours today, two tomorrow"
    again, _ = after(later, 7, SetSeverity(ANA, Severity.CRITICAL))
    assert again.due_at == START + 15 * MINUTE


def test_a_pause_in_closed_hours_moves_the_deadline_of_what_was_critical_by_its_length() -> None:
    case, _ = after(born_critical(), 5, SetSeverity(ANA, Severity.HIGH))
    case, _ = after(case, 10, wait(30))
    assert (case.due_at, view_of(case).left_when_paused) == (START + 45 * MINUTE, 5 * MINUTE)
    case, _ = after(case, 20, Resume(ANA))
    assert case.due_at == START + 25 * MINUTE


def test_the_case_says_what_its_calendar_is_set_aside_for() -> None:
    case, (opened_as, *_) = open_case(
        opening(severity=Severity.CRITICAL, sla=replace(CLOSED_NOW, target=15 * MINUTE, every_hour=True)), START
    )
    assert (opened_as.data["calendar"], opened_as.data["set_aside"]) == (None, "noon")
    assert opened_as.data["due_at"] == (START + 15 * MINUTE).isoformat() == case.due_at.isoformat()


def test_a_case_of_before_follows_its_calendar_as_it_did() -> None:
    case, events = after(
        held_by_ana(Severity.MEDIUM, replace(TERMS, open_time=OPEN)), 5, SetSeverity(ANA, Severity.CRITICAL)
    )
    assert (case.due_at, events[0].data["calendar"]) == (NOON + 15 * MINUTE, "noon")
    assert "set_aside" not in events[0].data


def test_recomputing_takes_a_critical_case_out_of_its_calendar_and_back_only_where_settings_say_so() -> None:
    before = held_by_ana(Severity.CRITICAL, replace(TERMS, open_time=OPEN))
    case, _ = after(before, 5, Recompute(ADMIN, born_critical().terms))
    assert case.due_at == START + 15 * MINUTE
    lowered, _ = after(case, 6, SetSeverity(ANA, Severity.HIGH))
    still, _ = after(lowered, 7, Recompute(ADMIN, replace(CLOSED_NOW, target=2 * HOUR)))
    assert (still.due_at, still.terms.every_hour) == (START + 15 * MINUTE, True)
    back, _ = after(case, 8, Recompute(ADMIN, before.terms))
    assert back.due_at == NOON + 15 * MINUTE


# Other terms


def test_other_terms_move_an_open_case_and_are_on_the_record() -> None:
    case, events = after(held_by_ana(), 5, Recompute(ADMIN, replace(TERMS, target=2 * HOUR, settings_version=7)))
    assert case.due_at == START + 2 * HOUR
    assert [(event.type.value, event.data["settings_version"]) for event in events] == [("recomputed", 7)]


def test_only_admins_recompute_and_never_a_breach() -> None:
    for actor in (ANA, SENIOR, OPERATOR):
        with pytest.raises(NotAllowed):
            after(held_by_ana(), 5, Recompute(actor, TERMS))
    breached, _ = run_until(case_with(), HOUR)
    assert after(breached, 61, Recompute(ADMIN, replace(TERMS, target=9 * HOUR))) == (breached, ())
    assert after(held_by_ana(), 5, Recompute(ADMIN, TERMS)) == (held_by_ana(), ())


def test_other_terms_do_not_lift_what_a_lowered_severity_kept() -> None:
    case, _ = after(held_by_ana(), 5, SetSeverity(ANA, Severity.LOW))
    case, _ = after(case, 6, Recompute(ADMIN, replace(TERMS, target=24 * HOUR)))
    assert case.due_at == START + HOUR
