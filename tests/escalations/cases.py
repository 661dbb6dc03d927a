"""Cases to begin tests with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from escalations.case import EDITION, Case, DecisionTerms, Opening
from escalations.commands import Actor, ActorKind, Resolve, Role
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.routes import Chooser, Route
from escalations.severity import Severity
from escalations.sla import SlaTerms
from escalations.step import open_case

START = datetime(2026, 5, 7, 10, 0, tzinfo=UTC)
CONTENT = "c" * 64
REDACTED = "d" * 64

ANA = Actor("ana", roles=(Role.REVIEWER,))
BEN = Actor("ben", roles=(Role.REVIEWER,))
SENIOR = Actor("sam", roles=(Role.SENIOR,))
AUDITOR = Actor("eve", roles=(Role.AUDITOR,))
CONSUMER = Actor("app", ActorKind.CONSUMER, (Role.GATEWAY,))
OPERATOR = Actor("root", ActorKind.OPERATOR)

LEGAL = Route(Chooser.RULE, "to legal", team="legal", position=0)
TO_ANA = Route(Chooser.TARGET, "provider target openai", user="ana")
NEXT = Route(Chooser.RULE, "catch-all", team="default-reviewers", position=1)


def opening(**changes: Any) -> Opening:
    plain = Opening(
        escalation_id="esc_1",
        tenant="default",
        event_id="evt_1",
        policy_rule="human-oversight",
        reason_code="legal_opinions",
        severity=Severity.HIGH,
        config_version="oversight-demo@0.1.0",
        config_digest="e" * 64,
        content_digest=CONTENT,
        request_digest="f" * 64,
        route=LEGAL,
        sla=SlaTerms(timedelta(hours=1), expire_after=timedelta(hours=6), claim_lease=None),
        decisions=DecisionTerms(DEFAULT_CATEGORIES),
        consumer="app",
        edition=EDITION,
    )
    return replace(plain, **changes)


def opened(**changes: Any) -> Case:
    return open_case(opening(**changes), START)[0]


def resolve(actor: Actor, resolution: Resolution = Resolution.ALLOW, **changes: Any) -> Resolve:
    released = {
        Resolution.ALLOW: {"released_digest": CONTENT},
        Resolution.BLOCK: {},
        Resolution.REDACT_AND_ALLOW: {"released_digest": REDACTED, "redactions": 1},
    }[resolution]
    return Resolve(actor, resolution, **{**released, **changes})
