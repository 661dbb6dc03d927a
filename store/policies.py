"""Policy configurations, versioned: what was pushed never changes, and the last move of each says what acts.

A version goes from draft to shadow (it looks and does nothing) to active. Where two people are asked for, the promotion
of the first is a proposal. Every write is a change of kind `policy` in the feed, by which gateways follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.changes import note_change
from store.policy_tables import policy_moves, policy_versions

KIND = "policy"
"""The kind of a policy's changes in the feed; their `ref` is its name."""
Stage = Literal["draft", "shadow", "proposed", "active"]


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One configuration as it was pushed. `digest` is the SHA-256 of its text."""

    name: str
    version: int
    pack_version: str
    digest: str
    text: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody put a version into a stage; `proposed_by` is the first of two."""

    number: int
    version: int
    stage: str
    at: datetime
    by: str
    proposed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What acts now, what acted before it, what looks on, and what waits for a second person."""

    active: int | None = None
    before: int | None = None
    shadow: int | None = None
    proposed: int | None = None
    proposed_by: str | None = None

    def stage_of(self, version: int) -> Stage:
        if version == self.active:
            return "active"
        if version == self.proposed:
            return "proposed"
        return "shadow" if version == self.shadow else "draft"


class PackVersionTaken(Exception):
    """Another configuration was pushed under the same pack version."""


async def push_version(
    connection: AsyncConnection,
    tenant: str,
    name: str,
    pack_version: str,
    digest: str,
    text: str,
    by: str,
    now: datetime,
) -> tuple[PolicyVersion, bool]:
    """The version that this text is, and whether it is new. Raises PackVersionTaken."""
    columns = policy_versions.c
    mine = (columns.tenant == tenant, columns.name == name)
    same = (await connection.execute(select(policy_versions).where(*mine, columns.digest == digest))).first()
    if same is not None:
        return _version(same), False
    if await connection.scalar(select(columns.version).where(*mine, columns.pack_version == pack_version)):
        raise PackVersionTaken
    last = await connection.scalar(select(func.max(columns.version)).where(*mine))
    made = PolicyVersion(name, int(last or 0) + 1, pack_version, digest, text, now, by)
    await connection.execute(
        policy_versions.insert().values(
            tenant=tenant,
            name=name,
            version=made.version,
            pack_version=pack_version,
            digest=digest,
            text=text,
            created_at=now,
            created_by=by,
        )
    )
    await note_change(connection, tenant, KIND, name, made.version, now)
    return made, True


async def find_version(connection: AsyncConnection, tenant: str, name: str, version: int) -> PolicyVersion | None:
    columns = policy_versions.c
    query = select(policy_versions).where(columns.tenant == tenant, columns.name == name, columns.version == version)
    row = (await connection.execute(query)).first()
    return None if row is None else _version(row)


async def list_versions(connection: AsyncConnection, tenant: str, name: str) -> list[PolicyVersion]:
    """All versions of a policy, newest first."""
    columns = policy_versions.c
    query = select(policy_versions).where(columns.tenant == tenant, columns.name == name)
    return [_version(row) for row in await connection.execute(query.order_by(columns.version.desc()))]


async def list_policies(connection: AsyncConnection, tenant: str) -> list[str]:
    columns = policy_versions.c
    query = select(columns.name).where(columns.tenant == tenant).distinct().order_by(columns.name)
    return [str(row.name) for row in await connection.execute(query)]


async def move(
    connection: AsyncConnection, tenant: str, name: str, version: int, stage: Stage, by: str, now: datetime,
    proposed_by: str | None = None,
) -> None:  # fmt: skip
    """Put a version into a stage."""
    columns = policy_moves.c
    last = await connection.scalar(
        select(func.max(columns.number)).where(columns.tenant == tenant, columns.name == name)
    )
    number = int(last or 0) + 1
    await connection.execute(
        policy_moves.insert().values(
            tenant=tenant,
            name=name,
            number=number,
            version=version,
            stage=stage,
            at=now,
            by=by,
            proposed_by=proposed_by,
        )
    )
    await note_change(connection, tenant, KIND, name, version, now)


async def list_moves(connection: AsyncConnection, tenant: str, name: str) -> list[Move]:
    """What became of a policy's versions, oldest first."""
    columns = policy_moves.c
    query = select(policy_moves).where(columns.tenant == tenant, columns.name == name).order_by(columns.number)
    return [
        Move(row.number, row.version, row.stage, row.at, row.by, row.proposed_by)
        for row in await connection.execute(query)
    ]


def standing(moves: list[Move]) -> Standing:
    """Where the versions stand after these moves."""
    active: list[int] = []
    shadow: int | None = None
    proposed: tuple[int, str] | None = None
    for one in moves:
        match one.stage:
            case "shadow":
                shadow = one.version
            case "proposed":
                proposed = (one.version, one.by)
            case "active":
                active = [version for version in active if version != one.version] + [one.version]
                proposed = None
        if one.stage in ("active", "draft"):
            shadow = None if shadow == one.version else shadow
            proposed = None if proposed and proposed[0] == one.version else proposed
    return Standing(
        active=active[-1] if active else None,
        before=active[-2] if len(active) > 1 else None,
        shadow=shadow,
        proposed=proposed[0] if proposed else None,
        proposed_by=proposed[1] if proposed else None,
    )


async def current_standing(connection: AsyncConnection, tenant: str, name: str) -> Standing:
    return standing(await list_moves(connection, tenant, name))


def _version(row: Row[Any]) -> PolicyVersion:
    return PolicyVersion(row.name, row.version, row.pack_version, row.digest, row.text, row.created_at, row.created_by)
