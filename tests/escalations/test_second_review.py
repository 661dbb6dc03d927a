"""Who may look at a case a second time, and which cases are."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from escalations.case import Appeal, Case, Precedent
from escalations.commands import Actor, Assign, Claim, Comment, Role, Unclaim
from escalations.decision_settings import SecondReviewSettings
from escalations.decisions import Resolution
from escalations.errors import (
    AlreadyClaimed,
    AlreadyExpired,
    AlreadyResolved,
    EscalationError,
    NotAllowed,
    NotClaimed,
    NotHolder,
    NotIndependent,
)
from escalations.events import Event
from escalations.second_review import (
    LEASE,
    ReviewOpening,
    ReviewStatus,
    SecondReview,
    begin,
    claim,
    decide,
    expire,
    give_back,
    is_sampled,
    opening_of,
)
from escalations.step import open_case, refuse, step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, OPERATOR, SENIOR, START, TO_ANA, opening, resolve

WAIT = timedelta(days=7)
CARA = Actor("cara", roles=(Role.REVIEWER,))
DORA = Actor("dora", roles=(Role.REVIEWER,))


def decided(**changes: object) -> tuple[Case, tuple[Event, ...]]:
    """Ana commented and gave it back, Ben was given it and allowed it; Cara asked in vain."""
    case, history = open_case(opening(second_review=WAIT, **changes), START)
    for command in (Claim(ANA), Comment(ANA, "t" * 64), Unclaim(ANA), Assign(SENIOR, "ben"), resolve(BEN)):
        case, events = step(case, command, START)
        history += events
        if isinstance(command, Claim):
            case, events = refuse(case, "claim", CARA, AlreadyClaimed("held"), START)
            history += events
    return case, history


def second(**changes: object) -> ReviewOpening:
    found = opening_of(*decided(**changes), "rev_1")
    assert found is not None
    return found


def taken(by: Actor = CARA) -> SecondReview:
    return claim(begin(second(), START), by, START)


def test_everybody_who_had_a_part_in_the_case_is_kept_apart() -> None:
    assert set(second(requester="rita").apart) == {"ana", "ben", "sam", "rita"}


def test_who_decided_what_an_appeal_contests_is_kept_apart_from_its_second_look() -> None:
    case, history = decided()
    contested = replace(case, opening=replace(case.opening, appeal=Appeal("esc_0", ("zoe",))))
    found = opening_of(contested, history, "rev_1")
    assert found is not None
    assert "zoe" in found.apart


def test_what_was_not_sampled_not_decided_or_decided_elsewhere_is_not_looked_at_again() -> None:
    case, history = decided()
    for other in (
        replace(case, opening=replace(case.opening, second_review=None)),
        replace(case, decision=None),
        replace(case, opening=replace(case.opening, leader="esc_0")),
        replace(case, opening=replace(case.opening, precedent=Precedent("esc_0", "other", START))),
        replace(case, route=TO_ANA),
    ):
        assert opening_of(other, history, "rev_1") is None


def test_a_view_says_whether_the_case_was_sampled() -> None:
    assert view_of(decided()[0]).second_review
    assert not view_of(open_case(opening(), START)[0]).second_review


@pytest.mark.parametrize("who", [ANA, BEN, SENIOR, Actor("BEN", roles=(Role.REVIEWER,))])
def test_nobody_who_had_a_part_takes_it(who: Actor) -> None:
    with pytest.raises(NotIndependent):
        claim(begin(second(), START), who, START)


def test_an_unverified_operator_takes_none() -> None:
    with pytest.raises(NotAllowed):
        claim(begin(second(), START), OPERATOR, START)


def test_one_person_has_it_until_it_is_given_back_or_an_hour_is_over() -> None:
    review = taken()
    assert claim(review, CARA, START) is review
    with pytest.raises(AlreadyClaimed):
        claim(review, DORA, START + LEASE - timedelta(seconds=1))
    assert claim(review, DORA, START + LEASE).reviewer == "dora"
    back = give_back(review, CARA)
    assert (back.status, back.reviewer, back.version) == (ReviewStatus.OPEN, None, 3)
    assert claim(back, DORA, START).reviewer == "dora"


def test_only_who_has_it_decides() -> None:
    with pytest.raises(NotClaimed):
        decide(begin(second(), START), resolve(CARA), START)
    with pytest.raises(NotHolder):
        decide(taken(), resolve(DORA), START)
    done = decide(taken(), resolve(CARA, Resolution.BLOCK, category="policy_gap"), START)
    assert (done.status, done.resolution, done.category, done.reviewer) == ("done", "block", "policy_gap", "cara")


@pytest.mark.parametrize(
    ("over", "error"),
    [(decide(taken(), resolve(CARA), START), AlreadyResolved), (expire(taken(), START + WAIT), AlreadyExpired)],
)
def test_what_is_over_stays_over(over: SecondReview, error: type[EscalationError]) -> None:
    for move in (
        lambda: claim(over, DORA, START),
        lambda: give_back(over, CARA),
        lambda: decide(over, resolve(CARA), START),
    ):
        with pytest.raises(error):
            move()


def test_the_sample_is_the_share_and_the_same_every_time() -> None:
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000)]
    drawn = [digest for digest in digests if is_sampled(digest, 5)]
    assert 140 < len(drawn) < 260
    assert drawn == [digest for digest in digests if is_sampled(digest, 5)]
    assert all(is_sampled(digest, 100) for digest in digests)
    assert not any(is_sampled(digest, 0) for digest in digests)


def test_the_share_is_of_the_policies_that_are_named() -> None:
    some = SecondReviewSettings.model_validate({"share": "5%", "policy_rule": "human-oversight.legal_opinions"})
    assert some.share_of("human-oversight", "legal_opinions") == 5
    assert some.share_of("human-oversight", "hiring_actions") == 0
    assert SecondReviewSettings.model_validate({"share": 0.2}).share_of("any", "thing") == 20
