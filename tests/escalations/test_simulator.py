"""Arrivals played through the rules of a case: who is decided in time, and who is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalations.severity import Severity
from escalations.simulator import Arrival, play
from escalations.sla import SlaTerms
from escalations.windows import OpenTime

START = datetime(2026, 5, 7, 10, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def arrival(name: str, after: timedelta = timedelta(0), handling: timedelta = 10 * MINUTE, **more: object) -> Arrival:
    severity = more.pop("severity", Severity.HIGH)
    assert isinstance(severity, Severity)
    terms = SlaTerms(**{"target": HOUR, **more})  # type: ignore[arg-type]
    return Arrival(name, START + after, severity, terms, handling)


def test_what_is_decided_at_its_deadline_is_in_time_and_what_comes_behind_it_is_not() -> None:
    played = play([arrival(str(number), handling=20 * MINUTE) for number in range(4)], 1)
    assert (played.cases, played.breached) == (4, ["3"])
    assert played.by_severity == {Severity.HIGH: (1, 4)}


def test_more_reviewers_decide_more_in_time() -> None:
    waiting = [arrival(str(number), handling=30 * MINUTE) for number in range(8)]
    assert [len(play(waiting, people).breached) for people in (1, 2, 4)] == [6, 4, 0]


def test_the_most_urgent_case_is_taken_first_and_then_the_oldest() -> None:
    played = play(
        [
            arrival("first", handling=50 * MINUTE),
            arrival("older", MINUTE, handling=50 * MINUTE),
            arrival("urgent", 2 * MINUTE, handling=5 * MINUTE, severity=Severity.CRITICAL),
        ],
        1,
    )
    assert played.breached == ["older"]


def test_nobody_works_while_the_calendar_is_closed_and_no_target_runs() -> None:
    night = (START + 30 * MINUTE, START + 10 * HOUR)
    day = OpenTime("office", 1, "", ((START - HOUR, night[0]), (night[1], night[1] + 8 * HOUR)), night[1] + 24 * HOUR)
    played = play([arrival(str(number), handling=30 * MINUTE, open_time=day) for number in range(3)], 1)
    assert played.breached == ["2"]


def test_a_case_that_expired_before_anybody_came_takes_nobodys_time() -> None:
    late = arrival("late", MINUTE, expire_after=2 * HOUR)
    played = play([arrival("long", handling=5 * HOUR), late, arrival("next", 5 * HOUR)], 1)
    assert played.breached == ["long", "late"]


def test_where_nobody_reviews_there_is_nothing_to_play() -> None:
    with pytest.raises(ValueError, match="nobody"):
        play([arrival("a")], 0)
    assert play([], 1).cases == 0


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 90), st.sampled_from(list(Severity))), max_size=25),
    st.integers(1, 4),
)
def test_every_case_is_played_once(coming: list[tuple[int, int, Severity]], people: int) -> None:
    arrivals = [
        arrival(str(number), at * MINUTE, handling=takes * MINUTE, severity=severity)
        for number, (at, takes, severity) in enumerate(coming)
    ]
    played = play(arrivals, people)
    assert played.cases == len(arrivals)
    assert sum(missed for missed, _ in played.by_severity.values()) == len(played.breached)
    alone = {name for one in arrivals for name in play([one], 1).breached}
    assert alone <= set(played.breached)
