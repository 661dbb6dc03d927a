"""Who a bearer token speaks for. Tokens are kept as hashes; a revoked or expired one speaks for nobody."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.commands import Actor, ActorKind, Role
from store.consumers import Consumer, find_consumer
from store.directory import find_user
from store.schema import tokens
from vault.tokens import Kind, new_token, token_hash

LONGEST_LIFE = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: a user with roles and teams, or a consumer with the role gateway."""

    tenant: str
    token_id: str
    kind: Kind
    login: str
    name: str
    roles: frozenset[Role]
    teams: frozenset[str]
    consumer: Consumer | None = None

    def has(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)

    @property
    def actor(self) -> Actor:
        """Them, as the rules know an actor."""
        kind = ActorKind.CONSUMER if self.kind == "gateway" else ActorKind.USER
        return Actor(self.login, kind, tuple(sorted(self.roles)))


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What may be told of a token: everything but the token."""

    token_id: str
    kind: str
    login: str | None
    consumer_id: str | None
    label: str
    created_at: datetime
    created_by: str | None
    expires_at: datetime
    revoked_at: datetime | None


async def issue_token(
    connection: AsyncConnection,
    tenant: str,
    kind: Kind,
    subject: str,
    *,
    label: str,
    now: datetime,
    life: timedelta,
    created_by: str | None = None,
    token: str | None = None,
) -> tuple[str, str]:
    """(token id, token) for a user's login or, with kind `gateway`, a consumer's id. The token is shown only here."""
    token = token or new_token(kind)
    token_id = f"tok_{secrets.token_hex(8)}"
    await connection.execute(
        tokens.insert().values(
            tenant=tenant,
            token_hash=token_hash(token),
            token_id=token_id,
            kind=kind,
            login=None if kind == "gateway" else subject,
            consumer_id=subject if kind == "gateway" else None,
            label=label,
            created_at=now,
            created_by=created_by,
            expires_at=now + min(life, LONGEST_LIFE),
        )
    )
    return token_id, token


async def revoke_token(connection: AsyncConnection, tenant: str, token_id: str, now: datetime) -> bool:
    query = update(tokens).where(
        tokens.c.tenant == tenant, tokens.c.token_id == token_id, tokens.c.revoked_at.is_(None)
    )
    return bool((await connection.execute(query.values(revoked_at=now))).rowcount)


async def list_tokens(connection: AsyncConnection, tenant: str) -> list[TokenRow]:
    query = select(tokens).where(tokens.c.tenant == tenant, tokens.c.kind != "session").order_by(tokens.c.created_at)
    return [
        TokenRow(
            row.token_id,
            row.kind,
            row.login,
            row.consumer_id,
            row.label,
            row.created_at,
            row.created_by,
            row.expires_at,
            row.revoked_at,
        )
        for row in await connection.execute(query)
    ]


async def find_principal(connection: AsyncConnection, hashed: str, now: datetime) -> Principal | None:
    """Who the token with this hash speaks for, None when it speaks for nobody."""
    row = (await connection.execute(select(tokens).where(tokens.c.token_hash == hashed))).first()
    if row is None or row.revoked_at is not None or row.expires_at <= now:
        return None
    if row.kind == "gateway":
        consumer = await find_consumer(connection, row.tenant, row.consumer_id)
        if consumer is None:
            return None
        return consumer_principal(row.tenant, row.token_id, consumer)
    user = await find_user(connection, row.tenant, row.login)
    if user is None or not user.active:
        return None
    return Principal(
        row.tenant, row.token_id, row.kind, user.login, user.name, frozenset(user.roles), frozenset(user.teams)
    )


def consumer_principal(tenant: str, token_id: str, consumer: Consumer) -> Principal:
    """A consumer as a caller."""
    return Principal(
        tenant,
        token_id,
        "gateway",
        consumer.consumer_id,
        consumer.name,
        frozenset({Role.GATEWAY}),
        frozenset(),
        consumer,
    )
