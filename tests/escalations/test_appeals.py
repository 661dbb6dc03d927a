"""An appeal is for a senior who had no part in what it contests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escalations.case import Appeal, Status
from escalations.clock import next_alarm
from escalations.commands import SYSTEM, Actor, Assign, Claim, Comment, EscalateFurther, Role, Routed, Withdraw
from escalations.errors import EscalationError, NotAllowed, NotIndependent, Refused
from escalations.events import EventType
from escalations.routes import Chooser, Route
from escalations.sla import SlaTerms
from escalations.standing import standing_of, standing_of_view
from escalations.step import open_case, step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, CONSUMER, NEXT, OPERATOR, SENIOR, START, TO_ANA, opened, opening, resolve

TO_BEN = Route(Chooser.RULE, "to ben", user="ben", position=1)
SHORT = SlaTerms(timedelta(hours=1), claim_lease=None)
CONTESTED = Appeal("esc_first", ("sam", "ana"))
OTHER = Actor("sue", roles=(Role.SENIOR,))
ADMIN = Actor("root", roles=(Role.ADMIN,))


def refused(command: object) -> type[EscalationError]:
    with pytest.raises(EscalationError) as error:
        step(opened(appeal=CONTESTED, unverified_signals=True), command, START)  # type: ignore[arg-type]
    return type(error.value)


def test_a_senior_who_had_no_part_in_it_decides() -> None:
    for actor in (OTHER, ADMIN):
        case, _ = step(opened(appeal=CONTESTED), Claim(actor), START)
        assert step(case, resolve(actor), START)[0].status is Status.RESOLVED


def test_neither_who_decided_before_nor_a_reviewer_does() -> None:
    for command in (
        Claim(SENIOR),
        Claim(Actor("SAM", roles=SENIOR.roles)),
        EscalateFurther(ANA),
        Assign(OTHER, "ana"),
    ):
        assert refused(command) is NotIndependent
    for command in (Claim(BEN), Claim(OPERATOR), EscalateFurther(BEN)):
        assert refused(command) is NotAllowed


def test_everybody_may_say_something_and_the_consumer_may_give_up() -> None:
    case = opened(appeal=CONTESTED)
    assert step(case, Comment(ANA, "a" * 64), START)[1]
    assert step(case, Withdraw(CONSUMER), START)[0].closed


def test_it_says_what_it_contests_and_is_nobodys_at_first() -> None:
    case, events = open_case(opening(appeal=CONTESTED, route=TO_ANA), START)
    assert (case.hold, case.parent, events[0].data["appeal_of"]) == (None, "esc_first", "esc_first")
    assert standing_of_view(view_of(case)) == standing_of(case)


@pytest.mark.parametrize(
    "by_rule",
    [Routed(NEXT, "ben", "round_robin"), Routed(NEXT, "ben", "sticky"), Routed(TO_BEN)],
    ids=["by turns", "by habit", "by a route to a person"],
)
def test_no_rule_gives_it_to_anybody(by_rule: Routed) -> None:
    """Who leads is not known to a rule of routing, and a plain reviewer could do nothing with it."""
    case, _ = open_case(opening(appeal=CONTESTED, assignee="ben", strategy="least_loaded", sla=SHORT), START)
    assert case.hold is None
    while case.wanted_route is None:
        alarm = next_alarm(case)
        assert alarm is not None
        case, _ = step(case, alarm, alarm.at)
    case, events = step(case, by_rule, START + timedelta(hours=2))
    assert ([event.type for event in events], case.hold) == ([EventType.REASSIGNED], None)
    assert refused(Assign(SYSTEM, "ben", strategy="least_loaded")) is Refused


def test_one_of_before_goes_on_as_it_was() -> None:
    case, _ = open_case(opening(appeal=CONTESTED, edition=1, sla=SHORT), START)
    while case.wanted_route is None:
        alarm = next_alarm(case)
        assert alarm is not None
        case, _ = step(case, alarm, alarm.at)
    assert step(case, Routed(TO_BEN), START + timedelta(hours=2))[0].hold is not None
