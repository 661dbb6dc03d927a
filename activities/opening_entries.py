"""What the ledger is told of an answer that is held, and of a hold that never became a case."""

from __future__ import annotations

from datetime import UTC, datetime

from escalations.case import Opening
from ledger.entries import Draft
from store.events import GovernedEvent
from store.holds import HeldRequest


def opening_entry(event: GovernedEvent, opening: Opening, now: datetime) -> Draft:
    return Draft(
        event_id=f"{opening.escalation_id}/opening",
        type="request.held",
        at=now,
        ts_source=opening.gateway or "api",
        tenant=event.tenant,
        op="hold",
        outcome=event.verdict,
        actor={"id": event.consumer, "kind": "consumer", "roles": ["gateway"]},
        escalation_id=opening.escalation_id,
        request_id=event.request_id,
        data={
            "event_id": event.event_id,
            "policy_rule": opening.policy_rule,
            "reason_code": opening.reason_code,
            "severity": opening.severity.value,
            "content_digest": opening.content_digest,
            "request_digest": opening.request_digest,
            "config_version": opening.config_version,
            "config_digest": opening.config_digest,
            "leader": opening.leader,
            "precedent": opening.precedent.escalation_id if opening.precedent else None,
            "model": opening.model,
            "provider": opening.provider,
        },
    )


def abandoned_entry(tenant: str, hold: HeldRequest) -> Draft:
    return Draft(
        event_id=f"{hold.escalation_id}/abandoned",
        type="request.abandoned",
        at=datetime.now(UTC),
        ts_source="sweep",
        tenant=tenant,
        op="settle",
        outcome="withdrawn",
        escalation_id=hold.escalation_id,
    )
