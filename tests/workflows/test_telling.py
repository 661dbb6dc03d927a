"""Which channels hear of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from escalations.case import Case
from escalations.commands import AskForHelp, Assign, Claim, EscalateFurther, Routed, Unclaim
from escalations.events import Event, EventType
from escalations.routes import Chooser, Exhausted, OnExhausted, Place, Route
from escalations.sla import Alarm, AlarmKind
from escalations.step import open_case, step
from escalations.views import view_of
from tests.escalations.cases import ANA, SENIOR, START, opened, opening, resolve
from workflows import calls
from workflows.telling import Audience, audiences

SLACK = Route(Chooser.RULE, "legal", team="legal", channel="slack:#legal", position=0)
PAGER = Route(Chooser.RULE, "on call", team="on-call", channel="pagerduty", position=1)
LOG = Route(Chooser.RULE, "to the log", team="legal", channel="log", position=2)


def told(case: Case, event: Event) -> tuple[Audience, ...]:
    return audiences(event, view_of(case), case.legs, case.opening.edition, case.beside)


def life(*routes: Route, edition: int = 1) -> list[tuple[str, tuple[Audience, ...]]]:
    """A case that is claimed and escalated along these routes, given back, and decided: who heard of which event."""
    case, events = open_case(opening(route=routes[0], edition=edition), START)
    heard = [(event.type.value, told(case, event)) for event in events]
    commands = [Claim(ANA), *(EscalateFurther(ANA, route) for route in routes[1:])]
    commands += [Claim(ANA), Unclaim(ANA), Claim(ANA), resolve(ANA)]
    for minute, command in enumerate(commands, 1):
        case, events = step(case, command, START + timedelta(minutes=minute))
        heard += [(event.type.value, told(case, event)) for event in events]
    return heard


def test_changes_of_hands_are_told_where_a_state_is_on_show() -> None:
    assert all(heard == (Audience("slack:#legal"),) for _, heard in life(SLACK))


def test_the_log_hears_only_what_somebody_should_act_on() -> None:
    assert {kind for kind, heard in life(LOG) if heard} == {"opened", "resolved"}


def test_the_channels_of_earlier_routes_follow_the_case_to_its_end() -> None:
    heard = life(SLACK, PAGER)
    moved = [kind for kind, _ in heard].index("escalated")
    assert all(at == (Audience("slack:#legal"),) for _, at in heard[:moved])
    assert all(at == (Audience("pagerduty"), Audience("slack:#legal", following=True)) for _, at in heard[moved:])


def test_a_channel_hears_of_an_event_once_however_often_the_case_comes_back() -> None:
    for _, heard in life(SLACK, PAGER, SLACK, PAGER):
        assert len({audience.channel for audience in heard}) == len(heard)


@pytest.mark.parametrize("routes", [(SLACK,), (SLACK, PAGER)])
def test_a_case_of_before_tells_what_it_told(routes: tuple[Route, ...]) -> None:
    for kind, heard in life(*routes, edition=0):
        assert len(heard) == (kind in (EventType.OPENED, EventType.ESCALATED, EventType.RESOLVED))


def test_a_leg_of_a_chain_is_told_on_all_of_its_channels_and_the_earlier_ones_follow() -> None:
    first = replace(SLACK, also=("pagerduty", "log"))
    second = replace(PAGER, channel="email", also=("pagerduty",))
    heard = dict(life(first, second))
    assert heard["opened"] == (Audience("slack:#legal"), Audience("pagerduty"), Audience("log"))
    assert heard["escalated"] == (
        Audience("email"),
        Audience("pagerduty"),
        Audience("slack:#legal", following=True),
    )
    assert Audience("log") not in heard["unclaimed"]


def test_the_end_of_a_chain_is_told_where_it_says() -> None:
    asked = replace(SLACK, place=Place("c", 0, 0, timedelta(minutes=5)))
    case, _ = open_case(opening(route=asked), START)
    at = START + timedelta(minutes=5)
    case, [missed] = step(case, Alarm(AlarmKind.ACK, at), at)
    assert told(case, missed) == (Audience("slack:#legal"),)
    end = Exhausted(OnExhausted.PAGE_ADMIN, ("pagerduty", "email"))
    case, [exhausted] = step(case, Routed(None, exhausted=end), at)
    assert told(case, exhausted) == (
        Audience("pagerduty"),
        Audience("email"),
        Audience("slack:#legal", following=True),
    )
    assert calls.recipient_of(exhausted, view_of(case)) == "role:admin"


@pytest.mark.parametrize("asked", ["ben", "team:tax"])
def test_who_is_asked_for_help_is_told_on_the_channel_of_the_case(asked: str) -> None:
    case, _ = open_case(opening(route=SLACK, edition=1), START)
    case, _ = step(case, Claim(ANA), START)
    case, [event] = step(case, AskForHelp(ANA, asked, ("ben", "cara"), "h" * 64), START)
    assert told(case, event) == (Audience("slack:#legal"),)
    assert calls.recipient_of(event, view_of(case)) == asked


OWN = "slack:#ana"


def assigned(case: Case) -> tuple[Case, Event]:
    """By a senior's word."""
    case, [event] = step(case, Assign(SENIOR, "ana", own_channel=OWN), START)
    return case, event


def given_out_at_opening() -> tuple[Case, Event]:
    case, events = open_case(opening(route=SLACK, assignee="ana", strategy="round_robin", own_channel=OWN), START)
    return case, events[-1]


def given_out_on_its_way() -> tuple[Case, Event]:
    case, _ = step(opened(route=LOG), EscalateFurther(SENIOR), START)
    case, events = step(case, Routed(SLACK, "ana", "round_robin", own_channel=OWN), START)
    return case, events[-1]


@pytest.mark.parametrize("give", [lambda: assigned(opened(route=SLACK)), given_out_at_opening, given_out_on_its_way])
def test_who_is_given_a_case_is_told_on_their_own_channel_too(give: Callable[[], tuple[Case, Event]]) -> None:
    case, event = give()
    assert event.type is EventType.ASSIGNED
    assert told(case, event)[:2] == (Audience("slack:#legal"), Audience(OWN))
    assert calls.recipient_of(event, view_of(case)) == "ana"


def test_what_was_shown_to_somebody_on_their_own_channel_follows_the_case_to_its_end() -> None:
    case, _ = assigned(opened(route=SLACK))
    for command in (Unclaim(ANA), Claim(ANA), resolve(ANA)):
        case, events = step(case, command, START)
        for event in events:
            assert told(case, event) == (Audience("slack:#legal"), Audience(OWN, following=True))


def test_somebody_whose_own_channel_is_that_of_the_case_is_told_once() -> None:
    case, [event] = step(opened(route=SLACK), Assign(SENIOR, "ana", own_channel="slack:#legal"), START)
    assert told(case, event) == (Audience("slack:#legal"),)
