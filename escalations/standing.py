"""How a case stands, as far as refusals go: over or not, held by whom. Derived alike from the case and from its view,
so that the workflow refuses, and the API refuses early, in the very same words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escalations.case import Case, End, Status
from escalations.commands import Actor
from escalations.errors import AlreadyClaimed, AlreadyExpired, AlreadyResolved, NotClaimed, NotHolder
from escalations.views import View


@dataclass(frozen=True, slots=True)
class Standing:
    end: End | None
    ended_at: datetime | None
    resolution: str | None
    reviewer: str | None
    holder: str | None
    since: datetime | None


def standing_of(case: Case) -> Standing:
    decision, hold = case.decision, case.hold
    return Standing(
        case.end,
        case.ended_at,
        decision.resolution.value if decision else None,
        decision.reviewer if decision else None,
        hold.login if hold else None,
        hold.since if hold else None,
    )


def standing_of_view(view: View) -> Standing:
    holder = view.assignee if view.status is Status.CLAIMED else None
    return Standing(view.end, view.ended_at, view.resolution, view.reviewer, holder, view.claimed_at)


def check_open(standing: Standing) -> None:
    """Raises AlreadyResolved or AlreadyExpired for a case that is over."""
    if standing.end is None:
        return
    at = standing.ended_at.isoformat() if standing.ended_at else None
    if standing.resolution is not None:
        raise AlreadyResolved(
            f"already resolved: {standing.resolution} by {standing.reviewer} at {at}",
            state="resolved",
            resolution=standing.resolution,
            reviewer=standing.reviewer,
            at=at,
        )
    how = "the consumer withdrew it" if standing.end is End.WITHDRAWN else "nobody decided in time"
    raise AlreadyExpired(f"already closed at {at}: {how}", state="expired", end=standing.end.value, at=at)


def check_free(standing: Standing, actor: Actor) -> None:
    """Raises AlreadyClaimed when somebody else holds it."""
    if standing.holder is None or standing.holder == actor.login:
        return
    since = standing.since.isoformat() if standing.since else None
    raise AlreadyClaimed(
        f"{standing.holder} holds this escalation since {since}", state="claimed", assignee=standing.holder, since=since
    )


def check_held(standing: Standing, actor: Actor, *, leads_too: bool = False) -> None:
    """Raises NotClaimed when nobody holds it, NotHolder when another does. `leads_too`: those who lead may as well."""
    if standing.holder is None:
        raise NotClaimed("nobody holds this escalation; claim it first", state="open")
    if standing.holder == actor.login or (leads_too and actor.leads):
        return
    since = standing.since.isoformat() if standing.since else None
    raise NotHolder(
        f"{standing.holder} holds this escalation since {since}; ask them, or a senior to assign it to you",
        state="claimed",
        assignee=standing.holder,
        since=since,
    )
