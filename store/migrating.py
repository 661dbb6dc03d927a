"""Bringing a store to the schema of this release. `kt dev` and `kt admin init` do it; every other process checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from store.database import Database, StoreUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0011"
"""The newest migration. A constant, so that no process loads Alembic to check; a test holds it to the scripts."""
_SCRIPTS = Path(__file__).parent / "migrations"


class SchemaBehind(Exception):
    """The store has not the schema of this release. The message says what to do."""


async def migrate(database: Database) -> None:
    """Apply what is missing, one process at a time."""
    async with database.write() as connection:
        if not database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('kt.migrations'))"))
        await connection.run_sync(_upgrade)


async def check_schema(database: Database) -> None:
    """Raises SchemaBehind unless the store is exactly at this release's schema."""
    try:
        async with database.read() as connection:
            found = await connection.run_sync(_version)
    except StoreUnavailable as fault:
        raise SchemaBehind(
            f"the store cannot be read: {fault}; check KT_DATABASE_URL, or run `kt admin init`"
        ) from None
    if found != HEAD:
        raise SchemaBehind(f"the store's schema is {found or 'empty'}, this release needs {HEAD}; run `kt admin init`")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
