"""Settings over HTTP: read by everybody who reviews, written by admins, every version kept."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import ValidationError

from api.authentication import READERS, Using, only
from api.fixed_routes import fixed_routes
from api.problems import Problem
from api.records import note_change
from escalations.commands import Role
from escalations.directory import Directory
from escalations.errors import NotFound
from escalations.settings import EscalationSettings
from escalations.settings_checks import contradictions
from escalations.severity import Severity
from policies.documents import Document
from policies.lint_settings import settings_warnings
from store.consumers import list_consumers, list_owners
from store.directory import read_directory
from store.settings import (
    SettingsVersion,
    as_written,
    current_settings,
    digest_of,
    list_settings,
    put_settings,
    settings_at,
)
from store.tokens import Principal

router = APIRouter(prefix="/v1/settings", tags=["settings"])

_MOST_FAULTS = 50
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
    caller: Annotated[Principal, Depends(only(Role.ADMIN))],
    using: Using,
    body: dict[str, Any],
    dry_run: Annotated[bool, Query(description="check them, and change nothing")] = False,
) -> dict[str, Any]:
    """422 names every field that is wrong; then nothing has changed. `warnings` are what `kt policy lint` finds odd: it
    is taken all the same. With `dry_run` the answer has the settings as they would be, and the version in force."""
    try:
        new = EscalationSettings.model_validate(body)
    except ValidationError as fault:
        raise _refused([(".".join(map(str, one["loc"])), one["msg"]) for one in fault.errors()]) from None
    now = datetime.now(UTC)
    async with using.database.read() as connection:
        directory = await read_directory(connection, caller.tenant)
        owners = await list_owners(connection, caller.tenant, now)
        consumers = await list_consumers(connection, caller.tenant)
        fixed = await fixed_routes(connection, caller.tenant)
    directory = replace(
        directory,
        owners=owners,
        consumer_teams=frozenset(one.team for one in consumers if one.team is not None),
    )
    # In a thread: it may load the holidays of every country from disk.
    wrong = await asyncio.to_thread(lambda: list(contradictions(new, directory, now, fixed)))
    if wrong:
        raise _refused([(one.field, one.message) for one in wrong])
    odd = {"warnings": await asyncio.to_thread(_warnings, body, new, directory)}
    if dry_run:
        async with using.database.read() as connection:
            before = await current_settings(connection, caller.tenant)
        return _shown(replace(before, settings=new, digest=digest_of(new))) | odd | {"dry_run": True}
    async with using.database.write() as connection:
        before = await current_settings(connection, caller.tenant)
        done = await put_settings(connection, caller.tenant, new, caller.login, now)
        if done.version != before.version:
            # Before the commit: no version is in force that the ledger does not know.
            changed = {"settings": "escalations", "version": done.version, "digest": done.digest}
            await note_change(using, caller, "settings.changed", **changed)
    return _shown(done) | odd


def _warnings(body: dict[str, Any], settings: EscalationSettings, directory: Directory) -> list[dict[str, str]]:
    found = settings_warnings(Document("", "", body, {}), settings, directory)
    return [
        {
            "rule": one.rule,
            "field": ".".join(map(str, one.trail)),
            "problem": one.message,
            "suggestion": one.suggestion,
        }
        for one in found
    ]


def _refused(faults: list[tuple[str, str]]) -> Problem:
    field, told = faults[0]
    fields = [{"field": field, "problem": problem} for field, problem in faults[:_MOST_FAULTS]]
    return Problem(422, "invalid", f"{field}: {told}", field=field, fields=fields)


def _shown(found: SettingsVersion) -> dict[str, Any]:
    return {
        "version": found.version,
        "created_at": found.created_at,
        "created_by": found.created_by,
        "digest": found.digest,
        "settings": as_written(found.settings),
        "severities": {severity.value: severity.description for severity in Severity},
    }
