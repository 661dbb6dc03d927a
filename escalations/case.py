"""The state of one escalation: what it was opened with, who holds it, how its clock stands, how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from escalations.commands import Actor, FollowUp
from escalations.decisions import Resolution
from escalations.routes import Leg, LegReason, Route
from escalations.severity import Severity
from escalations.sla import SlaState, SlaTerms
from escalations.windows import Window


class Status(StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    RESOLVED = "resolved"
    EXPIRED = "expired"


class End(StrEnum):
    """Why a case is over. `expired` and `withdrawn` share the status `expired`, and are never shown as a denial."""

    RESOLVED = "resolved"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """How many different people a decision takes at a severity, and who may confirm it (None: any reviewer)."""

    severity: Severity
    required: int
    approvers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DecisionTerms:
    """What a decision must bring, fixed at opening.

    From `note_required_from` on (None: never) a decision needs a category of the list and a note of three words.
    A severity that is not in `approvals` needs one person. For `undo_window` a decision waits before it counts.
    """

    categories: tuple[str, ...]
    note_required_from: Severity | None = None
    approvals: tuple[ApprovalTerms, ...] = ()
    undo_window: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Precedent:
    """A case whose block holds for the same request for a while."""

    escalation_id: str
    category: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Appeal:
    """What a case contests: the block of `escalation_id`, which `decided_by` made. A senior, none of them, decides."""

    escalation_id: str
    decided_by: tuple[str, ...]


EDITION = 4
"""Of the rules that a case lives under as long as it is open, so that one from before a change replays as it was.

1: changes of hands are told, also on the channels of earlier routes; the requester is kept apart from the review.
2: an appeal is given to nobody by a rule, whatever route it takes: it waits for whoever of the seniors claims it.
3: a raised severity moves no deadline later, and no pause begins at the deadline itself.
4: what the requester says ends the pause in which they are asked.
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything that a case is opened with, and keeps. No text of any prompt or answer is in it.

    `policy_rule` names the policy that fired and `reason_code` what it found (`legal_opinions`). `config_version`
    is `pack@version` and `config_digest` the hash of that configuration. `content_digest` and `request_digest` are
    keyed digests of the held answer and the request in the vault. `requester` is the login of the person behind the
    consumer, where it is known. `reply_to` is the task queue of the gateway that waits, None when nobody does;
    `consumer_channel` is told, beside it, how the case ended. `assignee` is who of the route's team was chosen, by
    the `strategy` of that team, None when it waits in the queue; `own_channel` is that person's, where they have
    one. `edition` is that of the rules, see EDITION. `score` is how sure the policy was, in thousandths. `skipped`
    are the legs of its chain that were empty.
    The same request waits already as `leader`, whose end is its own too; or was blocked as `precedent`, and is again.
    An `appeal` contests the decision of another case. `second_review`: it was sampled, and for so long after its
    end a blind second review of it waits.
    """

    escalation_id: str
    tenant: str
    event_id: str
    policy_rule: str
    reason_code: str
    severity: Severity
    config_version: str
    config_digest: str
    content_digest: str
    request_digest: str
    route: Route
    sla: SlaTerms
    decisions: DecisionTerms
    consumer: str
    consumer_team: str | None = None
    consumer_group: str | None = None
    requester: str | None = None
    gateway: str | None = None
    provider: str | None = None
    target: str | None = None
    model: str | None = None
    reply_to: str | None = None
    consumer_channel: str | None = None
    unverified_signals: bool = False
    edition: int = 0
    leader: str | None = None
    precedent: Precedent | None = None
    appeal: Appeal | None = None
    assignee: str | None = None
    second_review: timedelta | None = None
    strategy: str | None = None
    score: int | None = None
    skipped: tuple[str, ...] = ()
    own_channel: str | None = None

    @property
    def second_review_due(self) -> bool:
        """Whether somebody is to look at it again. What another case decides is looked at there."""
        return self.second_review is not None and self.leader is None and self.precedent is None


@dataclass(frozen=True, slots=True)
class Help:
    """Who was asked for help with a case that is held, from `since` on; until `until` the claim does not run out.

    `asked` is a login or `team:NAME`, `people` are the logins who may look at the case as long as it is held.
    """

    asked: str
    people: tuple[str, ...]
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """A claim: who holds the case, since when, and until when without a sign of life. `warned`: that it runs out."""

    login: str
    since: datetime
    lease_until: datetime | None
    assigned: bool = False
    warned: bool = False
    help: Help | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """How a reviewer ended it, bound by digest to what was held and to what is released."""

    resolution: Resolution
    category: str
    reviewer: str
    at: datetime
    content_digest: str
    released_digest: str | None
    note_digest: str | None
    redactions: int = 0
    follow_ups: tuple[FollowUp, ...] = ()
    approved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A decision that others have to confirm. `seq` is the number of the event that made it."""

    seq: int
    decision: Decision

    @property
    def people(self) -> tuple[str, ...]:
        """Who stands behind it so far."""
        return (self.decision.reviewer, *self.decision.approved_by)


@dataclass(frozen=True, slots=True)
class Pending:
    """A decision that counts at `release_at` unless it is undone; then `proposal` stands again, where there was one."""

    decision: Decision
    by: Actor
    release_at: datetime
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class WantedRoute:
    """A wish for the next level, to be answered with `Routed`. Rules behind `after` count; None: all of them."""

    reason: LegReason
    after: int | None


@dataclass(frozen=True, slots=True)
class LeaderEnded:
    """How the case ended that another follows: its decision, in the digests of the follower; None without any."""

    decision: Decision | None


@dataclass(frozen=True, slots=True)
class Case:
    """One escalation. Immutable: `step` makes the next one. `version` is the number of its last event.

    `sla` and `severity_now` are set once they differ from what the case was opened with, `retargeted_at` is when they
    last did. While the case is `paused`, the last of its `pauses` ends when it is planned to. `reminded` counts the
    reminders that are behind it. A decision takes `required_approvals` people, the further ones of `approvers` (None:
    any reviewer) and none of those who are `apart`: they have proposed a decision or handed the case on. While it has a
    `leader`, it is decided there. In a chain, somebody has to claim it until `ack_until`; None once somebody has.
    `beside` are the channels of people to whom it was assigned, who were told there. It was `given` where somebody was
    given it before anybody had claimed it; `taken_at` is the last claim or assignment.
    """

    opening: Opening
    created_at: datetime
    version: int
    status: Status
    sla_state: SlaState
    route: Route
    legs: tuple[Leg, ...]
    hold: Hold | None = None
    claim_epoch: int = 0
    first_claimed_at: datetime | None = None
    breached_at: datetime | None = None
    wanted_route: WantedRoute | None = None
    decision: Decision | None = None
    end: End | None = None
    ended_at: datetime | None = None
    refusals: int = 0
    pauses: tuple[Window, ...] = ()
    required_approvals: int = 1
    parent: str | None = None
    sla: SlaTerms | None = None
    severity_now: Severity | None = None
    reminded: int = 0
    claim_overdue_at: datetime | None = None
    paused: bool = False
    retargeted_at: datetime | None = None
    approvers: tuple[str, ...] | None = None
    proposal: Proposal | None = None
    apart: tuple[str, ...] = ()
    pending: Pending | None = None
    leader: str | None = None
    ack_until: datetime | None = None
    beside: tuple[str, ...] = ()
    given: bool = False
    taken_at: datetime | None = None

    @property
    def closed(self) -> bool:
        return self.end is not None

    @property
    def terms(self) -> SlaTerms:
        """What it is held to now."""
        return self.sla or self.opening.sla

    @property
    def given_out(self) -> bool:
        """Whether rules may give it to somebody. What a leader decides and an appeal wait for nobody or for a claim."""
        return self.leader is None and (self.opening.appeal is None or self.opening.edition < 2)

    @property
    def severity(self) -> Severity:
        return self.severity_now or self.opening.severity

    @property
    def requester(self) -> str | None:
        """Who may have no part in its review."""
        return self.opening.requester if self.opening.edition > 0 else None

    @property
    def due_at(self) -> datetime:
        return self.terms.due_at(self.created_at, self.pauses)

    @property
    def amber_at(self) -> datetime:
        return self.terms.amber_at(self.created_at, self.pauses)

    @property
    def claim_due_at(self) -> datetime | None:
        return self.terms.claim_due_at(self.created_at, self.pauses)

    @property
    def next_reminder_at(self) -> datetime | None:
        """When the next of its reminders is due, None when none is left."""
        left = self.terms.notify_at_remaining[self.reminded :]
        return self.terms.at_remaining(left[0], self.created_at, self.pauses) if left else None

    @property
    def lease_warning_at(self) -> datetime | None:
        """When its holder is to be warned that the claim runs out; None when nobody is, or was already."""
        terms, hold = self.terms, self.hold
        if hold is None or hold.warned or hold.lease_until is None:
            return None
        if terms.lease is None or terms.warn_at_lease is None:
            return None
        return max(hold.since, hold.lease_until - terms.lease * (100 - terms.warn_at_lease) / 100)

    @property
    def expires_at(self) -> datetime:
        return self.terms.expires_at(self.created_at)
