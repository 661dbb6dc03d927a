"""How each case ended, as the gateway may act on it. Without a row here nothing leaves.

The row is written together with the projection of the decision, after its ledger entry; `released_digest` is the keyed
digest of exactly what may leave, None when nothing may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.decisions import Resolution
from escalations.events import Event, EventType
from store.changes import note_change
from store.contents import ANSWER, Contents, released_field
from store.database import insert_into
from store.ledger import Receipt
from store.schema import releases
from vault.envelopes import VaultError


@dataclass(frozen=True, slots=True)
class Release:
    """`outcome` is a resolution (`allow`, `block`, `redact_and_allow`), or `expired`, or `withdrawn`."""

    escalation_id: str
    outcome: str
    category: str | None
    content_digest: str
    released_digest: str | None
    decided_at: datetime


def release_of(escalation_id: str, event: Event) -> Release | None:
    """The release that a final event means; None for every other event."""
    data = event.data
    match event.type:
        case EventType.RESOLVED:
            outcome, released = str(data["action"]), data["released_digest"]
        case EventType.EXPIRED | EventType.WITHDRAWN:
            outcome, released = event.type.value, None
        case _:
            return None
    category = data.get("category")
    return Release(
        escalation_id,
        outcome,
        None if category is None else str(category),
        str(data["content_digest"]),
        None if released is None else str(released),
        event.at,
    )


async def put_release(connection: AsyncConnection, tenant: str, release: Release, receipt: Receipt) -> None:
    """Write it unless it is there: a case ends once."""
    row = {
        "tenant": tenant,
        "escalation_id": release.escalation_id,
        "outcome": release.outcome,
        "category": release.category,
        "content_digest": release.content_digest,
        "released_digest": release.released_digest,
        "decided_at": release.decided_at,
        "ledger_chain": receipt.chain,
        "ledger_seq": receipt.seq,
    }
    done = await connection.execute(insert_into(connection, releases).values(row).on_conflict_do_nothing())
    if done.rowcount:
        await note_change(connection, tenant, "release", release.escalation_id, 1, release.decided_at)


async def find_releases(connection: AsyncConnection, tenant: str, ids: Sequence[str]) -> dict[str, Release]:
    """The releases of those cases that have ended."""
    query = select(releases).where(releases.c.tenant == tenant, releases.c.escalation_id.in_(ids))
    return {row.escalation_id: _release(row) for row in await connection.execute(query)}


def _release(row: Row[Any]) -> Release:
    return Release(
        row.escalation_id, row.outcome, row.category, row.content_digest, row.released_digest, row.decided_at
    )


async def open_release(
    connection: AsyncConnection, contents: Contents, tenant: str, escalation_id: str
) -> tuple[Release | None, bytes | None]:
    """How a case ended, and the very bytes that may leave: (None, None) while it is undecided.

    What is read from the vault must have the digest that was approved. Raises VaultError when it has not.
    """
    release = (await find_releases(connection, tenant, [escalation_id])).get(escalation_id)
    if release is None or release.released_digest is None:
        return release, None
    field = ANSWER if release.outcome == Resolution.ALLOW else released_field(release.released_digest)
    key = await contents.key(connection, tenant, escalation_id)
    found = await contents.read(connection, tenant, escalation_id, field)
    answer = found.get(field)
    if answer is None or key.digest(answer) != release.released_digest:
        raise VaultError(f"what is stored for {escalation_id} is not what was approved; nothing leaves")
    return release, answer
