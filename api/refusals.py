"""Refused attempts, on the record: a refused update leaves no trace in Temporal, so the API writes one.

The first refusal of one person on one case for one reason is written before they are answered. What they repeat within
a second is counted and written as one entry when that second is over: an attacker cannot fill the ledger either.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from activities.record import actor_entry
from escalations.commands import Actor
from ledger.entries import Draft
from store.database import StoreUnavailable
from store.ledger import LedgerWriter

WINDOW_S = 1.0

_Key = tuple[str, str | None, str, str, str]


@dataclass(slots=True)
class _Repeats:
    actor: Actor
    count: int = 0


class RefusalLog:
    def __init__(self, ledger: LedgerWriter) -> None:
        self._ledger = ledger
        self._open: dict[_Key, _Repeats] = {}
        self._timers: set[asyncio.Task[None]] = set()

    async def write(self, tenant: str, escalation_id: str | None, operation: str, actor: Actor, code: str) -> None:
        """Durable when it returns, unless it repeats one that is. Raises StoreUnavailable.

        `escalation_id` is None where a request was refused before it was known what it is about.
        """
        key = (tenant, escalation_id, operation, actor.login, code)
        repeats = self._open.get(key)
        if repeats is not None:
            repeats.count += 1
            return
        self._open[key] = _Repeats(actor)
        try:
            await self._append(key, actor, 1)
        except StoreUnavailable:
            del self._open[key]
            raise
        timer = asyncio.create_task(self._close_later(key))
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)

    async def close(self) -> None:
        """Write what is still only counted."""
        for timer in list(self._timers):
            timer.cancel()
        for key in list(self._open):
            await self._finish(key)

    async def _close_later(self, key: _Key) -> None:
        await asyncio.sleep(WINDOW_S)
        await self._finish(key)

    async def _finish(self, key: _Key) -> None:
        repeats = self._open.pop(key, None)
        if repeats is not None and repeats.count:
            await self._append(key, repeats.actor, repeats.count)

    async def _append(self, key: _Key, actor: Actor, count: int) -> None:
        tenant, escalation_id, operation, _, code = key
        await self._ledger.append(
            Draft(
                event_id=f"{escalation_id or operation}/refused/{secrets.token_hex(8)}",
                type="escalation.refused" if escalation_id else "request.refused",
                at=datetime.now(UTC),
                ts_source="api",
                tenant=tenant,
                op=operation,
                outcome="refused",
                actor=actor_entry(actor),
                escalation_id=escalation_id,
                data={"code": code, "count": count},
            )
        )
