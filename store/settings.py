"""Settings, versioned: every change is a new row, and a case names the version that it was opened under."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.settings import EscalationSettings
from store.changes import note_change
from store.schema import settings

ESCALATIONS = "escalations"


@dataclass(frozen=True, slots=True)
class SettingsVersion:
    """One version. Version 0 is the built-in defaults, in force until somebody sets anything.

    `digest` is the SHA-256 of its canonical JSON.
    """

    version: int
    settings: EscalationSettings
    created_at: datetime | None = None
    created_by: str | None = None
    digest: str | None = None


def as_written(given: EscalationSettings) -> dict[str, Any]:
    """As they are kept and shown, with the defaults of what was left out."""
    return given.model_dump(mode="json", by_alias=True, exclude_none=True)


def digest_of(given: EscalationSettings) -> str:
    return hashlib.sha256(orjson.dumps(as_written(given), option=orjson.OPT_SORT_KEYS)).hexdigest()


async def current_settings(connection: AsyncConnection, tenant: str) -> SettingsVersion:
    query = select(settings).where(settings.c.tenant == tenant, settings.c.kind == ESCALATIONS)
    row = (await connection.execute(query.order_by(settings.c.version.desc()).limit(1))).first()
    return SettingsVersion(0, EscalationSettings()) if row is None else _version(row)


async def tenants_with_settings(connection: AsyncConnection) -> list[str]:
    query = select(settings.c.tenant).where(settings.c.kind == ESCALATIONS)
    return list(await connection.scalars(query.distinct().order_by(settings.c.tenant)))


async def settings_at(connection: AsyncConnection, tenant: str, version: int) -> SettingsVersion | None:
    if version == 0:
        return SettingsVersion(0, EscalationSettings())
    query = select(settings).where(
        settings.c.tenant == tenant, settings.c.kind == ESCALATIONS, settings.c.version == version
    )
    row = (await connection.execute(query)).first()
    return None if row is None else _version(row)


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """A version without what it says: who made it, and when. `digest` is the SHA-256 of its canonical JSON."""

    version: int
    created_at: datetime
    created_by: str
    digest: str


async def list_settings(connection: AsyncConnection, tenant: str, limit: int) -> list[SettingsChange]:
    """The newest first. The built-in defaults, version 0, are not among them."""
    table = settings
    query = select(table.c.version, table.c.created_at, table.c.created_by, table.c.digest)
    query = query.where(table.c.tenant == tenant, table.c.kind == ESCALATIONS)
    rows = await connection.execute(query.order_by(table.c.version.desc()).limit(limit))
    return [SettingsChange(row.version, row.created_at, row.created_by, row.digest) for row in rows]


async def put_settings(
    connection: AsyncConnection, tenant: str, new: EscalationSettings, by: str, now: datetime
) -> SettingsVersion:
    """The version that is in force now; a new one only where something differs."""
    before = await current_settings(connection, tenant)
    body, digest = as_written(new), digest_of(new)
    if as_written(before.settings) == body:
        return before
    version = before.version + 1
    await connection.execute(
        settings.insert().values(
            tenant=tenant, kind=ESCALATIONS, version=version, body=body, digest=digest, created_at=now, created_by=by
        )
    )
    await note_change(connection, tenant, "settings", ESCALATIONS, version, now)
    return SettingsVersion(version, new, now, by, digest)


def _version(row: Row[Any]) -> SettingsVersion:
    found = EscalationSettings.model_validate(row.body)
    return SettingsVersion(row.version, found, row.created_at, row.created_by, row.digest)
