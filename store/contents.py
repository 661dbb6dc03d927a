"""Sealed content: prompts, answers, notes. What is stored is ciphertext under a data key per escalation.

Fields: `request`, `answer` (the held completion), `finding` (which patterns matched what), `released:<digest>` (an
answer as a reviewer redacted it), `text:<digest>` for every note, comment and follow-up, and `tokens` (what the tokens
in place of personal data stand for). A request that was not held and has tokens keeps them under the id of its event.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import insert_into
from store.schema import content_keys, contents
from vault.envelopes import DataKey, Envelopes, VaultError, WrappedKey

REQUEST, ANSWER, FINDING, TOKENS = "request", "answer", "finding", "tokens"


class Contents:
    """The vault of one tenant's escalations."""

    def __init__(self, envelopes: Envelopes) -> None:
        self._envelopes = envelopes

    def new_key(self, tenant: str, escalation_id: str) -> tuple[DataKey, WrappedKey]:
        return self._envelopes.new_key(tenant, escalation_id)

    async def create(
        self,
        connection: AsyncConnection,
        tenant: str,
        escalation_id: str,
        wrapped: WrappedKey,
        key: DataKey,
        fields: dict[str, bytes],
        now: datetime,
    ) -> None:
        """Write a new escalation's key and first contents, or nothing where it has a key already."""
        row = {"tenant": tenant, "escalation_id": escalation_id, "key_id": wrapped.key_id, "blob": wrapped.blob}
        done = await connection.execute(insert_into(connection, content_keys).values(row).on_conflict_do_nothing())
        if done.rowcount:
            await self.put(connection, tenant, escalation_id, key, fields, now)

    async def key(self, connection: AsyncConnection, tenant: str, escalation_id: str) -> DataKey:
        """The data key of an escalation. Raises VaultError when it was destroyed, or never was."""
        query = select(content_keys).where(
            content_keys.c.tenant == tenant, content_keys.c.escalation_id == escalation_id
        )
        row = (await connection.execute(query)).first()
        if row is None:
            raise VaultError(f"the content of {escalation_id} was erased")
        return self.unwrap(tenant, escalation_id, WrappedKey(row.key_id, row.blob))

    def unwrap(self, tenant: str, escalation_id: str, wrapped: WrappedKey) -> DataKey:
        """Raises VaultError when the wrapped key was altered."""
        return self._envelopes.unwrap(tenant, escalation_id, wrapped)

    async def put(
        self,
        connection: AsyncConnection,
        tenant: str,
        escalation_id: str,
        key: DataKey,
        fields: dict[str, bytes],
        now: datetime,
    ) -> None:
        """Seal and write fields; one that is there is replaced."""
        rows = [
            {
                "tenant": tenant,
                "escalation_id": escalation_id,
                "field": field,
                "sealed": key.seal(field, content),
                "created_at": now,
            }
            for field, content in fields.items()
        ]
        insert = insert_into(connection, contents)
        upsert = insert.on_conflict_do_update(
            index_elements=["tenant", "escalation_id", "field"], set_={"sealed": insert.excluded.sealed}
        )
        for row in rows:
            await connection.execute(upsert, row)

    async def read(
        self, connection: AsyncConnection, tenant: str, escalation_id: str, *fields: str
    ) -> dict[str, bytes]:
        """The content of fields; all of them when none is named. Raises VaultError when it was erased or altered."""
        key = await self.key(connection, tenant, escalation_id)
        query = select(contents.c.field, contents.c.sealed).where(
            contents.c.tenant == tenant, contents.c.escalation_id == escalation_id
        )
        if fields:
            query = query.where(contents.c.field.in_(fields))
        return {row.field: key.open(row.field, row.sealed) for row in await connection.execute(query)}


def text_field(digest: str) -> str:
    """The field under which a person's text with this keyed digest is kept."""
    return f"text:{digest}"


def released_field(digest: str) -> str:
    """The field under which a redacted answer with this keyed digest is kept."""
    return f"released:{digest}"
