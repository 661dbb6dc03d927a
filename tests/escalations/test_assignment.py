"""Who gets a case, one at a time, and over a thousand of them with people who come and go."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

import pytest

from escalations.assignment import Assignment, Candidate, Strategy, Waiting, choose_reviewer, drain

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CASE = Waiting("esc_1", NOON)


def ago(minutes: int) -> datetime:
    return NOON - minutes * MINUTE


ANA = Candidate("ana", open=3, last_assigned=ago(30))
BEN = Candidate("ben", open=1, last_assigned=ago(5))
CARA = Candidate("cara", open=1, last_assigned=ago(10))
PEOPLE = (ANA, BEN, CARA)


@pytest.mark.parametrize(
    ("strategy", "chosen"),
    [
        (Strategy.QUEUE, None),
        (Strategy.ROUND_ROBIN, "ana"),
        (Strategy.LEAST_LOADED, "cara"),
        (Strategy.STICKY, "cara"),
    ],
)
def test_each_strategy_has_its_choice(strategy: Strategy, chosen: str | None) -> None:
    assert choose_reviewer(strategy, CASE, PEOPLE) == chosen


def test_whoever_was_never_given_one_comes_first() -> None:
    new = Candidate("dan", open=1)
    assert choose_reviewer(Strategy.ROUND_ROBIN, CASE, (*PEOPLE, new)) == "dan"
    assert choose_reviewer(Strategy.LEAST_LOADED, CASE, (*PEOPLE, new)) == "dan"


@pytest.mark.parametrize("strategy", [Strategy.ROUND_ROBIN, Strategy.LEAST_LOADED, Strategy.STICKY])
def test_nobody_gets_more_than_the_limit(strategy: Strategy) -> None:
    assert choose_reviewer(strategy, CASE, (ANA, BEN), max_open_per_reviewer=3) == "ben"
    assert choose_reviewer(strategy, CASE, PEOPLE, max_open_per_reviewer=1) is None
    assert choose_reviewer(strategy, CASE, ()) is None


@pytest.mark.parametrize("strategy", [Strategy.ROUND_ROBIN, Strategy.LEAST_LOADED, Strategy.STICKY])
def test_nobody_gets_their_own_request(strategy: Strategy) -> None:
    own = Waiting("esc_1", NOON, kind="app", never=frozenset({"ana", "cara"}))
    assert choose_reviewer(strategy, own, PEOPLE, habits={"app": "ana"}) == "ben"


def test_a_habit_is_kept_while_there_is_room() -> None:
    case = Waiting("esc_1", NOON, kind="app")
    assert choose_reviewer(Strategy.STICKY, case, PEOPLE, habits={"app": "ana"}) == "ana"
    assert choose_reviewer(Strategy.STICKY, case, PEOPLE, habits={"app": "ana"}, max_open_per_reviewer=3) == "cara"
    assert choose_reviewer(Strategy.STICKY, case, PEOPLE, habits={"app": "gone"}) == "cara"
    assert choose_reviewer(Strategy.STICKY, CASE, PEOPLE, habits={"app": "ana"}) == "cara"


def test_the_oldest_backlog_goes_first_and_waits_for_nobody_absent() -> None:
    backlog = [
        Waiting("esc_new", ago(1)),
        Waiting("esc_own", ago(99), never=frozenset({"ben"})),
        Waiting("esc_old", ago(50)),
        Waiting("esc_mid", ago(20)),
    ]
    given = drain(Strategy.LEAST_LOADED, backlog, [BEN], NOON, max_open_per_reviewer=3)
    assert given == (Assignment("esc_old", "ben"), Assignment("esc_mid", "ben"))


def test_a_burst_is_dealt_out_in_turn() -> None:
    backlog = [Waiting(f"esc_{number}", ago(9 - number)) for number in range(6)]
    given = drain(Strategy.ROUND_ROBIN, backlog, PEOPLE, NOON)
    assert [assignment.login for assignment in given] == ["ana", "cara", "ben"] * 2


def test_a_habit_begins_with_the_first_of_a_burst() -> None:
    backlog = [Waiting(f"esc_{number}", ago(9 - number), kind="app") for number in range(3)]
    assert {assignment.login for assignment in drain(Strategy.STICKY, backlog, PEOPLE, NOON)} == {"cara"}


def test_a_queue_is_left_to_those_who_pull_from_it() -> None:
    assert drain(Strategy.QUEUE, [CASE], PEOPLE, NOON) == ()


@dataclass
class Team:
    """A day of a team: arrivals, decisions, people who come on shift and go. Every assignment is checked."""

    strategy: Strategy
    limit: int | None
    people: dict[str, Candidate]
    present: set[str]
    waiting: dict[str, Waiting] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    dealt: Counter[str] = field(default_factory=Counter)
    fair: dict[str, float] = field(default_factory=dict)
    shifts: int = 0
    oldest: timedelta = timedelta(0)

    def assign(self, now: datetime) -> None:
        candidates = [self.people[login] for login in sorted(self.present)]
        for given in drain(self.strategy, self.waiting.values(), candidates, now, max_open_per_reviewer=self.limit):
            self._check(given)
            case = self.waiting.pop(given.escalation_id)
            self.people[given.login] = Candidate(given.login, self.people[given.login].open + 1, now)
            self.held[case.escalation_id] = given.login
            self.oldest = max(self.oldest, now - case.created_at)
            self.dealt[given.login] += 1
            for login in self.present:
                self.fair[login] = self.fair.get(login, 0) + 1 / len(self.present)
        assert not (self.waiting and any(self._has_room(login) for login in self.present))

    def _check(self, given: Assignment) -> None:
        case, person = self.waiting[given.escalation_id], self.people[given.login]
        assert given.login in self.present
        assert self._has_room(given.login)
        assert case.created_at == min(other.created_at for other in self.waiting.values())
        able = [self.people[login] for login in self.present if self._has_room(login)]
        if self.strategy is Strategy.ROUND_ROBIN:
            never = datetime.min.replace(tzinfo=UTC)
            assert (person.last_assigned or never) == min(other.last_assigned or never for other in able)
        else:
            assert person.open == min(other.open for other in able)

    def _has_room(self, login: str) -> bool:
        return self.limit is None or self.people[login].open < self.limit

    def decide(self, escalation_id: str) -> None:
        person = self.people[self.held.pop(escalation_id)]
        self.people[person.login] = Candidate(person.login, person.open - 1, person.last_assigned)


def simulate(strategy: Strategy, seed: int, every: int, limit: int | None) -> Team:
    """A thousand arrivals, one in so many seconds on average. Everybody decides a case in three minutes or so, and
    one arrival in fifty comes with a change of shift."""
    chance = random.Random(seed)
    people = {name: Candidate(name) for name in ("ana", "ben", "cara", "dan", "eve", "finn")}
    team = Team(strategy, limit, people, set(people))
    happenings: list[tuple[datetime, str]] = []
    at = NOON
    for number in range(1000):
        at += timedelta(seconds=chance.expovariate(1 / every))
        heappush(happenings, (at, f"esc_{number:04}"))
    while happenings:
        now, what = heappop(happenings)
        if what in team.held:
            team.decide(what)
        else:
            team.waiting[what] = Waiting(what, now)
            if chance.random() < 0.02:
                team.present = team.present ^ {chance.choice(sorted(people))} or set(people)
                team.shifts += 1
        before = set(team.held)
        team.assign(now)
        for escalation_id in sorted(team.held.keys() - before):
            heappush(happenings, (now + timedelta(seconds=chance.uniform(60, 300)), escalation_id))
    return team


SIMULATED = [Strategy.ROUND_ROBIN, Strategy.LEAST_LOADED]


@pytest.mark.parametrize("strategy", SIMULATED)
@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_arrivals_are_shared_by_whoever_is_there(strategy: Strategy, seed: int) -> None:
    team = simulate(strategy, seed, every=60, limit=None)
    assert team.dealt.total() == 1000
    assert team.oldest == timedelta(0)
    if strategy is Strategy.ROUND_ROBIN:
        # By turns nobody is ahead or behind by more than one case between two changes of shift.
        for login in team.people:
            assert abs(team.dealt[login] - team.fair[login]) <= team.shifts + 1


@pytest.mark.parametrize("strategy", SIMULATED)
@pytest.mark.parametrize("seed", range(4))
def test_with_too_much_work_nobody_is_over_the_limit_and_nothing_is_lost(strategy: Strategy, seed: int) -> None:
    team = simulate(strategy, seed, every=20, limit=4)
    assert team.dealt.total() == 1000
    assert not team.waiting
    assert not team.held
    assert team.oldest > timedelta(0)
    assert all(person.open == 0 for person in team.people.values())
