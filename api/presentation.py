"""A view as JSON, joined with the texts that the vault keeps, for those who may read them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.schemas import Escalation, HistoryEntry, PendingJson, ProposalJson, RouteJson
from api.services import Services
from escalations.routes import Route
from escalations.views import View
from store.contents import text_field
from store.escalations import TimelineEntry
from vault.envelopes import VaultError

_TEXTS = {"note_digest": "note", "text_digest": "text", "reason_digest": "reason"}


def present(view: View, services: Services, note: str | None = None) -> Escalation:
    left = view.left_when_paused
    return Escalation(
        escalation_id=view.escalation_id,
        status=view.status.value,
        sla_state=view.sla_state.value,
        version=view.version,
        reason_code=view.reason_code,
        policy_rule=view.policy_rule,
        severity=view.severity,
        severity_description=view.severity.description,
        created_at=view.created_at,
        sla_deadline=view.sla_deadline,
        amber_at=view.amber_at,
        expires_at=view.expires_at,
        breached_at=view.breached_at,
        claim_due_at=view.claim_due_at,
        paused_until=view.paused_until,
        left_when_paused=None if left is None else int(left.total_seconds()),
        calendar=view.open_time.calendar if view.open_time else None,
        assignee=view.assignee,
        claimed_at=view.claimed_at,
        lease_until=view.lease_until,
        help_asked=view.help.asked if view.help else None,
        help_until=view.help.until if view.help else None,
        claim_epoch=view.claim_epoch,
        team=view.team,
        route=_route(view.route),
        ack_until=view.ack_until,
        score=None if view.score is None else view.score / 1000,
        gateway=view.gateway,
        consumer=view.consumer,
        consumer_team=view.consumer_team,
        consumer_group=view.consumer_group,
        provider=view.provider,
        target=view.target,
        model=view.model,
        config_version=view.config_version,
        config_digest=view.config_digest,
        settings_version=view.settings_version,
        event_id=view.event_id,
        content_digest=view.content_digest,
        temporal_url=services.temporal_url(view.escalation_id),
        end=view.end.value if view.end else None,
        ended_at=view.ended_at,
        resolution=view.resolution,
        category=view.category,
        note=note if view.proposal is None and view.pending is None else None,
        reviewer=view.reviewer,
        resolution_time_seconds=view.resolution_time_seconds,
        required_approvals=view.required_approvals,
        proposal=_proposal(view, note),
        pending=_pending(view, note),
        leader=view.leader,
        precedent=view.precedent,
        appeal_of=view.appeal.escalation_id if view.appeal else None,
        approvers=None if view.approvers is None else list(view.approvers),
        approved_by=list(view.approved_by),
    )


def _route(route: Route) -> RouteJson:
    place = route.place
    return RouteJson(
        destination=route.destination,
        chosen_by=route.chosen_by.value,
        name=route.name,
        channel=route.channel,
        also=list(route.also),
        chain=place.chain if place else None,
        leg=place.leg + 1 if place else None,
        round=place.round + 1 if place else None,
    )


def _proposal(view: View, note: str | None) -> ProposalJson | None:
    if view.proposal is None:
        return None
    decision = view.proposal.decision
    return ProposalJson(
        number=view.proposal.seq,
        resolution=decision.resolution.value,
        category=decision.category,
        reviewer=decision.reviewer,
        at=decision.at,
        redactions=decision.redactions,
        approved_by=list(decision.approved_by),
        missing=view.required_approvals - len(view.proposal.people),
        note=note,
    )


def _pending(view: View, note: str | None) -> PendingJson | None:
    if view.pending is None:
        return None
    decision = view.pending.decision
    return PendingJson(
        resolution=decision.resolution.value,
        category=decision.category,
        reviewer=decision.reviewer,
        decided_by=view.pending.by.login,
        at=decision.at,
        release_at=view.pending.release_at,
        note=note,
    )


def note_digest_of(view: View) -> str | None:
    """Of the decision that counts, or of the one that waits for something."""
    waiting = view.pending or view.proposal
    return view.note_digest if waiting is None else waiting.decision.note_digest


async def note_of(connection: AsyncConnection, services: Services, view: View) -> str | None:
    """The note of the decision, waiting or not; None where there is none or its content was erased."""
    digest = note_digest_of(view)
    if digest is None:
        return None
    field = text_field(digest)
    try:
        found = await services.contents.read(connection, view.tenant, view.escalation_id, field)
    except VaultError:
        return None
    return found[field].decode() if field in found else None


def present_history(entries: list[TimelineEntry], texts: dict[str, bytes]) -> list[HistoryEntry]:
    return [
        HistoryEntry(
            seq=entry.event.seq,
            type=entry.event.type.value,
            at=entry.event.at,
            actor=str(entry.event.actor),
            actor_kind=entry.event.actor.kind.value,
            data=_joined(entry.event.data, texts),
            ledger=f"{entry.receipt.chain}/{entry.receipt.seq}",
        )
        for entry in entries
    ]


def _joined(data: dict[str, str | int | None], texts: dict[str, bytes]) -> dict[str, Any]:
    """The data, with the texts that its digests stand for beside them."""
    joined: dict[str, Any] = {name: value for name, value in data.items() if value is not None}
    for name, shown in _TEXTS.items():
        text = texts.get(text_field(str(data.get(name))))
        if text is not None:
            joined[shown] = text.decode()
    follow_ups = data.get("follow_ups")
    if follow_ups:
        pairs = [item.partition(":") for item in str(follow_ups).split(",")]
        joined["follow_ups"] = [
            {"kind": kind, "text": texts.get(text_field(digest), b"").decode()} for kind, _, digest in pairs
        ]
    return joined
