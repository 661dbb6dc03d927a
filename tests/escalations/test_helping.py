"""Asking for help keeps a claim, for a bounded time, and stops no clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from escalations.case import Appeal, Case
from escalations.clock import next_alarm, ring
from escalations.commands import Actor, AskForHelp, Claim, Role, Unclaim
from escalations.errors import ConflictOfInterest, Invalid, NotClaimed, NotHolder, NotIndependent
from escalations.events import EventType
from escalations.helping import LONGEST_HELP
from escalations.sla import AlarmKind
from escalations.step import step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, SENIOR, START, opened
from tests.escalations.test_amending import TERMS

MINUTE = timedelta(minutes=1)
LEASED = replace(TERMS, claim_lease=10 * MINUTE, warn_at_lease=80)


def held(**changes: object) -> Case:
    return step(opened(sla=LEASED, edition=1, **changes), Claim(ANA), START)[0]


def ask(*people: str, up_to: timedelta | None = 30 * MINUTE, actor: Actor = ANA, asked: str = "") -> AskForHelp:
    return AskForHelp(actor, asked or people[0], people, "h" * 64, up_to)


def lease_ends(case: Case) -> datetime:
    while (alarm := next_alarm(case)) is not None and alarm.kind is not AlarmKind.LEASE:
        case, _ = ring(case, alarm, alarm.at)
    assert alarm is not None
    return alarm.at


def test_the_claim_does_not_run_out_before_the_time_is_over() -> None:
    case, [event] = step(held(), ask("ben"), START + MINUTE)
    assert (event.type, event.data["asked"], event.actor) == (EventType.HELP_ASKED, "ben", ANA)
    assert lease_ends(case) == START + 31 * MINUTE


def test_the_clock_of_the_case_goes_on() -> None:
    before = held()
    case, _ = step(before, ask("ben"), START + MINUTE)
    assert (case.due_at, case.amber_at, case.paused) == (before.due_at, before.amber_at, False)


def test_a_longer_lease_stays() -> None:
    case, _ = step(held(), ask("ben", up_to=MINUTE), START)
    assert case.hold is not None
    assert case.hold.lease_until == START + 10 * MINUTE


def test_those_who_are_asked_are_named_while_it_is_held_and_no_longer() -> None:
    case, _ = step(held(), ask("ben", "cara", asked="team:tax"), START)
    view = view_of(case)
    assert view.help is not None
    assert (view.help.asked, view.help.people) == ("team:tax", ("ben", "cara"))
    assert view_of(step(case, Unclaim(ANA), START)[0]).help is None


def test_one_claim_waits_for_help_so_long_and_no_longer_however_many_are_asked() -> None:
    case, _ = step(held(), ask("ben", up_to=LONGEST_HELP - MINUTE), START)
    case, _ = step(case, ask("cara", up_to=2 * MINUTE), START + LONGEST_HELP - 2 * MINUTE)
    with pytest.raises(Invalid, match="hand the case on"):
        step(case, ask("dora", up_to=2 * MINUTE), START + LONGEST_HELP - MINUTE)
    with pytest.raises(Invalid, match="waits 4h more"):
        step(held(), ask("ben", up_to=LONGEST_HELP + MINUTE), START)


def test_only_the_holder_asks_not_even_a_senior_in_their_stead() -> None:
    with pytest.raises(NotHolder):
        step(held(), ask("ben", actor=SENIOR), START)
    with pytest.raises(NotClaimed):
        step(opened(sla=LEASED), ask("ben"), START)


def test_who_may_have_no_part_in_the_review_is_not_asked() -> None:
    with pytest.raises(ConflictOfInterest):
        step(held(requester="rita"), ask("Rita"), START)
    with pytest.raises(Invalid, match="nobody to ask there but you"):
        step(held(), ask("ana"), START)
    case, _ = step(held(requester="rita"), ask("rita", "ana", "ben", asked="team:legal"), START)
    view = view_of(case)
    assert view.help is not None
    assert view.help.people == ("ben",)


def test_who_decided_what_an_appeal_contests_is_not_asked_about_it() -> None:
    lead = Actor("lead", roles=(Role.SENIOR,))
    contested = opened(sla=LEASED, edition=1, appeal=Appeal("esc_1", (BEN.login,)))
    case, _ = step(contested, Claim(lead), START)
    with pytest.raises(NotIndependent):
        step(case, ask(BEN.login, actor=lead), START)
