"""Sending a golden case: opened like any other, in the look of the newest real case of its policy, and for nobody.

Its hold is registered in nobody's name and found by no digest, no gateway waits for it and no consumer is told, so
whatever is decided, nothing of it leaves.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from temporalio import activity

from activities.opening import Opener, Proposal, new_id
from escalations.golden import NOBODY, GoldenCase, GoldenRound
from escalations.views import View
from ledger.entries import Draft
from store.contents import ANSWER, FINDING, REQUEST, Contents
from store.database import Database
from store.events import GovernedEvent
from store.golden import Send, find_golden, newest_like, reserve_send
from store.holds import find_hold
from store.ledger import LedgerWriter
from workflows.ports import GoldenSending

_SHOWN = ("consumer", "consumer_team", "consumer_group", "gateway", "provider", "target", "model")


@dataclass(frozen=True, slots=True)
class GoldenSender(GoldenSending):
    database: Database
    ledger: LedgerWriter
    contents: Contents
    opener: Opener

    @activity.defn(name="send_golden")
    async def send(self, turn: GoldenRound) -> bool:
        now = datetime.now(UTC)
        async with self.database.write() as connection:
            send = await reserve_send(connection, turn.tenant, turn.round_id, turn.golden_id, new_id("esc"), now)
        if send is None:
            return False
        async with self.database.read() as connection:
            held = await find_hold(connection, turn.tenant, NOBODY, escalation_id=send.escalation_id)
            golden = await find_golden(connection, turn.tenant, send.golden_id)
        if held is not None:
            await self.opener.open_again(turn.tenant, held)
            return True
        if golden is None or golden.retired_at is not None:
            return False
        proposal = await self._proposal(golden, send)
        await self.ledger.append(_entry(golden, send, now))
        await self.opener.open(proposal)
        return True

    async def _proposal(self, golden: GoldenCase, send: Send) -> Proposal:
        async with self.database.read() as connection:
            found = await self.contents.read(connection, golden.tenant, golden.golden_id, REQUEST, ANSWER, FINDING)
            newest = await newest_like(connection, golden.tenant, golden.policy_rule)
        return Proposal(
            event=_event(golden, send, newest),
            request=found[REQUEST],
            answer=_fresh(found[ANSWER]),
            finding=found[FINDING],
            severity=golden.severity,
            score=golden.score,
            # Whoever is kept apart from the real one would notice if they were not from this one.
            requester=golden.like.get("requester") or golden.created_by,
            held_for=NOBODY,
        )


def _event(golden: GoldenCase, send: Send, newest: View | None) -> GovernedEvent:
    """What it was made to look like; else as the newest case of the policy looks."""
    like: dict[str, Any] = dict(golden.like)
    if newest is not None and not like.get("consumer"):
        like |= {name: getattr(newest, name) for name in _SHOWN if like.get(name) is None}
    return GovernedEvent(
        event_id=new_id("evt"),
        at=datetime.now(UTC),
        verdict="escalated",
        request_id=new_id("req"),
        consumer=like.get("consumer") or "application",
        gateway=like.get("gateway") or "api",
        config_version=newest.config_version if newest else "external@0",
        config_digest=newest.config_digest if newest else "0" * 64,
        policy_rule=golden.policy_rule,
        reason_code=golden.reason_code,
        severity=golden.severity.value,
        escalation_id=send.escalation_id,
        team=like.get("consumer_team"),
        consumer_group=like.get("consumer_group"),
        provider=like.get("provider"),
        target=like.get("target"),
        model=like.get("model"),
        body=dict(like.get("body") or {}),
        tenant=golden.tenant,
    )


def _fresh(answer: bytes) -> bytes:
    """The answer as if it had just been given: sent twice, it must not carry the same id and time."""
    held = orjson.loads(answer)
    if isinstance(held, dict) and isinstance(held.get("id"), str):
        prefix, dash, rest = held["id"].rpartition("-")
        held["id"] = f"{prefix}{dash}{secrets.token_hex(max(4, len(rest) // 2))}"
    if isinstance(held, dict) and isinstance(held.get("created"), int):
        held["created"] = int(datetime.now(UTC).timestamp())
    return orjson.dumps(held)


def _entry(golden: GoldenCase, send: Send, now: datetime) -> Draft:
    """Auditors can tell it from a request that somebody made; what was expected is not in the ledger."""
    return Draft(
        event_id=f"{send.escalation_id}/golden",
        type="golden.sent",
        at=now,
        ts_source="worker",
        tenant=golden.tenant,
        op="send",
        outcome="ok",
        actor={"id": "system", "kind": "system", "roles": []},
        escalation_id=send.escalation_id,
        data={"golden_id": golden.golden_id},
    )
