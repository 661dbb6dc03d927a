"""What happened to a case, numbered from 1 without a gap: the only thing that the timeline, the ledger and the
notifications are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from escalations.commands import Actor


class EventType(StrEnum):
    OPENED = "opened"
    CLAIMED = "claimed"
    UNCLAIMED = "unclaimed"
    ASSIGNED = "assigned"
    EXTENDED = "extended"
    HELP_ASKED = "help_asked"
    LEASE_WARNING = "lease_warning"
    LEASE_EXPIRED = "lease_expired"
    COMMENTED = "commented"
    PROPOSED = "proposed"
    APPROVED = "approved"
    OBJECTED = "objected"
    DECIDED = "decided"
    UNDONE = "undone"
    LEADER_LEFT = "leader_left"
    ESCALATED = "escalated"
    AMBER = "amber"
    REMINDER = "reminder"
    CLAIM_OVERDUE = "claim_overdue"
    PAUSED = "paused"
    RESUMED = "resumed"
    SEVERITY_CHANGED = "severity_changed"
    RECOMPUTED = "recomputed"
    BREACHED = "breached"
    RELEASED_AT_BREACH = "released_at_breach"
    REASSIGNED = "reassigned"
    UNROUTED = "unrouted"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    CHAIN_EXHAUSTED = "chain_exhausted"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


FINAL = frozenset({EventType.RESOLVED, EventType.EXPIRED, EventType.WITHDRAWN})
"""The events after which nothing more happens, and the gateway may be told."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `data` holds small facts for machines; never content."""

    seq: int
    type: EventType
    at: datetime
    actor: Actor
    data: dict[str, str | int | None] = field(default_factory=dict)
