"""Settings over HTTP: read by everybody who reviews, written by admins, every version kept."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import ValidationError

from api.authentication import READERS, Using, only
from api.problems import Problem
from api.records import note_change
from escalations.commands import Role
from escalations.errors import NotFound
from escalations.settings import EscalationSettings
from escalations.settings_checks import contradictions
from escalations.severity import Severity
from store.directory import read_directory
from store.settings import SettingsVersion, current_settings, list_settings, put_settings, settings_at
from store.tokens import Principal

router = APIRouter(prefix="/v1/settings", tags=["settings"])

Readers = Annotated[Principal, Depends(only(*READERS))]


@router.get("", summary="The settings in force")
async def get_settings(caller: Readers, using: Using, version: int | None = None) -> dict[str, Any]:
    async with using.database.read() as connection:
        if version is None:
            found: SettingsVersion | None = await current_settings(connection, caller.tenant)
        else:
            found = await settings_at(connection, caller.tenant, version)
    if found is None:
        raise NotFound(f"there is no version {version} of the settings")
    return _shown(found)


@router.get("/history", summary="Who changed the settings, and when")
async def get_history(
    caller: Readers, using: Using, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    async with using.database.read() as connection:
        return {"versions": [asdict(one) for one in await list_settings(connection, caller.tenant, limit)]}


@router.put("", summary="Replace the settings; cases that are open keep theirs")
async def put(
    caller: Annotated[Principal, Depends(only(Role.ADMIN))], using: Using, body: dict[str, Any]
) -> dict[str, Any]:
    try:
        new = EscalationSettings.model_validate(body)
    except ValidationError as fault:
        first = fault.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Problem(422, "invalid", f"{field}: {first['msg']}", field=field) from None
    now = datetime.now(UTC)
    async with using.database.read() as connection:
        directory = await read_directory(connection, caller.tenant)
    # In a thread: it may load the holidays of every country from disk.
    wrong = await asyncio.to_thread(lambda: next(contradictions(new, directory, now), None))
    if wrong is not None:
        field = ".".join(str(part) for part in wrong.trail)
        raise Problem(422, "invalid", f"{field}: {wrong.message}", field=field)
    await note_change(using, caller, "settings.changed", settings="escalations")
    async with using.database.write() as connection:
        return _shown(await put_settings(connection, caller.tenant, new, caller.login, now))


def _shown(found: SettingsVersion) -> dict[str, Any]:
    return {
        "version": found.version,
        "created_at": found.created_at,
        "created_by": found.created_by,
        "settings": found.settings.model_dump(mode="json", by_alias=True, exclude_none=True),
        "severities": {severity.value: severity.description for severity in Severity},
    }
