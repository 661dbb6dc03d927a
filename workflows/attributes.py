"""The search attributes of an escalation, for operators. Nothing sensitive; no product query uses them."""

from __future__ import annotations

from datetime import datetime

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from escalations.case import Opening
from escalations.sla import SlaState
from escalations.views import View

STATUS = SearchAttributeKey.for_keyword("EscalationStatus")
SEVERITY = SearchAttributeKey.for_keyword("EscalationSeverity")
TEAM = SearchAttributeKey.for_keyword("EscalationTeam")
ASSIGNEE = SearchAttributeKey.for_keyword("EscalationAssignee")
POLICY = SearchAttributeKey.for_keyword("EscalationPolicy")
DUE_AT = SearchAttributeKey.for_datetime("EscalationDueAt")
BREACHED = SearchAttributeKey.for_bool("EscalationBreached")

ALL: tuple[SearchAttributeKey[str] | SearchAttributeKey[datetime] | SearchAttributeKey[bool], ...] = (
    STATUS,
    SEVERITY,
    TEAM,
    ASSIGNEE,
    POLICY,
    DUE_AT,
    BREACHED,
)

Update = SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime] | SearchAttributeUpdate[bool]


def at_start(opening: Opening, due_at: datetime) -> TypedSearchAttributes:
    """What a workflow starts with, so that it need not upsert anything until something changes."""
    holder = _holder(opening)
    pairs: list[SearchAttributePair[str] | SearchAttributePair[datetime] | SearchAttributePair[bool]] = [
        SearchAttributePair(STATUS, _status(opening)),
        SearchAttributePair(SEVERITY, opening.severity.value),
        SearchAttributePair(POLICY, opening.policy_rule),
        SearchAttributePair(DUE_AT, due_at),
        SearchAttributePair(BREACHED, False),
    ]
    if opening.route.team:
        pairs.append(SearchAttributePair(TEAM, opening.route.team))
    if holder:
        pairs.append(SearchAttributePair(ASSIGNEE, holder))
    return TypedSearchAttributes(pairs)


def _status(opening: Opening) -> str:
    if opening.precedent is not None:
        return "resolved"
    return "claimed" if _holder(opening) else "open"


def _holder(opening: Opening) -> str | None:
    nobodys = opening.leader is not None or opening.appeal is not None
    return None if nobodys else opening.route.user or opening.assignee


def changes(before: View, after: View) -> list[Update]:
    """What to upsert: only what differs, because every upsert is an event of the history."""
    updates: list[Update] = []
    if before.status != after.status:
        updates.append(STATUS.value_set(after.status.value))
    if before.team != after.team:
        updates.append(TEAM.value_set(after.team) if after.team else TEAM.value_unset())
    if before.assignee != after.assignee:
        updates.append(ASSIGNEE.value_set(after.assignee) if after.assignee else ASSIGNEE.value_unset())
    if before.severity != after.severity:
        updates.append(SEVERITY.value_set(after.severity.value))
    if before.sla_deadline != after.sla_deadline:
        updates.append(DUE_AT.value_set(after.sla_deadline))
    if before.sla_state != after.sla_state and after.sla_state is SlaState.BREACHED:
        updates.append(BREACHED.value_set(True))
    return updates
