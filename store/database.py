"""One store, two engines: SQLite for one machine, PostgreSQL beyond it. Reading and writing transactions.

SQLite runs with WAL and synchronous=FULL: a commit that returned survives power loss. It knows one writer at a time;
writers of this process queue here, fairly and without polling, and writers of other processes wait for SQLite's own
lock. On PostgreSQL both are ordinary transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

BUSY_TIMEOUT_MS = 3000
STATEMENT_TIMEOUT_S = 4.0


class StoreUnavailable(Exception):
    """The store did not do what it was asked: it is locked, full, away, or broken. Nothing was half done."""


class Database:
    """The tables of one installation."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._engine = _engine(url)
        self._writing = self._engine.execution_options(kt_writes=True)
        self.turn = asyncio.Lock()

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. Raises StoreUnavailable."""
        with _translated():
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is durable when the block ends, or did not happen. Raises StoreUnavailable.

        An IntegrityError passes through: it says that a row exists, which the caller asked for.
        """
        with _translated():
            if not self.is_sqlite:
                async with self._engine.begin() as connection:
                    yield connection
                return
            async with self.turn, self._writing.begin() as connection:
                yield connection

    async def close(self) -> None:
        await self._engine.dispose()


def insert_into(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, in this engine's dialect."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def normal_url(url: str) -> str:
    """The URL with the driver that is installed: `postgresql://` means asyncpg, `sqlite://` means aiosqlite."""
    parsed = make_url(url)
    driver = {"postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
    return parsed.set(drivername=driver.get(parsed.drivername, parsed.drivername)).render_as_string(False)


class _translated:
    """Turns the drivers' many errors into StoreUnavailable; their texts may quote values, so they are dropped."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, fault: BaseException | None, trace: Any) -> None:
        if isinstance(fault, IntegrityError):
            return
        if isinstance(fault, DBAPIError):
            raise StoreUnavailable(f"the store refused: {type(fault.orig).__name__}: {_reason(fault)}") from None
        if isinstance(fault, SQLAlchemyError | ConnectionError | TimeoutError):
            raise StoreUnavailable(f"the store is out of reach: {type(fault).__name__}") from None


def _reason(fault: DBAPIError) -> str:
    words = str(fault.orig).lower()
    for known in ("locked", "disk is full", "readonly", "unable to open", "malformed", "no such table", "connection"):
        if known in words:
            return known
    return "see the store's own log"


def _engine(url: str) -> AsyncEngine:
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
    if not url.startswith("sqlite"):
        return create_async_engine(
            url,
            pool_size=8,
            max_overflow=8,
            pool_pre_ping=True,
            connect_args={"command_timeout": STATEMENT_TIMEOUT_S},
            **options,
        )
    engine = create_async_engine(
        url,
        pool_size=6,
        max_overflow=4,
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000},
        **options,
    )
    event.listen(engine.sync_engine, "connect", _on_connect)
    event.listen(engine.sync_engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Any) -> None:
    writes = connection.get_execution_options().get("kt_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
