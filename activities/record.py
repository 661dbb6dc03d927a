"""Writing down what happened: the ledger first, then the projection, and for an ending the release.

The API does this before it answers, the workflow's activity does the very same behind it; whoever comes second finds
the work done. Idempotent by (escalation, seq).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temporalio import activity

from escalations.commands import Actor
from escalations.events import Event, EventType
from escalations.views import View
from ledger.entries import Draft
from store.database import Database
from store.escalations import put_events, put_view, written_down
from store.ledger import LedgerWriter, Receipt
from store.releases import put_release, release_of
from workflows.messages import RecordBatch
from workflows.ports import Recording

API_FIRST_S = 1.5
LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Recorder(Recording):
    database: Database
    ledger: LedgerWriter

    @activity.defn(name="record")
    async def record(self, batch: RecordBatch) -> None:
        if batch.answered:
            await self._await_the_api(batch)
        await self.write_down(batch.view, batch.events)

    async def _await_the_api(self, batch: RecordBatch) -> None:
        """Give the API, which writes down what it answers, its moment: nothing should stand in two chains.

        One that has died or is slow loses its turn; then two chains witness the same event, which verification
        recognises by its id.
        """
        clock = asyncio.get_running_loop()
        deadline = clock.time() + API_FIRST_S
        while clock.time() < deadline:
            async with self.database.read() as connection:
                known, _ = await written_down(connection, batch.view.tenant, batch.view.escalation_id)
            if known >= set(batch.answered):
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def write_down(self, view: View, events: Sequence[Event]) -> None:
        """Durable when it returns. Raises StoreUnavailable; then some of it may be there, and calling again is safe."""
        async with self.database.read() as connection:
            known, shown = await written_down(connection, view.tenant, view.escalation_id)
        fresh = [event for event in events if event.seq not in known]
        if not fresh and shown >= view.version:
            return
        receipts: list[Receipt] = []
        if fresh:
            receipts = await self.ledger.append(*(_draft(view, event) for event in fresh))
        async with self.database.write() as connection:
            await put_events(connection, view.tenant, view.escalation_id, fresh, receipts)
            await put_view(connection, view)
            for event, receipt in zip(fresh, receipts, strict=True):
                release = release_of(view.escalation_id, event)
                if release is not None:
                    await put_release(connection, view.tenant, release, receipt)


def actor_entry(actor: Actor) -> dict[str, Any]:
    """An actor as the ledger names one."""
    return {"id": actor.login, "kind": actor.kind.value, "roles": [role.value for role in actor.roles]}


def _draft(view: View, event: Event) -> Draft:
    data: dict[str, Any] = dict(event.data)
    if event.type is EventType.RESOLVED:
        data["escalation_resolution"] = {
            "escalation_id": view.escalation_id,
            "action": data["action"],
            "category": data["category"],
            "reviewer": data["reviewer"],
            "note": data["note_digest"],
            "resolution_time_seconds": data["resolution_time_seconds"],
        }
    if event.type is EventType.OPENED:
        data |= {
            "consumer": view.consumer,
            "gateway": view.gateway,
            "provider": view.provider,
            "model": view.model,
            "config_digest": view.config_digest,
        }
    return Draft(
        event_id=f"{view.escalation_id}/{event.seq}",
        type=f"escalation.{event.type.value}",
        at=event.at,
        ts_source="workflow",
        tenant=view.tenant,
        op=event.type.value,
        outcome="refused" if event.type is EventType.REFUSED else "ok",
        actor=actor_entry(event.actor),
        escalation_id=view.escalation_id,
        data={"seq": event.seq, **data},
    )
