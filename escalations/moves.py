"""The few changes of state that several commands and alarms share. Each returns the next case and its event."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from escalations.case import Case, End, Hold, Status
from escalations.commands import Actor
from escalations.events import Event, EventType
from escalations.routes import Leg, LegReason, Route
from escalations.sla import SlaTerms

Moved = tuple[Case, tuple[Event, ...]]


def emit(case: Case, kind: EventType, now: datetime, actor: Actor, **data: str | int | None) -> Moved:
    """The case with one more event, which carries the next number."""
    event = Event(case.version + 1, kind, now, actor, data)
    return replace(case, version=event.seq), (event,)


def take(
    case: Case,
    login: str,
    now: datetime,
    kind: EventType,
    actor: Actor,
    own_channel: str | None = None,
    **data: str | None,
) -> Moved:
    """The case becomes `login`'s, under a new claim epoch: decisions made under an older one are stale.

    They are told on `own_channel` too, and what is on show there follows the case from then on.
    """
    lease = case.terms.lease
    assigned = kind is EventType.ASSIGNED
    hold = Hold(login, now, now + lease if lease else None, assigned)
    case = replace(
        case,
        status=Status.CLAIMED,
        hold=hold,
        claim_epoch=case.claim_epoch + 1,
        first_claimed_at=case.first_claimed_at or (None if assigned else now),
        given=case.given or (assigned and case.first_claimed_at is None),
        taken_at=now,
    )
    if own_channel is not None:
        data |= {"own_channel": own_channel}
        case = replace(case, beside=tuple(dict.fromkeys((*case.beside, own_channel))))
    return emit(
        case,
        kind,
        now,
        actor,
        assignee=login,
        claim_epoch=case.claim_epoch,
        lease_until=hold.lease_until.isoformat() if hold.lease_until else None,
        **data,
    )


def free(case: Case, now: datetime) -> Case:
    """Nobody holds it any more. In a chain its leg is asked again; who never took the case has no more time by that."""
    case = replace(case, status=Status.OPEN, hold=None)
    return case if case.ack_until is not None else ask(case, now)


def ask(case: Case, now: datetime) -> Case:
    """From now on its leg, where it is in a chain, has the leg's time to claim it."""
    place = case.route.place
    timeout = place.ack_timeout if place is not None and case.leader is None else None
    return replace(case, ack_until=None if timeout is None else now + timeout)


def heard(case: Case) -> Case:
    """Somebody has taken it: no next leg is asked, not even where it is being looked for already."""
    wanted = case.wanted_route
    if wanted is not None and wanted.reason is LegReason.UNACKNOWLEDGED:
        wanted = None
    return replace(case, ack_until=None, wanted_route=wanted)


def told_of(route: Route) -> dict[str, str | int | None]:
    """What an event says of the channels and the leg of a route."""
    told: dict[str, str | int | None] = {"channel": route.channel}
    if route.also:
        told["also"] = " ".join(route.also)
    if route.place is not None:
        told |= {"chain": route.place.chain, "leg": route.place.leg + 1, "round": route.place.round + 1}
    return told


def reroute(
    case: Case, route: Route, reason: LegReason, now: datetime, actor: Actor, kind: EventType, **data: str | None
) -> Moved:
    """A new leg begins. A route to a user arrives claimed by them."""
    before = case.route.destination
    legs = (*case.legs, Leg(route, now, reason))
    case = ask(replace(free(case, now), route=route, legs=legs, wanted_route=None), now)
    case, events = emit(
        case,
        kind,
        now,
        actor,
        **{"from": before},
        route=route.destination,
        chosen_by=route.chosen_by.value,
        rule=route.name,
        **told_of(route),
        **data,
    )
    if route.user is None or not case.given_out:
        return case, events
    case, assigned = take(case, route.user, now, EventType.ASSIGNED, actor)
    return case, events + assigned


def unpause(case: Case, now: datetime) -> Case:
    """The clock goes on, from now at the latest."""
    if not case.paused:
        return case
    start, planned = case.pauses[-1]
    end = min(max(now, start), planned)
    sla = shift_limit(case.sla, planned, end) if case.sla else None
    return replace(case, paused=False, pauses=(*case.pauses[:-1], (start, end)), sla=sla)


def shift_limit(terms: SlaTerms, before: datetime, after: datetime) -> SlaTerms:
    """The terms with as much open time from `after` to their latest deadline as there was from `before`: a pause moves
    that one too."""
    limit = terms.due_no_later_than
    if limit is None or limit < before:
        return terms
    left = terms.counted.between(before, limit)
    return replace(terms, due_no_later_than=terms.counted.add(after, left))


def resume(case: Case, now: datetime, actor: Actor, **data: str) -> Moved:
    """The clock of a paused case goes on, on the record."""
    case = unpause(case, now)
    if case.ack_until is not None:
        case = ask(case, now)
    return emit(case, EventType.RESUMED, now, actor, **data, due_at=case.due_at.isoformat())


def going_on(case: Case, actor: Actor, now: datetime) -> Moved:
    """Whoever works on a case does not wait for anybody."""
    return resume(case, now, actor) if case.paused else (case, ())


def set_apart(case: Case, actor: Actor) -> Case:
    """They had their say about this case: another has to confirm what is decided."""
    return case if actor.login in case.apart else replace(case, apart=(*case.apart, actor.login))


def with_approvals(case: Case) -> Case:
    """As many people as its severity takes. A case that once took more of them stays so: none is let off by being
    called less severe."""
    terms = next((one for one in case.opening.decisions.approvals if one.severity is case.severity), None)
    if terms is None or terms.required <= case.required_approvals:
        return case
    return replace(case, required_approvals=terms.required, approvers=terms.approvers)


def close(case: Case, end: End, now: datetime) -> Case:
    """The last change. Nothing moves a closed case."""
    case = unpause(case, now)
    status = Status.RESOLVED if end is End.RESOLVED else Status.EXPIRED
    return replace(
        case,
        status=status,
        end=end,
        ended_at=now,
        hold=None,
        wanted_route=None,
        proposal=None,
        pending=None,
        ack_until=None,
    )
