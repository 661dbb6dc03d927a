"""What time does to a case: amber, breach, the end of a claim's lease, expiry.

The caller asks `next_alarm` until when it may sleep, and `ring` what has happened by then. Neither looks at a clock.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from escalations.case import Case, End, WantedRoute
from escalations.commands import SYSTEM
from escalations.events import EventType
from escalations.moves import Moved, close, emit, free
from escalations.routes import LegReason
from escalations.sla import Alarm, AlarmKind, SlaState

_ORDER = list(AlarmKind)


def next_alarm(case: Case) -> Alarm | None:
    """The next thing that time will do to this case, None when it is over."""
    if case.closed:
        return None
    alarms = [Alarm(AlarmKind.EXPIRE, case.expires_at)]
    if case.sla_state is SlaState.OK:
        alarms.append(Alarm(AlarmKind.AMBER, case.amber_at))
    if case.sla_state in (SlaState.OK, SlaState.AMBER):
        alarms.append(Alarm(AlarmKind.BREACH, case.due_at))
    if case.hold and case.hold.lease_until:
        alarms.append(Alarm(AlarmKind.LEASE, case.hold.lease_until))
    return min(alarms, key=lambda alarm: (alarm.at, _ORDER.index(alarm.kind)))


def ring(case: Case, alarm: Alarm, now: datetime) -> Moved:
    """What an alarm does. One that is early, or that no longer fits the case, does nothing."""
    if alarm != next_alarm(case) or now < alarm.at:
        return case, ()
    match alarm.kind:
        case AlarmKind.AMBER:
            case = replace(case, sla_state=SlaState.AMBER)
            return emit(case, EventType.AMBER, now, SYSTEM, due_at=case.due_at.isoformat())
        case AlarmKind.BREACH:
            return _breach(case, now)
        case AlarmKind.LEASE:
            holder = case.hold.login if case.hold else None
            return emit(free(case), EventType.LEASE_EXPIRED, now, SYSTEM, assignee=holder)
        case AlarmKind.EXPIRE:
            closed = close(case, End.EXPIRED, now)
            return emit(closed, EventType.EXPIRED, now, SYSTEM, content_digest=case.opening.content_digest)


def _breach(case: Case, now: datetime) -> Moved:
    """The deadline has passed undecided: the claimant is released, and the next level is wanted."""
    holder = case.hold.login if case.hold else None
    case = replace(case, sla_state=SlaState.BREACHED, breached_at=case.due_at)
    case, events = emit(case, EventType.BREACHED, now, SYSTEM, due_at=case.due_at.isoformat(), assignee=holder)
    if holder is not None:
        case, released = emit(free(case), EventType.RELEASED_AT_BREACH, now, SYSTEM, assignee=holder)
        events += released
    return replace(case, wanted_route=WantedRoute(LegReason.BREACHED, case.route.position)), events
