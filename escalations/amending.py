"""The commands that change a case's clock: a pause while the requester answers, another severity, other terms.

A breach is for good: no command here undoes one, and one that moves the deadline of a case past it changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from escalations.case import Case
from escalations.commands import Actor, Recompute, Resume, Role, SetSeverity, WaitOnRequester
from escalations.durations import format_duration
from escalations.errors import CannotPause, Invalid, NotAllowed, NotPaused
from escalations.events import EventType
from escalations.moves import Moved, emit, resume, shift_limit, with_approvals
from escalations.severity import Severity
from escalations.sla import SlaState, SlaTerms
from escalations.standing import check_held, standing_of

Amendment = WaitOnRequester | Resume | SetSeverity | Recompute


def amend(case: Case, command: Amendment, now: datetime) -> Moved:
    """Raises as the command's own function does."""
    match command:
        case WaitOnRequester():
            return _wait_on_requester(case, command, now)
        case Resume():
            return _go_on(case, command, now)
        case SetSeverity():
            return _set_severity(case, command, now)
        case Recompute():
            return _recompute(case, command, now)


def _wait_on_requester(case: Case, command: WaitOnRequester, now: datetime) -> Moved:
    """Raises CannotPause where the clock may not be stopped, Invalid for a pause that is too long."""
    _check_holds_or_leads(case, command.actor)
    most = case.terms.max_pause
    if most is None:
        raise CannotPause("the settings of this case allow no pause (sla.max_pause)", reason="not_allowed")
    if case.severity is Severity.CRITICAL:
        raise CannotPause("the clock of a critical case is never stopped", reason="critical")
    if case.paused:
        raise CannotPause(f"its clock already stands still until {case.pauses[-1][1].isoformat()}", reason="paused")
    if _too_late(case, now) or (now == case.due_at and case.opening.edition >= 3):
        # Of a pause that begins at the deadline the deadline would know nothing: it would pass in the midst of it.
        raise CannotPause("its deadline has passed; a pause would not undo that", reason="breached")
    left = most - sum((end - start for start, end in case.pauses), timedelta(0))
    if left <= timedelta(0):
        raise CannotPause(f"its pauses have used up the {format_duration(most)} that they may last", reason="used_up")
    length = left if command.up_to is None else command.up_to
    if not timedelta(0) < length <= left:
        raise Invalid(f"its clock may stand still for {format_duration(left)} at most", field="up_to")
    until = now + length
    hold = case.hold
    if hold is not None and hold.lease_until is not None and case.terms.lease is not None:
        # Nobody who waits for somebody else has to prove all the while that they are still there.
        hold = replace(hold, lease_until=max(hold.lease_until, until + case.terms.lease), warned=False)
    sla = shift_limit(case.sla, now, until) if case.sla else None
    case = replace(case, paused=True, pauses=(*case.pauses, (now, until)), sla=sla, hold=hold)
    return emit(
        case,
        EventType.PAUSED,
        now,
        command.actor,
        reason_digest=command.reason_digest,
        paused_until=until.isoformat(),
        due_at=case.due_at.isoformat(),
    )


def _go_on(case: Case, command: Resume, now: datetime) -> Moved:
    """Raises NotPaused."""
    _check_holds_or_leads(case, command.actor)
    if not case.paused:
        raise NotPaused("the clock of this escalation is running")
    return resume(case, now, command.actor)


def _set_severity(case: Case, command: SetSeverity, now: datetime) -> Moved:
    """Raises Invalid for a case that is too old to know the targets of other severities."""
    actor, wanted = command.actor, command.severity
    _check_holds_or_leads(case, actor)
    if command.later and not actor.leads:
        raise NotAllowed("only a senior or an admin may move a deadline later")
    before = case.severity
    if wanted is before:
        return case, ()
    terms = _for_severity(case, wanted, later=command.later)
    case = with_approvals(replace(case, severity_now=wanted))
    if not _too_late(case, now):
        case = _held_to(case, terms, now)
    return _amended(
        case,
        EventType.SEVERITY_CHANGED,
        now,
        actor,
        **{"from": before.value},
        severity=wanted.value,
        note_digest=command.note_digest,
    )


def _recompute(case: Case, command: Recompute, now: datetime) -> Moved:
    """A deadline that a lowered severity kept stays; a case that has breached stays as it is."""
    if Role.ADMIN not in command.actor.roles:
        raise NotAllowed("only an admin may hold escalations to other terms")
    kept = case.terms.every_hour and bool(command.terms.every_hour_for)
    terms = replace(
        command.terms,
        due_no_later_than=case.terms.due_no_later_than,
        every_hour=command.terms.every_hour or kept,
    )
    if _too_late(case, now) or terms == case.terms:
        return case, ()
    case = _held_to(case, terms, now)
    return _amended(case, EventType.RECOMPUTED, now, command.actor)


def _for_severity(case: Case, severity: Severity, *, later: bool) -> SlaTerms:
    targets = {known: (target, claim_target) for known, target, claim_target in case.terms.by_severity}
    if severity not in targets:
        raise Invalid(
            "this escalation was opened before severities could change; `kt sla recompute --apply` lets it follow",
            field="severity",
        )
    target, claim_target = targets[severity]
    limit = None if later else case.terms.due_no_later_than
    # What was critical once has no closed hours any more: the deadline that it keeps was counted without them.
    every_hour = severity in case.terms.every_hour_for or (case.terms.every_hour and not later)
    terms = replace(
        case.terms, target=target, claim_target=claim_target, due_no_later_than=limit, every_hour=every_hour
    )
    moves_later = case.opening.edition >= 3 and terms.due_at(case.created_at, case.pauses) > case.due_at
    # Where settings give the more severe case more time, raising it moves no deadline later either.
    if not later and (moves_later or not severity.at_least(case.severity)):
        return replace(terms, due_no_later_than=case.due_at)
    return terms


def _held_to(case: Case, terms: SlaTerms, now: datetime) -> Case:
    """The case under other terms. What it was told of a deadline that is farther away now does not count any more."""
    case = replace(case, sla=terms, retargeted_at=now)
    at = [terms.at_remaining(percent, case.created_at, case.pauses) for percent in terms.notify_at_remaining]
    case = replace(case, reminded=min(case.reminded, sum(instant <= now for instant in at)))
    if case.sla_state is SlaState.AMBER and now < case.amber_at:
        case = replace(case, sla_state=SlaState.OK)
    return case


def _amended(case: Case, kind: EventType, now: datetime, actor: Actor, **data: str | None) -> Moved:
    """The event, and the end of a pause that the case may not have any more."""
    terms = case.terms
    case, events = emit(
        case,
        kind,
        now,
        actor,
        **data,
        target=format_duration(terms.target),
        settings_version=terms.settings_version,
        calendar=terms.calendar.calendar if terms.calendar else None,
        **({"set_aside": terms.set_aside} if terms.set_aside else {}),
        due_at=case.due_at.isoformat(),
    )
    if case.paused and (case.severity is Severity.CRITICAL or case.due_at <= now):
        case, resumed = resume(case, now, actor)
        events += resumed
    return case, events


def _too_late(case: Case, now: datetime) -> bool:
    """Whether it has breached, even if the alarm has not rung yet."""
    return case.sla_state is SlaState.BREACHED or now > case.due_at


def _check_holds_or_leads(case: Case, actor: Actor) -> None:
    if not actor.leads:
        check_held(standing_of(case), actor)
