"""What every process opens: settings, keyring, store, and the ledger of its own role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from runtime.settings import Settings, read_settings
from store.contents import Contents
from store.database import Database
from store.ledger import LedgerWriter, open_ledger
from store.migrating import check_schema
from vault.envelopes import Envelopes
from vault.keyring import Keyring, load_keyring

TENANT = "default"


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    keyring: Keyring
    database: Database
    ledger: LedgerWriter
    envelopes: Envelopes
    contents: Contents


@asynccontextmanager
async def open_parts(role: str, environment: Mapping[str, str]) -> AsyncIterator[Parts]:
    """Raises one of `runtime.serving.EXPECTED` when something is not there."""
    settings = read_settings(environment)
    keyring = load_keyring(settings.keyring_file)
    database = Database(settings.database_url)
    try:
        await check_schema(database)
        ledger = await open_ledger(role, database, settings.ledger_dir)
        envelopes = Envelopes(keyring)
        try:
            yield Parts(settings, keyring, database, ledger, envelopes, Contents(envelopes))
        finally:
            await ledger.close()
    finally:
        await database.close()
