"""What callers do besides deciding, on the record: reads before content is shown, changes before they are made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from activities.opening import new_id
from activities.record import actor_entry
from api.services import Services
from ledger.entries import Draft
from store.tokens import Principal


async def note_read(using: Services, caller: Principal, escalation_id: str | None, what: str, **data: Any) -> None:
    """Somebody is about to see content. Raises StoreUnavailable; then nothing may be shown."""
    await _note(using, caller, "content.read", "read", escalation_id, {"what": what, **data})


async def note_reveal(using: Services, caller: Principal, escalation_id: str | None, **data: Any) -> None:
    """Somebody is about to see what is masked. Raises StoreUnavailable; then nothing may be shown."""
    await _note(using, caller, "content.revealed", "reveal", escalation_id, data)


async def note_change(using: Services, caller: Principal, happening: str, **data: Any) -> None:
    """An admin is about to change people or settings. Raises StoreUnavailable; then nothing is changed."""
    await _note(using, caller, happening, "change", None, data)


async def note_act(using: Services, caller: Principal, happening: str, escalation_id: str, **data: Any) -> None:
    """Somebody is about to act on a case from another surface. Raises StoreUnavailable; then nothing is done."""
    await _note(using, caller, happening, "act", escalation_id, data)


async def _note(
    using: Services, caller: Principal, kind: str, op: str, escalation_id: str | None, data: dict[str, Any]
) -> None:
    await using.ledger.append(
        Draft(
            event_id=new_id(op),
            type=kind,
            at=datetime.now(UTC),
            ts_source="api",
            tenant=caller.tenant,
            op=op,
            outcome="ok",
            actor=actor_entry(caller.actor),
            escalation_id=escalation_id,
            data=data,
        )
    )
