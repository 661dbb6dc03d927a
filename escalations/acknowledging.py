"""Chains: somebody has to take a case within the time of its leg, or the next is asked; and the end of a chain.

    asked ──claim, or a sign of life of whom it was given to──► acknowledged
      └──time──► unacknowledged ──next leg──► asked …
                       └──none left──► the end that the chain names

Whoever gives a case back sets the time of its leg running again. None of this moves its deadline.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from escalations.case import Case, End, WantedRoute
from escalations.commands import SYSTEM, Command, EscalateFurther, Extend, Unclaim
from escalations.deciding import allow_unseen
from escalations.events import EventType
from escalations.moves import Moved, close, emit, free, heard, told_of
from escalations.routes import Exhausted, LegReason, OnExhausted


def hear(case: Case, command: Command, now: datetime) -> Moved:
    """Whom a case was given to has taken it by anything that they do with it but to let it go. That it is open on their
    screen is nothing that they do."""
    hold, actor = case.hold, command.actor
    if case.ack_until is None or hold is None or hold.login != actor.login:
        return case, ()
    if isinstance(command, Unclaim | EscalateFurther) or (isinstance(command, Extend) and command.beat):
        return case, ()
    case = replace(heard(case), first_claimed_at=case.first_claimed_at or now)
    return emit(case, EventType.ACKNOWLEDGED, now, actor, assignee=actor.login)


def pass_on(case: Case, now: datetime) -> Moved:
    """The time of its leg is over. Whom it was given to loses it; the next leg is wanted."""
    holder = case.hold.login if case.hold else None
    route = case.route
    case = replace(free(case, now), ack_until=None)
    case = replace(case, wanted_route=WantedRoute(LegReason.UNACKNOWLEDGED, route.position))
    kind = EventType.UNACKNOWLEDGED
    return emit(case, kind, now, SYSTEM, assignee=holder, route=route.destination, **told_of(route))


def exhaust(case: Case, exhausted: Exhausted | None, skipped: str | None, now: datetime) -> Moved:
    """The end of the chain; where it has none any more, the case waits. What several people have to decide, and an
    appeal, are never allowed by nobody."""
    exhausted, route = exhausted or Exhausted(OnExhausted.HOLD), case.route
    end = exhausted.end
    assert route.place is not None
    if end is OnExhausted.ALLOW and (case.required_approvals > 1 or case.opening.appeal is not None):
        end = OnExhausted.EXPIRE_BLOCK
    chain = route.place.chain
    spent = replace(route, place=replace(route.place, ack_timeout=None))
    case = replace(case, route=spent, ack_until=None)
    channels = exhausted.channels or (route.channel,)
    told = {**told_of(route), "channel": channels[0], "also": " ".join(channels[1:]) or None}
    case, events = emit(case, EventType.CHAIN_EXHAUSTED, now, SYSTEM, on_exhausted=end.value, skipped=skipped, **told)
    if end is OnExhausted.ALLOW:
        case, ended = allow_unseen(case, now, chain)
        return case, events + ended
    if end is OnExhausted.EXPIRE_BLOCK:
        digest = case.opening.content_digest
        case, ended = emit(
            close(case, End.EXPIRED, now), EventType.EXPIRED, now, SYSTEM, content_digest=digest, chain=chain
        )
        return case, events + ended
    return case, events


def skipped_in_words(skipped: tuple[str, ...]) -> str | None:
    """For an event: which legs were empty."""
    return "; ".join(skipped)[:1000] or None
