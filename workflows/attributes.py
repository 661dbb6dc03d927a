"""The search attributes of an escalation, for operators. Nothing sensitive; no product query uses them."""

from __future__ import annotations

from datetime import datetime

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

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


def at_start(severity: str, policy: str, team: str | None) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[str]] = [
        SearchAttributePair(STATUS, "open"),
        SearchAttributePair(SEVERITY, severity),
        SearchAttributePair(POLICY, policy),
    ]
    return TypedSearchAttributes([*pairs, *([SearchAttributePair(TEAM, team)] if team else [])])


def changes(
    before: View | None, after: View
) -> list[SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime] | SearchAttributeUpdate[bool]]:
    """What to upsert: only what differs, because every upsert is an event of the history."""
    updates: list[SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime] | SearchAttributeUpdate[bool]] = []
    if before is None or before.status != after.status:
        updates.append(STATUS.value_set(after.status.value))
    if before is None or before.team != after.team:
        updates.append(TEAM.value_set(after.team) if after.team else TEAM.value_unset())
    if (before.assignee if before else None) != after.assignee:
        updates.append(ASSIGNEE.value_set(after.assignee) if after.assignee else ASSIGNEE.value_unset())
    if before is None or before.sla_deadline != after.sla_deadline:
        updates.append(DUE_AT.value_set(after.sla_deadline))
    breached = after.sla_state is SlaState.BREACHED
    if before is None or (before.sla_state is SlaState.BREACHED) != breached:
        updates.append(BREACHED.value_set(breached))
    return updates
