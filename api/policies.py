"""Policy configurations over HTTP: pushed, compared, promoted, rolled back; each write is in the ledger first."""

from __future__ import annotations

import difflib
import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError

from api.authentication import READERS, Using, only
from api.problems import Problem
from api.records import note_change
from escalations.commands import Role
from escalations.errors import Invalid, NotAllowed, NotFound
from policies.config import PolicyConfig
from policies.documents import Unreadable, parse_document
from policies.loading import BadConfig, load_document, ready_for_gateway
from store.policies import (
    PackVersionTaken,
    PolicyVersion,
    Standing,
    current_standing,
    find_version,
    list_moves,
    list_policies,
    list_versions,
    move,
    push_version,
    standing,
)
from store.tokens import Principal

router = APIRouter(prefix="/v1/policies", tags=["policies"])

Readers = Annotated[Principal, Depends(only(*READERS))]
Admin = Annotated[Principal, Depends(only(Role.ADMIN))]
LARGEST = 256 * 1024


class PushBody(BaseModel):
    """`text`: the file as it stands, comments and all."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(min_length=1, max_length=LARGEST)]


class PromoteBody(BaseModel):
    """`to`: `shadow` looks and does nothing; `active` acts; `draft` takes a version out of shadow again."""

    model_config = ConfigDict(extra="forbid")
    version: Annotated[int, Field(ge=1)]
    to: Literal["draft", "shadow", "active"] = "active"


@router.get("", summary="Policies, with the versions that act and look on")
async def get_policies(caller: Readers, using: Using) -> dict[str, Any]:
    async with using.database.read() as connection:
        names = await list_policies(connection, caller.tenant)
        found = [(name, await current_standing(connection, caller.tenant, name)) for name in names]
    return {"policies": [{"name": name, **_standing(now)} for name, now in found]}


@router.post("", summary="Push a configuration; its pack's name is the policy's")
async def push(caller: Admin, using: Using, body: PushBody) -> dict[str, Any]:
    config = _readable(body.text)
    assert config.pack is not None
    name, digest = config.pack.name, hashlib.sha256(body.text.encode()).hexdigest()
    await note_change(
        using, caller, "policy.pushed", policy=name, pack_version=config.pack.version, config_digest=digest
    )
    try:
        async with using.database.write() as connection:
            pushed, new = await push_version(
                connection, caller.tenant, name, config.pack.version, digest, body.text, caller.login, datetime.now(UTC)
            )
            now = await current_standing(connection, caller.tenant, name)
    except (PackVersionTaken, IntegrityError):
        told = f"{config.pack} was pushed with other content; raise pack.version"
        raise Problem(409, "already_exists", told, field="text") from None
    return {**_shown(pushed, now), "new": new}


@router.get("/{name}", summary="Versions of a policy, newest first, and what became of them")
async def get_versions(caller: Readers, using: Using, name: str) -> dict[str, Any]:
    async with using.database.read() as connection:
        found = await list_versions(connection, caller.tenant, name)
        moves = await list_moves(connection, caller.tenant, name)
    if not found:
        raise NotFound(f"no policy {name!r} was ever pushed")
    now = standing(moves)
    return {
        "name": name,
        **_standing(now),
        "versions": [_shown(version, now) for version in found],
        "moves": [
            {"version": one.version, "stage": one.stage, "at": one.at, "by": one.by, "proposed_by": one.proposed_by}
            for one in moves
        ],
    }


@router.get("/{name}/versions/{version}", summary="One version, with its text")
async def get_version(caller: Readers, using: Using, name: str, version: int) -> dict[str, Any]:
    async with using.database.read() as connection:
        found = await _found(connection, caller, name, version)
        now = await current_standing(connection, caller.tenant, name)
    return {**_shown(found, now), "text": found.text}


@router.get("/{name}/diff", summary="What differs between two versions")
async def diff(caller: Readers, using: Using, name: str, before: int, after: int) -> dict[str, Any]:
    async with using.database.read() as connection:
        old = await _found(connection, caller, name, before)
        new = await _found(connection, caller, name, after)
    lines = difflib.unified_diff(
        old.text.splitlines(), new.text.splitlines(), f"{name} version {before}", f"{name} version {after}", lineterm=""
    )
    return {"name": name, "before": before, "after": after, "diff": "\n".join(lines)}


@router.post("/{name}/promote", summary="Put a version into shadow, or let it act")
async def promote(caller: Admin, using: Using, name: str, body: PromoteBody) -> dict[str, Any]:
    async with using.database.read() as connection:
        wanted = await _found(connection, caller, name, body.version)
        now = await current_standing(connection, caller.tenant, name)
        acting = await find_version(connection, caller.tenant, name, now.active) if now.active else None
    if body.to == "draft" and body.version == now.active:
        raise Invalid("the active version cannot be taken out; promote another, or roll back", field="to")
    stage: Literal["draft", "shadow", "proposed", "active"] = body.to
    proposed_by = None
    if body.to != "draft":
        config = _runnable(wanted)
        if body.to == "active" and (
            _two_people(config) or (acting is not None and _two_people(_readable(acting.text)))
        ):
            if now.proposed != body.version:
                stage = "proposed"
            elif now.proposed_by == caller.login:
                raise NotAllowed("you proposed this version; somebody else has to promote it too")
            else:
                proposed_by = now.proposed_by
    return await _moved(caller, using, wanted, stage, proposed_by)


@router.post("/{name}/rollback", summary="Let the version that was active before act again")
async def rollback(caller: Admin, using: Using, name: str) -> dict[str, Any]:
    """It needs no second person: it goes back to what was agreed."""
    async with using.database.read() as connection:
        now = await current_standing(connection, caller.tenant, name)
        if now.before is None:
            raise NotFound(f"no version of {name!r} was active before")
        wanted = await _found(connection, caller, name, now.before)
    _runnable(wanted)
    return await _moved(caller, using, wanted, "active", None, back_from=now.active)


async def _moved(
    caller: Principal,
    using: Using,
    wanted: PolicyVersion,
    stage: Literal["draft", "shadow", "proposed", "active"],
    proposed_by: str | None,
    **data: Any,
) -> dict[str, Any]:
    at = {"policy": wanted.name, "version": wanted.version, "config_digest": wanted.digest, "stage": stage}
    await note_change(using, caller, "policy.moved", **at, proposed_by=proposed_by, **data)
    moment = datetime.now(UTC)
    try:
        async with using.database.write() as connection:
            await move(connection, caller.tenant, wanted.name, wanted.version, stage, caller.login, moment, proposed_by)
            now = await current_standing(connection, caller.tenant, wanted.name)
    except IntegrityError:
        raise Problem(409, "already_exists", "somebody moved a version at the same moment; look again") from None
    return _shown(wanted, now)


def _two_people(config: PolicyConfig) -> bool:
    return config.pack is not None and config.pack.two_person


def _readable(text: str) -> PolicyConfig:
    """Raises Invalid, with the first thing that is wrong."""
    try:
        config = load_document(parse_document(text, "policy-config.yaml")).config
    except Unreadable as fault:
        raise Invalid(f"{fault.line}:{fault.column}: {fault.rule} {fault.message}", field="text") from None
    except BadConfig as fault:
        raise Invalid(str(fault.complaints[0]), field="text") from None
    if config.pack is None:
        raise Invalid("there is no pack; a policy is pushed under the name and version of its pack", field="text")
    return config


def _runnable(version: PolicyVersion) -> PolicyConfig:
    """Raises Invalid where no gateway could run it."""
    try:
        loaded = load_document(parse_document(version.text, f"{version.name} version {version.version}"))
        return ready_for_gateway(loaded, {}, secrets_needed=False, functions_needed=False).config
    except Unreadable as fault:
        raise Invalid(f"{fault.line}:{fault.column}: {fault.rule} {fault.message}", field="version") from None
    except BadConfig as fault:
        raise Invalid(str(fault.complaints[0]), field="version") from None


async def _found(connection: Any, caller: Principal, name: str, version: int) -> PolicyVersion:
    found = await find_version(connection, caller.tenant, name, version)
    if found is None:
        raise NotFound(f"there is no version {version} of policy {name!r}")
    return found


def _standing(now: Standing) -> dict[str, Any]:
    return {"active": now.active, "shadow": now.shadow, "proposed": now.proposed, "proposed_by": now.proposed_by}


def _shown(version: PolicyVersion, now: Standing) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "pack_version": version.pack_version,
        "digest": version.digest,
        "stage": now.stage_of(version.version),
        "created_at": version.created_at,
        "created_by": version.created_by,
    }
