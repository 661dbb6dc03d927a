"""Who of several people gets a case: by turns, by load, by habit, or nobody, for the queue is there to pull from.

The choice is a function of what is known about the people at that moment, so nothing beside their assignments has to
be kept: whose turn it is follows from when each last got a case. Nobody gets more than the limit, nobody gets their
own request, and no case is given out while an older one, which the same person could take, waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Strategy(StrEnum):
    """How a team's cases find their people. Ties always go to whoever waited longest, then to the order given."""

    QUEUE = "queue"
    """Nobody is chosen; reviewers take what they like."""
    ROUND_ROBIN = "round_robin"
    """Whoever has gone longest without being given a case."""
    LEAST_LOADED = "least_loaded"
    """Whoever has the fewest open cases."""
    STICKY = "sticky"
    """Whoever had the last case of the same kind; else the least loaded."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who could get a case now: on shift, and permitted. `open` is how many they hold, or their weight.

    `last_assigned` is when they last were given one, None for never.
    """

    login: str
    open: int = 0
    last_assigned: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case that nobody has. `never` are those who may not get it: the requester, who escalated it further.

    `kind` is what a sticky assignment goes by (the consumer and the policy); None where there is no such thing.
    """

    escalation_id: str
    created_at: datetime
    kind: str | None = None
    never: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assignment:
    escalation_id: str
    login: str


def choose_reviewer(
    strategy: Strategy,
    waiting: Waiting,
    candidates: Iterable[Candidate],
    *,
    max_open_per_reviewer: int | None = None,
    habits: Mapping[str, str] | None = None,
) -> str | None:
    """The login that gets this case; None when the queue keeps it.

    `habits` says who had the last case of each kind. None for the limit means that there is none.
    """
    if strategy is Strategy.QUEUE:
        return None
    able = [
        candidate
        for candidate in candidates
        if candidate.login not in waiting.never
        and (max_open_per_reviewer is None or candidate.open < max_open_per_reviewer)
    ]
    if not able:
        return None
    usual = (habits or {}).get(waiting.kind) if waiting.kind is not None else None
    if strategy is Strategy.STICKY and any(candidate.login == usual for candidate in able):
        return usual
    if strategy is Strategy.ROUND_ROBIN:
        return min(able, key=_patience).login
    return min(able, key=lambda candidate: (candidate.open, _patience(candidate))).login


def drain(
    strategy: Strategy,
    backlog: Iterable[Waiting],
    candidates: Iterable[Candidate],
    now: datetime,
    *,
    max_open_per_reviewer: int | None = None,
    habits: Mapping[str, str] | None = None,
) -> tuple[Assignment, ...]:
    """Who gets which of the waiting cases now, the oldest first. Called when a case arrives, when somebody's capacity
    frees, and when somebody comes on shift; what is not in the answer waits on.

    A case that nobody present may take does not hold up those behind it.
    """
    if strategy is Strategy.QUEUE:
        return ()
    people = {candidate.login: candidate for candidate in candidates}
    known = dict(habits or {})
    given: list[Assignment] = []
    for waiting in sorted(backlog, key=lambda waiting: (waiting.created_at, waiting.escalation_id)):
        login = choose_reviewer(
            strategy, waiting, people.values(), max_open_per_reviewer=max_open_per_reviewer, habits=known
        )
        if login is None:
            continue
        given.append(Assignment(waiting.escalation_id, login))
        # To the end of the order, so that of several given out at one instant the first given counts as the oldest.
        candidate = people.pop(login)
        people[login] = replace(candidate, open=candidate.open + 1, last_assigned=now)
        if waiting.kind is not None:
            known[waiting.kind] = login
    return tuple(given)


def _patience(candidate: Candidate) -> tuple[bool, float]:
    last = candidate.last_assigned
    return (True, last.timestamp()) if last is not None else (False, 0.0)
