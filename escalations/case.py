"""The state of one escalation: what it was opened with, who holds it, how its clock stands, how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalations.commands import FollowUp
from escalations.decisions import Resolution
from escalations.routes import Leg, LegReason, Route
from escalations.severity import Severity
from escalations.sla import SlaState, SlaTerms


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
class DecisionTerms:
    """What a decision must bring, fixed at opening.

    From `note_required_from` on (None: never) a decision needs a category of the list and a note of three words.
    """

    categories: tuple[str, ...]
    note_required_from: Severity | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything that a case is opened with, and keeps. No text of any prompt or answer is in it.

    `policy_rule` names the policy that fired and `reason_code` what it found (`legal_opinions`). `config_version` is
    `pack@version` and `config_digest` the hash of that configuration. `content_digest` and `request_digest` are keyed
    digests of the held answer and the request in the vault. `requester` is the login of the person behind the
    consumer, where it is known. `reply_to` is the task queue of the gateway that waits, None when nobody does.
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
    unverified_signals: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A claim: who holds the case, since when, and until when without a sign of life."""

    login: str
    since: datetime
    lease_until: datetime | None
    assigned: bool = False


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


@dataclass(frozen=True, slots=True)
class WantedRoute:
    """A wish for the next level, to be answered with `Routed`. Rules behind `after` count; None: all of them."""

    reason: LegReason
    after: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """One escalation. Immutable: `step` makes the next one. `version` is the number of its last event."""

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
    pauses: tuple[tuple[datetime, datetime | None], ...] = ()
    required_approvals: int = 1
    parent: str | None = None

    @property
    def closed(self) -> bool:
        return self.end is not None

    @property
    def due_at(self) -> datetime:
        return self.opening.sla.due_at(self.created_at)

    @property
    def amber_at(self) -> datetime:
        return self.opening.sla.amber_at(self.created_at)

    @property
    def expires_at(self) -> datetime:
        return self.opening.sla.expires_at(self.created_at)
