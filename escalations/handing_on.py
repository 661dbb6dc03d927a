"""Who has a case next: handed on to the next level or by name, assigned to one person, routed when its time was up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from escalations.acknowledging import exhaust, skipped_in_words
from escalations.case import Case, WantedRoute
from escalations.commands import SYSTEM, Actor, ActorKind, Assign, EscalateFurther, Routed
from escalations.errors import Refused
from escalations.events import EventType
from escalations.moves import Moved, ask, emit, free, heard, reroute, set_apart, take
from escalations.routes import LegReason
from escalations.standing import check_free, check_held, check_may_hold, may_hold, standing_of


def escalate(case: Case, command: EscalateFurther, now: datetime) -> Moved:
    """Raises NotHolder where somebody else holds it, and as `check_may_hold`."""
    if case.hold is not None:
        check_held(standing_of(case), command.actor, leads_too=True)
    case = set_apart(case, command.actor)
    if command.route is not None:
        check_may_hold(standing_of(case), command.route.user)
        kind = EventType.ESCALATED
        note = command.note_digest
        return reroute(case, command.route, LegReason.ESCALATED, now, command.actor, kind, note_digest=note)
    wanted = WantedRoute(LegReason.ESCALATED, case.route.position)
    case = replace(free(case, now), wanted_route=wanted)
    return emit(
        case,
        EventType.ESCALATED,
        now,
        command.actor,
        **{"from": case.route.destination},
        note_digest=command.note_digest,
    )


def assign(case: Case, command: Assign, now: datetime) -> Moved:
    """Raises NotClaimed, NotHolder, Refused for what is not to be given out, and as `check_may_hold`."""
    actor = command.actor
    if actor.kind is ActorKind.SYSTEM:
        _check_waits(case, actor)
    elif not actor.leads:
        check_held(standing_of(case), actor)
    check_may_hold(standing_of(case), command.assignee)
    if case.hold and case.hold.login == command.assignee:
        return case, ()
    if actor.kind is not ActorKind.SYSTEM:
        case = heard(case)
    told = {"note_digest": command.note_digest, **by(command.strategy)}
    return take(case, command.assignee, now, EventType.ASSIGNED, actor, command.own_channel, **told)


def by(strategy: str | None) -> dict[str, str]:
    """What an assignment says of the strategy behind it."""
    return {} if strategy is None else {"strategy": strategy}


def _check_waits(case: Case, actor: Actor) -> None:
    """What is given out by rule must lie in a queue: not with somebody, and not on its way to the next level. An appeal
    lies in none: a senior claims it."""
    check_free(standing_of(case), actor)
    if not case.given_out:
        raise Refused("an appeal is given to nobody by rule; a senior or an admin claims it", state="appeal")
    if case.wanted_route is not None:
        raise Refused("this escalation is on its way to its next level", state="rerouting")


def settle(case: Case, routed: Routed, now: datetime) -> Moved:
    """The answer to the wish for a next route. One that nobody waits for any more changes nothing."""
    wanted = case.wanted_route
    if wanted is None or case.closed:
        return case, ()
    skipped = skipped_in_words(routed.skipped)
    if routed.route is not None and may_hold(standing_of(case), routed.route.user):
        passed = {} if skipped is None else {"skipped": skipped}
        case, events = reroute(case, routed.route, wanted.reason, now, SYSTEM, EventType.REASSIGNED, **passed)
        login = routed.assignee
        nobodys = login is None or not case.given_out
        if case.hold is not None or nobodys or not may_hold(standing_of(case), login):
            return case, events
        assert login is not None
        told = by(routed.strategy)
        case, assigned = take(case, login, now, EventType.ASSIGNED, SYSTEM, routed.own_channel, **told)
        return case, events + assigned
    case = replace(case, wanted_route=None)
    if wanted.reason is LegReason.UNACKNOWLEDGED:
        if routed.route is None:
            return exhaust(case, routed.exhausted, skipped, now)
        # Whom it led to may not have the case any more: the same leg has its time once more.
        case = ask(case, now)
    reason, route = wanted.reason.value, case.route.destination
    told = {} if skipped is None else {"skipped": skipped}
    return emit(case, EventType.UNROUTED, now, SYSTEM, reason=reason, route=route, **told)
