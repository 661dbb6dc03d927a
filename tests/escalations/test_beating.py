"""Heartbeats: a claim lives while its holder has the case open, with few events and up to a bound."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalations.beating import MOST_LEASES, next_beat, renewed_until
from escalations.case import Case
from escalations.commands import Claim, Comment, Extend, Unclaim
from escalations.errors import NotClaimed, NotHolder
from escalations.events import Event, EventType
from escalations.routes import Chooser, Place, Route
from escalations.sla import SlaTerms
from escalations.step import step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, START, opened

MINUTE = timedelta(minutes=1)
LEASE = 30 * MINUTE
TERMS = SlaTerms(timedelta(hours=8), claim_lease=LEASE, warn_at_lease=80)
BEAT = Extend(ANA, beat=True)


def claimed(terms: SlaTerms = TERMS) -> Case:
    return step(opened(sla=terms), Claim(ANA), START)[0]


def beaten(case: Case, minutes: range) -> tuple[Case, list[Event]]:
    """A beat at each of these minutes after the start."""
    happened: list[Event] = []
    for minute in minutes:
        case, events = step(case, BEAT, START + minute * MINUTE)
        happened += events
    return case, happened


def lease_of(case: Case) -> datetime:
    assert case.hold is not None
    assert case.hold.lease_until is not None
    return case.hold.lease_until


def test_a_beat_renews_the_claim_once_a_third_of_the_lease_is_gone() -> None:
    case, happened = beaten(claimed(), range(10))
    assert (happened, lease_of(case)) == ([], START + LEASE)
    case, [event] = step(case, BEAT, START + 10 * MINUTE)
    assert (event.type, event.data["by"]) == (EventType.EXTENDED, "heartbeat")
    assert lease_of(case) == START + 10 * MINUTE + LEASE


def test_beats_alone_keep_a_claim_for_four_leases_with_few_events() -> None:
    case, happened = beaten(claimed(), range(120))
    assert lease_of(case) == START + MOST_LEASES * LEASE
    assert len(happened) == 9
    assert beaten(case, range(110, 120))[1] == []


def test_what_the_holder_does_is_not_bounded_by_that() -> None:
    case, _ = beaten(claimed(), range(119))
    case, _ = step(case, Comment(ANA, "a" * 64), START + 119 * MINUTE)
    assert lease_of(case) == START + 119 * MINUTE + LEASE
    case, _ = step(case, Extend(ANA), START + 140 * MINUTE)
    assert lease_of(case) == START + 140 * MINUTE + LEASE


def test_a_claim_that_was_extended_for_longer_keeps_that() -> None:
    case, _ = step(claimed(), Extend(ANA, timedelta(hours=5)), START)
    assert beaten(case, range(299))[1] == []


def test_without_a_lease_a_beat_does_nothing() -> None:
    assert beaten(claimed(replace(TERMS, claim_lease=None)), range(5))[1] == []


def test_only_the_holder_keeps_a_claim() -> None:
    with pytest.raises(NotHolder):
        step(claimed(), Extend(BEN, beat=True), START)
    with pytest.raises(NotClaimed):
        step(step(claimed(), Unclaim(ANA), START)[0], BEAT, START)


def test_a_page_that_is_open_is_no_sign_that_somebody_has_taken_what_they_were_given() -> None:
    place = Place("c", 0, 0, 40 * MINUTE)
    route = Route(Chooser.RULE, "first", user="ana", position=0, place=place)
    case = opened(route=route, sla=TERMS)
    case, happened = beaten(case, range(30))
    assert [event.type for event in happened] == [EventType.EXTENDED] * 2
    assert case.ack_until == START + 40 * MINUTE
    assert view_of(case).first_claimed_at is None


@given(
    lease=st.integers(1, 100_000),
    held=st.integers(0, 400_000),
    left=st.integers(-100_000, 400_000),
)
def test_no_beat_shortens_a_claim_or_keeps_it_beyond_the_bound(lease: int, held: int, left: int) -> None:
    length, now = timedelta(seconds=lease), START + timedelta(seconds=held)
    before = now + timedelta(seconds=left)
    until = renewed_until(START, before, length, now)
    if until is not None:
        assert before < until <= START + MOST_LEASES * length


@pytest.mark.parametrize(
    ("lease", "seconds"), [(timedelta(minutes=1), 5), (timedelta(minutes=6), 30), (timedelta(hours=4), 60)]
)
def test_the_next_beat_comes_several_times_in_each_third(lease: timedelta, seconds: int) -> None:
    assert next_beat(lease) == timedelta(seconds=seconds)
