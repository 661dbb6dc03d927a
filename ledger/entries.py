"""What the ledger writes down: drafts of entries, and their sealing into a hash chain.

An entry is a JSON object, version 1:

    v, chain, epoch, seq, prev      its place: the chain of one writer, that writer's start, number, previous hash
    ts, ts_source                   when (RFC 3339, UTC), and by whose clock: `workflow`, `api`, `gateway` …
    event_id                        the idempotency key: the same happening is never two different entries
    tenant, type, op, outcome       what happened, as `escalation.claimed`, `content.read`, `request.decided`
    actor                           {id, kind, roles}
    escalation_id, request_id       to what it belongs
    data                            small facts, digests among them; never content
    hash                            SHA-256("kt.audit.event.v1\\0" || canonical(entry without hash))
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ledger.canonical import canonical, clean

VERSION = 1
GENESIS = "0" * 64
_DOMAIN = b"kt.audit.event.v1\0"

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has a place. `data` holds text, small integers, booleans, null, lists and dicts."""

    event_id: str
    type: str
    at: datetime
    ts_source: str
    tenant: str = "default"
    op: str | None = None
    outcome: str | None = None
    actor: Mapping[str, Any] | None = None
    escalation_id: str | None = None
    request_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def seal(draft: Draft, chain: str, epoch: int, seq: int, prev: str) -> Entry:
    """The entry at one place of one chain, with its hash. Raises NotCanonical."""
    entry: Entry = {
        "v": VERSION,
        "chain": chain,
        "epoch": epoch,
        "seq": seq,
        "prev": prev,
        "ts": draft.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "ts_source": draft.ts_source,
        "event_id": draft.event_id,
        "tenant": draft.tenant,
        "type": draft.type,
        "op": draft.op,
        "outcome": draft.outcome,
        "actor": _tidy(draft.actor),
        "escalation_id": draft.escalation_id,
        "request_id": _tidy(draft.request_id),
        "data": _tidy(draft.data),
    }
    entry["hash"] = _hash(entry)
    return entry


def hash_of(entry: Mapping[str, Any]) -> str:
    """The hash that an entry must carry. Raises NotCanonical."""
    return _hash({key: value for key, value in entry.items() if key != "hash"})


def _hash(bare: Mapping[str, Any]) -> str:
    return hashlib.sha256(_DOMAIN + canonical(bare)).hexdigest()


def _tidy(value: Any) -> Any:
    """The value in the ledger's own types: a name from outside may hold what has no canonical form."""
    kind = type(value)
    if kind is dict:
        return {
            str(key): inner if inner is None or (type(inner) is str and inner.isascii()) else _tidy(inner)
            for key, inner in value.items()
        }
    if value is None or kind is int or kind is bool or (kind is str and value.isascii()):
        return value
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, Mapping):
        return _tidy(dict(value))
    if isinstance(value, list | tuple | frozenset | set):
        return [_tidy(inner) for inner in value]
    return value
