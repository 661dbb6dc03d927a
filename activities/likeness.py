"""Whether the same request of the same consumer waits for a decision, or was blocked not long ago.

Asked only where the settings want it: a first request is otherwise never merged with another, however alike they look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.case import Precedent
from escalations.decision_settings import DecisionSettings
from escalations.decisions import Resolution
from store.appeals import find_appeal
from store.contents import ANSWER, FINDING, REQUEST, TOKENS, Contents
from store.holds import find_leader, last_decision
from store.releases import find_releases
from vault.envelopes import VaultError


@dataclass(frozen=True, slots=True)
class Likeness:
    """`held` is what the leader holds: the follower holds the very same, so that one decision is about one answer, and
    what the leader's finding says of it (where something is masked) holds for both."""

    precedent: Precedent | None = None
    leader: str | None = None
    held: dict[str, bytes] | None = None

    @property
    def original(self) -> str | None:
        return self.precedent.escalation_id if self.precedent else self.leader


async def likeness(
    connection: AsyncConnection,
    contents: Contents,
    tenant: str,
    consumer: str,
    request_digest: str,
    wanted: DecisionSettings,
    now: datetime,
) -> Likeness:
    if wanted.sticky_rejection is not None:
        last = await last_decision(connection, tenant, consumer, request_digest)
        if last is not None:
            case, outcome, category, decided_at = last
            appeal = await find_appeal(connection, tenant, case)
            contested = None if appeal is None else (await find_releases(connection, tenant, [appeal])).get(appeal)
            if contested is not None and contested.released_digest is not None:
                outcome = contested.outcome
            if outcome == Resolution.BLOCK and decided_at > now - wanted.sticky_rejection:
                return Likeness(Precedent(case, category or "other", decided_at))
    if wanted.follow_leader:
        leader = await find_leader(connection, tenant, consumer, request_digest, now)
        if leader is not None:
            try:
                held = await contents.read(connection, tenant, leader, REQUEST, ANSWER, FINDING, TOKENS)
            except VaultError:
                return Likeness()
            return Likeness(None, leader, held)
    return Likeness()
