"""Cases of a request that waits already or was blocked: decided once, each with a record of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from escalations.case import Case, Decision, End, LeaderEnded, Precedent, Status
from escalations.clock import next_alarm
from escalations.commands import (
    Approve,
    Assign,
    Claim,
    Command,
    Comment,
    EscalateFurther,
    SetSeverity,
    Unclaim,
    Withdraw,
)
from escalations.decisions import Resolution
from escalations.errors import FollowsLeader
from escalations.events import EventType
from escalations.severity import Severity
from escalations.sla import AlarmKind
from escalations.standing import standing_of, standing_of_view
from escalations.step import open_case, step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, CONSUMER, CONTENT, SENIOR, START, TO_ANA, opened, opening, resolve
from workflows.telling import audiences

LATER = START + timedelta(minutes=2)
BLOCKED = Precedent("esc_before", "true_positive", START - timedelta(hours=1))


def following(**changes: Any) -> Case:
    return opened(leader="esc_leader", **changes)


def decision(resolution: Resolution = Resolution.ALLOW) -> Decision:
    released = CONTENT if resolution is Resolution.ALLOW else None
    return Decision(resolution, "other", "ana", LATER, CONTENT, released, None, approved_by=("ben",))


def test_a_request_that_was_blocked_is_blocked_as_it_comes() -> None:
    case, events = open_case(opening(precedent=BLOCKED, route=TO_ANA), START)
    assert [event.type for event in events] == [EventType.OPENED, EventType.RESOLVED]
    view = view_of(case)
    assert (view.status, view.resolution, view.category, view.reviewer) == (
        Status.RESOLVED, "block", "true_positive", "system",
    )  # fmt: skip
    assert (view.precedent, events[1].data["precedent"], view.released_digest) == ("esc_before", "esc_before", None)
    assert next_alarm(case) is None


def test_nobody_is_called_for_what_is_decided_elsewhere() -> None:
    for case, events in (open_case(opening(precedent=BLOCKED), START), open_case(opening(leader="esc_l"), START)):
        assert [audiences(event, view_of(case), case.legs, 1) for event in events] == [()] * len(events)


def test_a_follower_is_nobodys_until_its_leader_has_ended() -> None:
    case, events = open_case(opening(leader="esc_leader", route=TO_ANA), START)
    assert (case.hold, [event.type for event in events]) == (None, [EventType.OPENED])
    assert view_of(case).leader == "esc_leader"
    assert standing_of_view(view_of(case)) == standing_of(case)


@pytest.mark.parametrize(
    "command",
    [
        Claim(ANA),
        Unclaim(SENIOR),
        resolve(ANA),
        Approve(BEN),
        EscalateFurther(ANA),
        Assign(SENIOR, "ben"),
        SetSeverity(SENIOR, Severity.LOW),
    ],
    ids=lambda command: command.operation,
)
def test_it_is_decided_at_its_leader(command: Command) -> None:
    with pytest.raises(FollowsLeader, match="esc_leader"):
        step(following(), command, LATER)


def test_it_may_be_talked_about_withdrawn_and_expires_by_its_own_clock() -> None:
    assert step(following(), Comment(ANA, "a" * 64), LATER)[1]
    assert step(following(), Withdraw(CONSUMER), LATER)[0].end is End.WITHDRAWN
    alarm = next_alarm(following())
    assert alarm is not None
    assert alarm.kind is AlarmKind.EXPIRE


@pytest.mark.parametrize("resolution", [Resolution.ALLOW, Resolution.BLOCK])
def test_the_leaders_decision_is_its_own(resolution: Resolution) -> None:
    case, events = step(following(), LeaderEnded(decision(resolution)), LATER)
    assert [event.type for event in events] == [EventType.RESOLVED]
    view = view_of(case)
    assert (view.resolution, view.reviewer, view.approved_by) == (resolution.value, "ana", ("ben",))
    assert (events[0].actor.login, events[0].data["leader"]) == ("system", "esc_leader")
    assert step(case, LeaderEnded(decision()), LATER) == (case, ())


def test_a_leader_that_nobody_decided_leaves_a_case_of_its_own() -> None:
    case, events = step(following(), LeaderEnded(None), LATER)
    assert [event.type for event in events] == [EventType.LEADER_LEFT]
    assert case.leader is None
    assert step(case, LeaderEnded(decision()), LATER) == (case, ())
    assert step(case, Claim(ANA), LATER)[0].status is Status.CLAIMED
    alarm = next_alarm(case)
    assert alarm is not None
    assert alarm.kind is AlarmKind.AMBER
    assert audiences(events[0], view_of(case), case.legs, 1) != ()
