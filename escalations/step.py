"""The rules of a case: `step(case, command, now)` gives the next case and what happened, or raises a refusal.

    open ──claim──► claimed ──resolve──► resolved
     ▲  ◄─unclaim─┘   │
     └──── breach, lease, escalate        open, claimed ──expire, withdraw──► expired

Pure: the workflow, the tests, the simulator and the backtest run this same code. A refused command changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from escalations.acknowledging import hear, skipped_in_words
from escalations.amending import amend
from escalations.beating import renewed_until
from escalations.case import Case, End, LeaderEnded, Opening, Status
from escalations.clock import ring
from escalations.commands import (
    REVIEWERS,
    SYSTEM,
    Actor,
    ActorKind,
    Approve,
    AskForHelp,
    Assign,
    Claim,
    Command,
    Comment,
    EscalateFurther,
    Extend,
    Object,
    Recompute,
    Resolve,
    Resume,
    Role,
    Routed,
    SetSeverity,
    Unclaim,
    Undo,
    WaitOnRequester,
    Withdraw,
)
from escalations.deciding import decide, follow, repeat
from escalations.decisions import Resolution
from escalations.durations import format_duration
from escalations.errors import EscalationError, Invalid, NotAllowed
from escalations.events import Event, EventType
from escalations.handing_on import assign, by, escalate, settle
from escalations.helping import ask_for_help
from escalations.moves import (
    Moved,
    ask,
    close,
    emit,
    free,
    going_on,
    heard,
    resume,
    take,
    told_of,
    with_approvals,
)
from escalations.routes import Leg, LegReason
from escalations.sla import Alarm, SlaState
from escalations.standing import (
    check_apart,
    check_free,
    check_held,
    check_may_hold,
    check_open,
    check_undecided,
    is_requester,
    may_hold,
    standing_of,
)

LONGEST_EXTENSION = timedelta(hours=24)
MOST_REFUSALS = 100
"""Refused signals that a case writes down; more would let anybody with access to Temporal fill its history."""

_OPERATOR_MAY = (Claim, Unclaim, EscalateFurther)


def open_case(opening: Opening, now: datetime) -> Moved:
    """A case is born; a route to a user, or an assignment in its team, makes it theirs at once. One with a precedent
    ends as it was born."""
    route = opening.route
    case = Case(
        opening=opening,
        created_at=now,
        version=0,
        status=Status.OPEN,
        sla_state=SlaState.OK,
        route=route,
        legs=(Leg(route, now, LegReason.OPENED),),
        leader=opening.leader,
        parent=opening.appeal.escalation_id if opening.appeal else None,
    )
    precedent = opening.precedent.escalation_id if opening.precedent else None
    contested = opening.appeal.escalation_id if opening.appeal else None
    skipped = skipped_in_words(opening.skipped)
    kin: dict[str, str | int | None] = {
        "leader": opening.leader,
        "precedent": precedent,
        "appeal_of": contested,
        "skipped": skipped,
        "set_aside": opening.sla.set_aside,
    }
    case, events = emit(
        ask(with_approvals(case), now),
        EventType.OPENED,
        now,
        Actor(opening.consumer, ActorKind.CONSUMER),
        severity=opening.severity.value,
        policy_rule=opening.policy_rule,
        reason_code=opening.reason_code,
        route=route.destination,
        chosen_by=route.chosen_by.value,
        rule=route.name,
        **told_of(route),
        event_id=opening.event_id,
        content_digest=opening.content_digest,
        config_version=opening.config_version,
        target=format_duration(opening.sla.target),
        settings_version=opening.sla.settings_version,
        calendar=opening.sla.calendar.calendar if opening.sla.calendar else None,
        due_at=case.due_at.isoformat(),
        **{name: value for name, value in kin.items() if value is not None},
    )
    if opening.precedent is not None:
        case, ended = repeat(case, opening.precedent, now)
        return case, events + ended
    nobodys = opening.leader is not None or opening.appeal is not None
    login = route.user or opening.assignee
    if nobodys or login is None or not may_hold(standing_of(case), login):
        return case, events
    if route.user is not None:
        case, assigned = take(case, login, now, EventType.ASSIGNED, SYSTEM)
    else:
        told = by(opening.strategy)
        case, assigned = take(case, login, now, EventType.ASSIGNED, SYSTEM, opening.own_channel, **told)
    return case, events + assigned


def step(case: Case, happening: Command | Alarm | Routed | LeaderEnded, now: datetime) -> Moved:
    """What `happening` makes of `case` at the instant `now`.

    Raises a subclass of EscalationError when a command is refused; alarms, routes and leaders are never refused.
    """
    match happening:
        case Alarm():
            return ring(case, happening, now)
        case Routed():
            return settle(case, happening, now)
        case LeaderEnded():
            return follow(case, happening, now)
    return _carry_out(case, happening, now)


def _carry_out(case: Case, happening: Command, now: datetime) -> Moved:
    _permit(case, happening)
    standing = standing_of(case)
    check_open(standing)
    check_apart(standing, happening.actor, happening.operation)
    check_undecided(standing, happening.operation)
    case, taken = hear(case, happening, now)
    case, events = _do(case, happening, now)
    return case, taken + events


def _do(case: Case, happening: Command, now: datetime) -> Moved:
    match happening:
        case Claim(actor):
            return _claim(case, actor, now)
        case Unclaim(actor):
            return _unclaim(case, actor, now)
        case Resolve() | Approve() | Object() | Undo():
            return decide(case, happening, now)
        case EscalateFurther():
            return escalate(case, happening, now)
        case Assign():
            return assign(case, happening, now)
        case Extend():
            return _extend(case, happening, now)
        case AskForHelp():
            return ask_for_help(case, happening, now)
        case Comment():
            return _comment(case, happening, now)
        case WaitOnRequester() | Resume() | SetSeverity() | Recompute():
            return amend(case, happening, now)
        case Withdraw(actor):
            digest = case.opening.content_digest
            return emit(close(case, End.WITHDRAWN, now), EventType.WITHDRAWN, now, actor, content_digest=digest)


def refuse(case: Case, operation: str, actor: Actor, error: EscalationError, now: datetime) -> Moved:
    """A refused signal, written down: nobody else would see that it came."""
    if case.refusals >= MOST_REFUSALS:
        return case, ()
    case = replace(case, refusals=case.refusals + 1)
    return emit(case, EventType.REFUSED, now, actor, operation=operation, code=error.code)


def _permit(case: Case, command: Command) -> None:
    actor = command.actor
    if actor.kind is ActorKind.SYSTEM:
        return
    if actor.kind is ActorKind.OPERATOR:
        blocks = isinstance(command, Resolve) and command.resolution is Resolution.BLOCK
        if not (case.opening.unverified_signals and (blocks or isinstance(command, _OPERATOR_MAY))):
            raise NotAllowed(
                "an unsigned signal may claim, unclaim, block or escalate where the setting unverified_signals allows"
                " it, and never allow; use kt or the API",
                operation=command.operation,
            )
        return
    if isinstance(command, Withdraw):
        if actor.kind is ActorKind.CONSUMER or Role.ADMIN in actor.roles:
            return
        raise NotAllowed("only the consumer whose answer is held, or an admin, may withdraw it")
    if actor.kind is ActorKind.CONSUMER or not REVIEWERS.intersection(actor.roles):
        raise NotAllowed(
            f"{actor.login} may not {command.operation} escalations; a reviewer, senior or admin may",
            operation=command.operation,
        )


def _claim(case: Case, actor: Actor, now: datetime) -> Moved:
    standing = standing_of(case)
    check_free(standing, actor)
    if case.hold is not None:
        return case, ()
    check_may_hold(standing, actor.login)
    case, resumed = going_on(heard(case), actor, now)
    case, events = take(case, actor.login, now, EventType.CLAIMED, actor)
    return case, resumed + events


def _unclaim(case: Case, actor: Actor, now: datetime) -> Moved:
    check_held(standing_of(case), actor, leads_too=True)
    holder = case.hold.login if case.hold else None
    return emit(free(case, now), EventType.UNCLAIMED, now, actor, assignee=holder)


def _extend(case: Case, command: Extend, now: datetime) -> Moved:
    check_held(standing_of(case), command.actor)
    assert case.hold is not None
    if command.beat:
        return _beat(case, command.actor, now)
    if case.hold.lease_until is None:
        raise Invalid("claims have no lease here; there is nothing to extend", field="by")
    by = command.by or case.terms.lease or LONGEST_EXTENSION
    if by > LONGEST_EXTENSION:
        raise Invalid("a claim can be extended by 24 hours at most", field="by")
    until = max(now + by, case.hold.lease_until)
    case = replace(case, hold=replace(case.hold, lease_until=until, warned=False))
    return emit(case, EventType.EXTENDED, now, command.actor, lease_until=until.isoformat())


def _beat(case: Case, actor: Actor, now: datetime) -> Moved:
    hold, lease = case.hold, case.terms.lease
    assert hold is not None
    if hold.lease_until is None or lease is None:
        return case, ()
    until = renewed_until(hold.since, hold.lease_until, lease, now)
    if until is None:
        return case, ()
    case = replace(case, hold=replace(hold, lease_until=until, warned=False))
    return emit(case, EventType.EXTENDED, now, actor, lease_until=until.isoformat(), by="heartbeat")


def _comment(case: Case, command: Comment, now: datetime) -> Moved:
    actor = command.actor
    resumed: tuple[Event, ...] = ()
    if case.hold is not None and case.hold.login == actor.login:
        case, resumed = going_on(case, actor, now)
    elif case.paused and case.opening.edition >= 4 and is_requester(standing_of(case), actor.login):
        case, resumed = resume(case, now, actor, by="answer")
    case, events = emit(_renew(case, actor, now), EventType.COMMENTED, now, actor, text_digest=command.text_digest)
    return case, resumed + events


def _renew(case: Case, actor: Actor, now: datetime) -> Case:
    """A sign of life from the holder."""
    lease = case.terms.lease
    if case.hold is None or case.hold.login != actor.login or lease is None or case.hold.lease_until is None:
        return case
    return replace(case, hold=replace(case.hold, lease_until=max(case.hold.lease_until, now + lease), warned=False))
