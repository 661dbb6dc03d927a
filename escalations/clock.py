"""What time does to a case: amber, reminders, breach, the ends of a pause, a lease and a leg of a chain, expiry.

The caller asks `next_alarm` until when it may sleep, and `ring` what has happened by then. Neither looks at a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from escalations.acknowledging import pass_on
from escalations.case import Case, End, WantedRoute
from escalations.commands import SYSTEM
from escalations.deciding import release
from escalations.events import EventType
from escalations.moves import Moved, close, emit, free, resume
from escalations.routes import LegReason
from escalations.sla import Alarm, AlarmKind, SlaState

_ORDER = list(AlarmKind)


def next_alarm(case: Case) -> Alarm | None:
    """The next thing that time will do to this case, None when it is over."""
    if case.closed:
        return None
    return min(alarms_of(case), key=lambda alarm: (alarm.at, _ORDER.index(alarm.kind)))


def alarms_of(case: Case) -> Iterator[Alarm]:
    """All that time may do to a case that is open, in no order."""
    if case.pending is not None:
        # It was decided in time: nothing else can become of it unless that is undone.
        yield Alarm(AlarmKind.RELEASE, case.pending.release_at)
        return
    yield Alarm(AlarmKind.EXPIRE, case.expires_at)
    if case.leader is not None:
        # Its leader is the older one: people are told by that one's clock.
        return
    if case.paused:
        yield Alarm(AlarmKind.RESUME, case.pauses[-1][1])
    if case.hold and case.hold.lease_until:
        yield Alarm(AlarmKind.LEASE, case.hold.lease_until)
    if (warn_at := case.lease_warning_at) is not None:
        yield Alarm(AlarmKind.LEASE_WARNING, warn_at)
    if case.ack_until is not None and not case.paused and case.wanted_route is None:
        yield Alarm(AlarmKind.ACK, case.ack_until)
    if case.sla_state is SlaState.BREACHED:
        return
    yield Alarm(AlarmKind.BREACH, case.due_at)
    if case.sla_state is SlaState.OK:
        yield Alarm(AlarmKind.AMBER, case.amber_at)
    if (remind_at := case.next_reminder_at) is not None:
        yield Alarm(AlarmKind.REMIND, remind_at)
    if _unclaimed(case) and (claim_due_at := case.claim_due_at) is not None:
        yield Alarm(AlarmKind.CLAIM_DUE, claim_due_at)


def _unclaimed(case: Case) -> bool:
    """Nobody has it or ever took it, and nobody was told so yet."""
    return case.hold is None and case.first_claimed_at is None and case.claim_overdue_at is None


def ring(case: Case, alarm: Alarm, now: datetime) -> Moved:
    """What an alarm does. One that is early, or that no longer fits the case, does nothing."""
    if alarm != next_alarm(case) or now < alarm.at:
        return case, ()
    match alarm.kind:
        case AlarmKind.RELEASE:
            return release(case, now)
        case AlarmKind.RESUME:
            return resume(case, now, SYSTEM)
        case AlarmKind.AMBER:
            case = replace(case, sla_state=SlaState.AMBER)
            return emit(case, EventType.AMBER, now, SYSTEM, due_at=case.due_at.isoformat())
        case AlarmKind.REMIND:
            return _remind(case, now)
        case AlarmKind.CLAIM_DUE:
            case = replace(case, claim_overdue_at=alarm.at)
            return emit(case, EventType.CLAIM_OVERDUE, now, SYSTEM, claim_due_at=alarm.at.isoformat())
        case AlarmKind.ACK:
            return pass_on(case, now)
        case AlarmKind.BREACH:
            return _breach(case, now)
        case AlarmKind.LEASE_WARNING:
            return _warn(case, now)
        case AlarmKind.LEASE:
            holder = case.hold.login if case.hold else None
            return emit(free(case, now), EventType.LEASE_EXPIRED, now, SYSTEM, assignee=holder)
        case AlarmKind.EXPIRE:
            closed = close(case, End.EXPIRED, now)
            return emit(closed, EventType.EXPIRED, now, SYSTEM, content_digest=case.opening.content_digest)


def _warn(case: Case, now: datetime) -> Moved:
    hold = case.hold
    assert hold is not None
    case = replace(case, hold=replace(hold, warned=True))
    until = hold.lease_until.isoformat() if hold.lease_until else None
    return emit(case, EventType.LEASE_WARNING, now, SYSTEM, assignee=hold.login, lease_until=until)


def _remind(case: Case, now: datetime) -> Moved:
    """After an outage, or when the deadline came nearer, several reminders are one."""
    while (at := case.next_reminder_at) is not None and at <= now:
        case = replace(case, reminded=case.reminded + 1)
    remaining = case.terms.notify_at_remaining[case.reminded - 1]
    return emit(case, EventType.REMINDER, now, SYSTEM, due_at=case.due_at.isoformat(), remaining_percent=remaining)


def _breach(case: Case, now: datetime) -> Moved:
    """The deadline has passed undecided: the claimant is released, and the next level is wanted.

    A deadline that was moved into the past is breached when it was moved.
    """
    holder = case.hold.login if case.hold else None
    at = max(case.due_at, case.retargeted_at or case.due_at)
    case = replace(case, sla_state=SlaState.BREACHED, breached_at=at)
    case, events = emit(case, EventType.BREACHED, now, SYSTEM, due_at=case.due_at.isoformat(), assignee=holder)
    if holder is not None:
        case, released = emit(free(case, now), EventType.RELEASED_AT_BREACH, now, SYSTEM, assignee=holder)
        events += released
    if case.wanted_route is not None and case.wanted_route.reason is LegReason.UNACKNOWLEDGED:
        # Its leg was not heard of: that way the end of the chain comes, if it was the last.
        return case, events
    return replace(case, wanted_route=WantedRoute(LegReason.BREACHED, case.route.position)), events
