"""What `kt admin init` does: keyring, schema, first admin, and Temporal's search attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from escalations.commands import Role
from runtime.connect import connect
from runtime.parts import TENANT
from runtime.settings import SettingsError, make_data_dir, read_settings
from store.database import Database
from store.directory import User, create_user
from store.migrating import migrate
from store.tokens import issue_token
from vault.keyring import ensure_keyring
from workflows.attributes import ALL


@dataclass(frozen=True, slots=True)
class Installed:
    """`token` is the first admin's, None when they were there already. `temporal` says what became of Temporal."""

    keyring: Path
    token: str | None
    temporal: str


async def initialise(environment: Mapping[str, str], login: str) -> Installed:
    """Raises one of `runtime.serving.EXPECTED`."""
    settings = read_settings(environment)
    make_data_dir(settings.data_dir)
    keyring = ensure_keyring(settings.keyring_file)
    database = Database(settings.database_url)
    try:
        await migrate(database)
        token = await _first_admin(database, login)
    finally:
        await database.close()
    try:
        client = await connect(keyring, environment)
        added = await register_search_attributes(client)
        temporal = f"search attributes registered: {', '.join(added)}" if added else "search attributes are registered"
    except SettingsError as fault:
        temporal = f"not reached, run this again when it is there ({fault})"
    return Installed(settings.keyring_file, token, temporal)


async def register_search_attributes(client: Client) -> list[str]:
    """Register those that Temporal does not know yet; gives their names. Raises SettingsError."""
    service = client.operator_service
    try:
        known = await service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
        wanted = {key.name: key.indexed_value_type for key in ALL if key.name not in known.custom_attributes}
        if wanted:
            request = AddSearchAttributesRequest(namespace=client.namespace)
            for name, kind in wanted.items():
                request.search_attributes[name] = IndexedValueType.ValueType(int(kind))
            await service.add_search_attributes(request)
    except RPCError as fault:
        raise SettingsError(f"Temporal did not take the search attributes: {fault.status.name}") from None
    return sorted(wanted)


async def _first_admin(database: Database, login: str) -> str | None:
    now = datetime.now(UTC)
    async with database.write() as connection:
        if not await create_user(connection, TENANT, User(login, None, login, (Role.ADMIN,), (), True, now)):
            return None
        year = timedelta(days=365)
        _, token = await issue_token(connection, TENANT, "user", login, label="first admin", now=now, life=year)
        return token
