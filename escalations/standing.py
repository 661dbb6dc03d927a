"""How a case stands, as far as refusals go: over or not, held by whom. Derived alike from the case and from its view,
so that the workflow refuses, and the API refuses early, in the very same words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escalations.case import Appeal, Case, End, Pending, Proposal, Status
from escalations.commands import Actor, ActorKind
from escalations.directory import Eligibility
from escalations.errors import (
    AlreadyClaimed,
    AlreadyDecided,
    AlreadyExpired,
    AlreadyResolved,
    ConflictOfInterest,
    FollowsLeader,
    NotAllowed,
    NotClaimed,
    NothingProposed,
    NotHolder,
    NotIndependent,
    StaleProposal,
)
from escalations.views import View

_WHILE_PENDING = frozenset({"undo", "comment", "withdraw", "recompute"})
_WHILE_FOLLOWING = frozenset({"comment", "withdraw", "recompute"})
_OPEN_TO_REQUESTERS = frozenset({"comment", "withdraw", "recompute"})


@dataclass(frozen=True, slots=True)
class Standing:
    end: End | None
    ended_at: datetime | None
    resolution: str | None
    reviewer: str | None
    holder: str | None
    since: datetime | None
    requester: str | None = None
    proposal: Proposal | None = None
    approvers: tuple[str, ...] | None = None
    apart: tuple[str, ...] = ()
    pending: Pending | None = None
    leader: str | None = None
    appeal: Appeal | None = None


def standing_of(case: Case) -> Standing:
    decision, hold = case.decision, case.hold
    return Standing(
        case.end,
        case.ended_at,
        decision.resolution.value if decision else None,
        decision.reviewer if decision else None,
        hold.login if hold else None,
        hold.since if hold else None,
        case.requester,
        case.proposal,
        case.approvers,
        case.apart if case.required_approvals > 1 else (),
        case.pending,
        case.leader,
        case.opening.appeal,
    )


def standing_of_view(view: View) -> Standing:
    holder = view.assignee if view.status is Status.CLAIMED else None
    return Standing(
        view.end,
        view.ended_at,
        view.resolution,
        view.reviewer,
        holder,
        view.claimed_at,
        view.requester,
        view.proposal,
        view.approvers,
        view.apart,
        view.pending,
        view.leader,
        view.appeal,
    )


def is_requester(standing: Standing, login: str | None) -> bool:
    """Whether it is their own request. A login in other letters is still theirs."""
    return login is not None and standing.requester is not None and login.lower() == standing.requester.lower()


def check_apart(standing: Standing, actor: Actor, operation: str) -> None:
    """Raises ConflictOfInterest for the requester, whatever their roles: they may comment and withdraw, no more.

    Holding every case to other terms (`recompute`) is no choice about this one. Of an appeal, likewise: raises
    NotIndependent for who decided what is contested, NotAllowed for who is no senior.
    """
    if operation in _OPEN_TO_REQUESTERS or actor.kind is ActorKind.SYSTEM:
        return
    if standing.appeal is not None:
        _check_appeal(standing.appeal, actor.login)
        if not actor.leads:
            raise NotAllowed("an appeal is for seniors and admins", operation=operation)
    if not is_requester(standing, actor.login):
        return
    raise ConflictOfInterest(
        f"{actor.login} made the request that this escalation is about, so somebody else has to review it",
        operation=operation,
    )


def check_may_hold(standing: Standing, login: str | None) -> None:
    """Raises ConflictOfInterest when the case would become the requester's.

    While a decision waits to be confirmed, only who may confirm it can hold the case: raises as check_independent.
    """
    if is_requester(standing, login):
        raise ConflictOfInterest(
            f"{login} made the request that this escalation is about; give it to somebody else", assignee=login
        )
    if standing.appeal is not None and login is not None:
        _check_appeal(standing.appeal, login)
    if standing.proposal is not None and login is not None:
        check_independent(standing, login)


def _check_appeal(appeal: Appeal, login: str) -> None:
    if login.lower() in (one.lower() for one in appeal.decided_by):
        raise NotIndependent(
            f"{login} decided {appeal.escalation_id}, which this appeal contests; somebody else has to",
            contests=appeal.escalation_id,
        )


def may_hold(standing: Standing, login: str | None) -> bool:
    """Whether a route may give them the case."""
    try:
        check_may_hold(standing, login)
    except NotAllowed:
        return False
    return True


def eligibility(standing: Standing) -> Eligibility:
    """Who a route may lead to: the very people that `check_may_hold` lets have it, and of an appeal only those who may
    decide it."""
    proposed = standing.proposal is not None
    never = frozenset(standing.apart if proposed else ())
    if standing.appeal is not None:
        never |= frozenset(standing.appeal.decided_by)
    only = frozenset(standing.approvers) if proposed and standing.approvers is not None else None
    return Eligibility(standing.requester, never, only, leads=standing.appeal is not None)


def check_independent(standing: Standing, login: str) -> None:
    """Raises NotIndependent for who proposed a decision or handed the case on, NotAllowed for who is no approver."""
    if login.lower() in (one.lower() for one in standing.apart):
        raise NotIndependent(
            f"{login} has proposed a decision of this escalation or handed it on, so somebody else has to confirm",
            assignee=login,
        )
    if standing.approvers is not None and login not in standing.approvers:
        who = ", ".join(standing.approvers) or "nobody who is left"
        raise NotAllowed(f"{login} is not an approver of this escalation; it takes {who}", assignee=login)


def check_proposed(standing: Standing, actor: Actor, number: int | None) -> Proposal:
    """The proposal that is meant. Raises NothingProposed, StaleProposal, or NotHolder when another holds the case."""
    proposal = standing.proposal
    if proposal is None:
        raise NothingProposed("no decision waits to be confirmed here; claim the escalation and resolve it")
    if standing.holder is not None:
        check_held(standing, actor)
    if number is not None and number != proposal.seq:
        raise StaleProposal(
            "another decision is proposed now than the one that you saw; look at the case again", proposal=proposal.seq
        )
    return proposal


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


def check_undecided(standing: Standing, operation: str) -> None:
    """Raises AlreadyDecided while a decision waits to count; it may be undone, talked about, and withdrawn.

    Raises FollowsLeader for a case that is decided elsewhere; it may be talked about and withdrawn too.
    """
    if standing.leader is not None and operation not in _WHILE_FOLLOWING:
        raise FollowsLeader(
            f"the same request waits as {standing.leader}, whose decision is this one's too; go there",
            leader=standing.leader,
        )
    pending = standing.pending
    if pending is None or operation in _WHILE_PENDING:
        return
    decision, at = pending.decision, pending.release_at.isoformat()
    raise AlreadyDecided(
        f"{pending.by.login} decided to {decision.resolution.value} this, which counts from {at} on; undo that first",
        resolution=decision.resolution.value,
        reviewer=pending.by.login,
        release_at=at,
    )


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
