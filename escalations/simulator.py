"""What a queue would have come to: arrivals played through the rules of a case with so many reviewers at work.

Every case is opened, claimed, resolved and rung for by the same `open_case`, `step` and `next_alarm` as the real ones;
a breach is the event of that name. Reviewers take the most urgent case first (severity, then age, as the queue is
sorted), one at a time, and work only in the open time of the case's calendar.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from escalations.case import EDITION, Case, DecisionTerms, Opening
from escalations.clock import next_alarm
from escalations.commands import Actor, Claim, Resolve, Role
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.events import EventType
from escalations.routes import Chooser, Route
from escalations.severity import Severity
from escalations.sla import SlaTerms
from escalations.step import open_case, step
from escalations.windows import ALWAYS

_QUEUE = Route(Chooser.RULE, "the simulated queue", team="reviewers", position=0)
_REVIEWER = Actor("reviewer", roles=(Role.REVIEWER,))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A case that comes in: when, how severe, held to which terms, and how long somebody needs for it."""

    name: str
    at: datetime
    severity: Severity
    terms: SlaTerms
    handling: timedelta


@dataclass(slots=True)
class Played:
    """`breached` names the cases that were not decided in time; `by_severity` has (breached, cases)."""

    cases: int = 0
    breached: list[str] = field(default_factory=list)
    by_severity: dict[Severity, tuple[int, int]] = field(default_factory=dict)


def play(arrivals: Iterable[Arrival], reviewers: int) -> Played:
    """Raises ValueError where nobody works."""
    if reviewers < 1:
        raise ValueError("nobody reviews")
    coming = sorted(arrivals, key=lambda arrival: arrival.at)
    played = Played()
    if not coming:
        return played
    free = [coming[0].at] * reviewers
    waiting: list[tuple[int, datetime, int]] = []
    next_in = 0
    now = coming[0].at
    while next_in < len(coming) or waiting:
        # Who was free before has been waiting for work since.
        now = max(now, heapq.heappop(free))
        if not waiting and next_in < len(coming):
            now = max(now, coming[next_in].at)
        while next_in < len(coming) and coming[next_in].at <= now:
            heapq.heappush(waiting, (coming[next_in].severity.rank, coming[next_in].at, next_in))
            next_in += 1
        arrival = coming[heapq.heappop(waiting)[2]]
        done, breached = _worked_off(arrival, now)
        heapq.heappush(free, done)
        played.cases += 1
        missed, total = played.by_severity.get(arrival.severity, (0, 0))
        played.by_severity[arrival.severity] = missed + breached, total + 1
        if breached:
            played.breached.append(arrival.name)
    return played


def _worked_off(arrival: Arrival, begun: datetime) -> tuple[datetime, bool]:
    """Until when a reviewer who takes it up at `begun` is busy with it, and whether it breached."""
    # A lease is for people who walk away, and reminders change nothing.
    terms = replace(arrival.terms, claim_lease=None, notify_at_remaining=())
    case, _ = open_case(_opening(arrival, terms), arrival.at)
    case, late = _rung(case, begun)
    if case.closed:
        return begun, late
    case, _ = step(case, Claim(_REVIEWER), begun)
    # People work while the calendar is open, also on a case whose clock runs through every hour.
    done = (terms.open_time or ALWAYS).add(begun, arrival.handling)
    case, breached = _rung(case, done)
    if not case.closed:
        if case.hold is None:
            case, _ = step(case, Claim(_REVIEWER), done)
        step(case, Resolve(_REVIEWER, Resolution.BLOCK), done)
    return done, late or breached


def _rung(case: Case, until: datetime) -> tuple[Case, bool]:
    """The case with every alarm rung up to an instant. One due in that very instant is late: a decision then is in
    time."""
    breached = False
    while (alarm := next_alarm(case)) is not None and alarm.at < until:
        case, events = step(case, alarm, alarm.at)
        breached |= _breaches(events)
    return case, breached


def _breaches(events: Sequence[object]) -> bool:
    return any(getattr(event, "type", None) is EventType.BREACHED for event in events)


def _opening(arrival: Arrival, terms: SlaTerms) -> Opening:
    return Opening(
        escalation_id=arrival.name,
        tenant="simulated",
        event_id="",
        policy_rule="",
        reason_code="",
        severity=arrival.severity,
        config_version="",
        config_digest="",
        content_digest="",
        request_digest="",
        route=_QUEUE,
        sla=terms,
        decisions=DecisionTerms(DEFAULT_CATEGORIES),
        consumer="",
        edition=EDITION,
    )
