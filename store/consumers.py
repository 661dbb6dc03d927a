"""Consumers: the applications whose requests pass the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import insert_into
from store.schema import consumers

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
    query = select(consumers).where(consumers.c.tenant == tenant).order_by(consumers.c.consumer_id)
    return [_consumer(row) for row in await connection.execute(query)]


async def find_consumer(connection: AsyncConnection, tenant: str, consumer_id: str) -> Consumer | None:
    query = select(consumers).where(consumers.c.tenant == tenant, consumers.c.consumer_id == consumer_id)
    row = (await connection.execute(query)).first()
    return None if row is None else _consumer(row)


def _consumer(row: Row[Any]) -> Consumer:
    return Consumer(row.consumer_id, row.name, row.team, row.consumer_group, row.owner, row.created_at)
