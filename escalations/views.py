"""What everybody outside sees of a case: one flat record, without any text that a person or a model wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from escalations.case import Appeal, Case, End, Help, Pending, Proposal, Status
from escalations.commands import SYSTEM
from escalations.facts import Facts
from escalations.routes import Route
from escalations.severity import Severity
from escalations.sla import SlaState
from escalations.windows import ALWAYS, OpenTime


@dataclass(frozen=True, slots=True)
class View:
    """A case as the queue, the API and the projection know it.

    `version` grows with every event: a view with a higher one is newer. Times are UTC. `team` is the team whose
    queue it is in, None when it was routed to a person. `resolution_time_seconds` counts from creation.
    `paused_until` is set while its clock stands still; `open_time` is the calendar that counts, None for around the
    clock. `requester` may have no part in the review. A decision takes `required_approvals` people; until they agree it
    is the `proposal`, and then it was `approved_by` the further ones. One that can still be undone is `pending`.
    The same request waits as `leader`, or was blocked as `precedent`. An `appeal` contests another case's block. Who
    was asked for `help` by its holder sees it too. With `second_review` its decision is kept from those who may look at
    it a second time.
    In a chain, the next leg is asked at `ack_until`. `score` is how sure the policy was, in thousandths.
    No deadline is later than `due_no_later_than`, which a lowered severity has kept. It was `given` where somebody was
    given it before anybody had claimed it; `taken_at` is the last claim or assignment, also when the case is over. A
    claim lasts for `lease` without a sign of life, None for ever.
    """

    escalation_id: str
    tenant: str
    version: int
    status: Status
    sla_state: SlaState
    severity: Severity
    policy_rule: str
    reason_code: str
    created_at: datetime
    sla_deadline: datetime
    amber_at: datetime
    expires_at: datetime
    route: Route
    team: str | None
    assignee: str | None
    claimed_at: datetime | None
    first_claimed_at: datetime | None
    lease_until: datetime | None
    claim_epoch: int
    breached_at: datetime | None
    event_id: str
    consumer: str
    consumer_team: str | None
    consumer_group: str | None
    gateway: str | None
    provider: str | None
    target: str | None
    model: str | None
    config_version: str
    config_digest: str
    settings_version: int
    content_digest: str
    request_digest: str
    legs: int
    end: End | None
    ended_at: datetime | None
    resolution: str | None
    category: str | None
    reviewer: str | None
    note_digest: str | None
    released_digest: str | None
    resolution_time_seconds: int | None
    paused_until: datetime | None = None
    claim_due_at: datetime | None = None
    open_time: OpenTime | None = None
    requester: str | None = None
    required_approvals: int = 1
    proposal: Proposal | None = None
    approvers: tuple[str, ...] | None = None
    apart: tuple[str, ...] = ()
    approved_by: tuple[str, ...] = ()
    pending: Pending | None = None
    leader: str | None = None
    precedent: str | None = None
    second_review: bool = False
    appeal: Appeal | None = None
    ack_until: datetime | None = None
    score: int | None = None
    help: Help | None = None
    due_no_later_than: datetime | None = None
    given: bool = False
    taken_at: datetime | None = None
    lease: timedelta | None = None

    @property
    def left_when_paused(self) -> timedelta | None:
        """How much open time is left to its deadline while its clock stands still, else None. The deadline is
        that of a pause as long as planned, so it tells nobody when the case will be due."""
        if self.paused_until is None or self.end is not None:
            return None
        return (self.open_time or ALWAYS).between(self.paused_until, max(self.paused_until, self.sla_deadline))

    @property
    def unseen(self) -> bool:
        """Whether it was released though no person decided it, at the end of a chain."""
        return self.resolution is not None and self.reviewer == SYSTEM.login and self.precedent is None


def facts_of(view: View) -> Facts:
    """The case as settings ask about it: as severe as it is now."""
    return Facts(
        policy_rule=view.policy_rule,
        reason_code=view.reason_code,
        severity=view.severity,
        team=view.consumer_team,
        consumer_group=view.consumer_group,
        requester=view.requester,
        consumer=view.consumer,
        provider=view.provider,
        model=view.model,
        score=view.score,
    )


def view_of(case: Case) -> View:
    opening, decision, hold = case.opening, case.decision, case.hold
    reviewer = decision.reviewer if decision else None
    return View(
        escalation_id=opening.escalation_id,
        tenant=opening.tenant,
        version=case.version,
        status=case.status,
        sla_state=SlaState.PAUSED if case.paused else case.sla_state,
        severity=case.severity,
        policy_rule=opening.policy_rule,
        reason_code=opening.reason_code,
        created_at=case.created_at,
        sla_deadline=case.due_at,
        amber_at=case.amber_at,
        expires_at=case.expires_at,
        route=case.route,
        team=case.route.team,
        assignee=hold.login if hold else reviewer,
        claimed_at=hold.since if hold else None,
        first_claimed_at=case.first_claimed_at,
        lease_until=hold.lease_until if hold else None,
        claim_epoch=case.claim_epoch,
        breached_at=case.breached_at,
        event_id=opening.event_id,
        consumer=opening.consumer,
        consumer_team=opening.consumer_team,
        consumer_group=opening.consumer_group,
        gateway=opening.gateway,
        provider=opening.provider,
        target=opening.target,
        model=opening.model,
        config_version=opening.config_version,
        config_digest=opening.config_digest,
        settings_version=opening.sla.settings_version,
        content_digest=opening.content_digest,
        request_digest=opening.request_digest,
        legs=len(case.legs),
        end=case.end,
        ended_at=case.ended_at,
        resolution=decision.resolution.value if decision else None,
        category=decision.category if decision else None,
        reviewer=reviewer,
        note_digest=decision.note_digest if decision else None,
        released_digest=decision.released_digest if decision else None,
        resolution_time_seconds=(
            round((decision.at - case.created_at).total_seconds()) if decision is not None else None
        ),
        paused_until=case.pauses[-1][1] if case.paused else None,
        claim_due_at=case.claim_due_at,
        open_time=case.terms.calendar,
        requester=case.requester,
        required_approvals=case.required_approvals,
        proposal=case.proposal,
        approvers=case.approvers,
        apart=case.apart if case.required_approvals > 1 else (),
        approved_by=decision.approved_by if decision else (),
        pending=case.pending,
        leader=case.leader,
        appeal=opening.appeal,
        help=hold.help if hold else None,
        precedent=opening.precedent.escalation_id if opening.precedent else None,
        second_review=opening.second_review_due,
        ack_until=case.ack_until,
        score=opening.score,
        due_no_later_than=case.terms.due_no_later_than,
        given=case.given,
        taken_at=case.taken_at,
        lease=case.terms.lease,
    )
