"""Consumers: the applications whose requests pass the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, exists, func, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import insert_into
from store.schema import consumers, tokens, users

ANONYMOUS = "anonymous"
"""The consumer of requests without a key, where the gateway accepts such requests."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """`owner` is the login of the person behind it, if there is one: they may never review its cases."""

    consumer_id: str
    name: str
    team: str | None
    consumer_group: str | None
    owner: str | None
    created_at: datetime


def _whose(is_theirs: ColumnElement[bool]) -> ScalarSelect[str]:
    return select(users.c.login).where(users.c.tenant == consumers.c.tenant, is_theirs).scalar_subquery()


_login = func.coalesce(
    _whose(users.c.login == consumers.c.owner),
    _whose(users.c.email == func.lower(consumers.c.owner)),
    consumers.c.owner,
)
_all = select(consumers, _login.label("login"))
"""An owner whose address was kept, as it once was, is whose address that is: people are compared by login."""


async def create_consumer(connection: AsyncConnection, tenant: str, consumer: Consumer) -> bool:
    """False when a consumer of that id is there already; it is left as it is."""
    row = {
        "tenant": tenant,
        "consumer_id": consumer.consumer_id,
        "name": consumer.name,
        "team": consumer.team,
        "consumer_group": consumer.consumer_group,
        "owner": consumer.owner,
        "created_at": consumer.created_at,
    }
    done = await connection.execute(insert_into(connection, consumers).values(row).on_conflict_do_nothing())
    return bool(done.rowcount)


async def set_group(connection: AsyncConnection, tenant: str, consumer_id: str, group: str | None) -> bool:
    """Put a consumer into a group, or into none. False when there is no such consumer."""
    query = update(consumers).where(consumers.c.tenant == tenant, consumers.c.consumer_id == consumer_id)
    return bool((await connection.execute(query.values(consumer_group=group))).rowcount)


async def list_consumers(connection: AsyncConnection, tenant: str) -> list[Consumer]:
    query = _all.where(consumers.c.tenant == tenant).order_by(consumers.c.consumer_id)
    return [_consumer(row) for row in await connection.execute(query)]


async def find_consumer(connection: AsyncConnection, tenant: str, consumer_id: str) -> Consumer | None:
    query = _all.where(consumers.c.tenant == tenant, consumers.c.consumer_id == consumer_id)
    row = (await connection.execute(query)).first()
    return None if row is None else _consumer(row)


async def list_owners(connection: AsyncConnection, tenant: str, now: datetime) -> frozenset[str]:
    """The people behind consumers that can still ask for something: that have a key in force, or have had none yet."""
    keys = tokens.alias()
    theirs = (keys.c.tenant == consumers.c.tenant, keys.c.consumer_id == consumers.c.consumer_id)
    in_force = exists().where(*theirs, keys.c.revoked_at.is_(None), keys.c.expires_at > now)
    alive = or_(in_force, not_(exists().where(*theirs)))
    rows = await connection.execute(_all.where(consumers.c.tenant == tenant, consumers.c.owner.is_not(None), alive))
    return frozenset(row.login for row in rows)


def _consumer(row: Row[Any]) -> Consumer:
    return Consumer(row.consumer_id, row.name, row.team, row.consumer_group, row.login, row.created_at)
