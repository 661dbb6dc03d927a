"""One numbered feed of everything that changed, for whatever is live: pages, waiting gateways, settings in use.

A change is noted in the transaction that makes it. A follower learns of it by the engine's own means (SQLite's
`data_version`, PostgreSQL's LISTEN), reads the rows and sees each change once, those of other processes too. A change
names what moved (`escalation`, its id, its version); what it looks like now is read from the tables.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database, StoreUnavailable
from store.schema import changes

POLL_S = 0.05
RETRY_S = 0.5
_PAGE = 1000
_LAST = f"SELECT max(number) FROM {changes.name}"  # noqa: S608
_OVERLAP = 200
"""PostgreSQL hands out numbers before it commits: a lower number may appear after a higher one."""


@dataclass(frozen=True, slots=True)
class Change:
    number: int
    kind: str
    ref: str
    version: int
    at: datetime


async def note_change(
    connection: AsyncConnection, tenant: str, kind: str, ref: str, version: int, now: datetime
) -> None:
    await connection.execute(changes.insert().values(tenant=tenant, kind=kind, ref=ref, version=version, at=now))
    if connection.dialect.name == "postgresql":
        await connection.execute(text("NOTIFY kt_changes"))


async def last_change(connection: AsyncConnection) -> int:
    return int(await connection.scalar(select(func.max(changes.c.number))) or 0)


async def changes_after(connection: AsyncConnection, number: int, limit: int = 1000) -> list[Change]:
    query = select(changes).where(changes.c.number > number).order_by(changes.c.number).limit(limit)
    rows = await connection.execute(query)
    return [Change(row.number, row.kind, row.ref, row.version, row.at) for row in rows]


class ChangeFeed:
    """Follows the feed for this process, once, however many listen. Run `run` as a task."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[asyncio.Queue[Change]] = set()
        self._seen: deque[int] = deque(maxlen=4 * _OVERLAP)
        self._last = 0
        self.following = asyncio.Event()

    async def run(self) -> None:
        """Follow for ever; a store that is away is waited for, and what happened meanwhile is read then."""
        started = False
        while True:
            try:
                if not started:
                    await self._begin_here()
                    started = True
                await (self._poll() if self._database.is_sqlite else self._listen())
            except (StoreUnavailable, OSError):
                await asyncio.sleep(RETRY_S)

    async def listen(self) -> AsyncGenerator[Change, None]:
        """Every change from now on. A listener that lags a thousand changes behind loses the oldest."""
        queue: asyncio.Queue[Change] = asyncio.Queue(maxsize=1000)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def _begin_here(self) -> None:
        async with self._database.read() as connection:
            self._last = await last_change(connection)
            recent = await changes_after(connection, max(0, self._last - _OVERLAP))
        self._seen.extend(change.number for change in recent)

    async def _poll(self) -> None:
        with closing(self._beside()) as connection:
            before = None
            while True:
                now = _told_by(connection, "PRAGMA data_version")
                if now is not None and now != before:
                    # Most commits are of other tables: those of governed events, many in a second.
                    last = _told_by(connection, _LAST)
                    if last is None or last > self._last:
                        await self._catch_up()
                    before = None if last is None else now
                self.following.set()
                await asyncio.sleep(POLL_S)

    def _beside(self) -> sqlite3.Connection:
        """A connection of the event loop's own: a look takes microseconds, a change of threads and back a hundred."""
        file = quote(str(Path(self._database.engine.url.database or "").absolute()))
        try:
            return sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=0, isolation_level=None)
        except sqlite3.Error as fault:
            raise StoreUnavailable(f"the store cannot be followed: {type(fault).__name__}") from None

    async def _listen(self) -> None:
        async with self._database.engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            woken, lost = asyncio.Event(), asyncio.Event()

            def end(*_: object) -> None:
                lost.set()
                woken.set()

            await raw.add_listener("kt_changes", lambda *_: woken.set())
            raw.add_termination_listener(end)
            while not lost.is_set():
                woken.clear()
                await self._catch_up()
                self.following.set()
                await woken.wait()
        raise StoreUnavailable("the connection that listened for changes was lost")

    async def _catch_up(self) -> None:
        after = self._last if self._database.is_sqlite else max(0, self._last - _OVERLAP)
        while True:
            async with self._database.read() as connection:
                found = await changes_after(connection, after, _PAGE)
            self._tell(found)
            if len(found) < _PAGE:
                return
            after = found[-1].number

    def _tell(self, found: list[Change]) -> None:
        for change in found:
            if change.number in self._seen:
                continue
            self._seen.append(change.number)
            self._last = max(self._last, change.number)
            for queue in self._listeners:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(change)


def _told_by(connection: sqlite3.Connection, question: str) -> int | None:
    """One number; None where the store is locked at this moment. Raises StoreUnavailable."""
    try:
        return int(connection.execute(question).fetchone()[0] or 0)
    except sqlite3.OperationalError as fault:
        if fault.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return None
        raise StoreUnavailable(f"the store cannot be followed: {fault.sqlite_errorname}") from None
    except sqlite3.Error as fault:
        raise StoreUnavailable(f"the store cannot be followed: {type(fault).__name__}") from None
