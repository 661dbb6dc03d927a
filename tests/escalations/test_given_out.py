"""Cases that are given to somebody of their team: at opening, on their way, and out of the queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from escalations.case import Case, Status, WantedRoute
from escalations.commands import SYSTEM, Assign, Claim, Routed, Unclaim
from escalations.errors import AlreadyClaimed, ConflictOfInterest, Refused
from escalations.routes import LegReason
from escalations.step import open_case, step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, NEXT, START, TO_ANA, opened, opening

LATER_BY = timedelta(minutes=5)
LATER = START + LATER_BY


def on_its_way(**changes: object) -> Case:
    return replace(opened(**changes), wanted_route=WantedRoute(LegReason.BREACHED, 0))


def test_a_case_opens_with_whoever_was_chosen() -> None:
    case, events = open_case(opening(assignee="ana"), START)
    assert (case.status, case.hold and case.hold.login) == (Status.CLAIMED, "ana")
    assert [(event.type.value, event.actor) for event in events][1:] == [("assigned", SYSTEM)]
    assert case.first_claimed_at is None, "nobody has taken it yet"


def test_nobody_opens_with_their_own_request() -> None:
    assert open_case(opening(assignee="Ana", requester="ana"), START)[0].status is Status.OPEN


def test_a_next_level_comes_with_whoever_was_chosen() -> None:
    case, events = step(on_its_way(), Routed(NEXT, "ben"), LATER)
    assert [event.type.value for event in events] == ["reassigned", "assigned"]
    assert case.hold is not None
    assert case.hold.login == "ben"


def test_a_next_level_that_is_a_person_goes_to_that_person() -> None:
    case, _ = step(on_its_way(), Routed(TO_ANA, "ben"), LATER)
    assert case.hold is not None
    assert case.hold.login == "ana"


def test_a_next_level_is_never_the_requester_s() -> None:
    case, events = step(on_its_way(requester="ben"), Routed(NEXT, "ben"), LATER)
    assert [event.type.value for event in events] == ["reassigned"]
    assert case.status is Status.OPEN


def test_what_waits_in_a_queue_is_given_out() -> None:
    case, events = step(opened(), Assign(SYSTEM, "ben"), LATER)
    assert [(event.type.value, event.data["assignee"]) for event in events] == [("assigned", "ben")]
    case, _ = step(case, Unclaim(BEN), LATER)
    assert case.status is Status.OPEN


def test_what_somebody_has_is_not_given_out() -> None:
    case, _ = step(opened(), Claim(ANA), LATER)
    with pytest.raises(AlreadyClaimed):
        step(case, Assign(SYSTEM, "ben"), LATER)


def test_what_is_on_its_way_to_its_next_level_is_not_given_out() -> None:
    with pytest.raises(Refused):
        step(on_its_way(), Assign(SYSTEM, "ben"), LATER)


def test_nobody_is_given_their_own_request() -> None:
    with pytest.raises(ConflictOfInterest):
        step(opened(requester="ben"), Assign(SYSTEM, "ben"), LATER)


def test_what_was_given_out_before_anybody_claimed_it_stays_so() -> None:
    case, _ = step(opened(), Assign(SYSTEM, "ben"), LATER)
    case, _ = step(case, Unclaim(BEN), LATER)
    case, _ = step(case, Claim(ANA), LATER + LATER_BY)
    view = view_of(case)
    assert (view.given, view.first_claimed_at, view.taken_at) == (True, LATER + LATER_BY, LATER + LATER_BY)


def test_what_is_handed_to_somebody_after_a_claim_was_claimed() -> None:
    case, _ = step(opened(), Claim(ANA), START)
    case, _ = step(case, Assign(ANA, "ben"), LATER)
    assert (view_of(case).given, view_of(case).taken_at) == (False, LATER)
