"""Commits of one SQLite file: on a thread of their own, from the first statement to the flush.

That is one change of threads and back, where a driver that awaits every statement makes a dozen; and a disk that hangs
in a flush holds up those who wait for it, and nobody else on the event loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from queue import SimpleQueue
from threading import Thread
from typing import Any

from store.database import BUSY_TIMEOUT_MS, StoreUnavailable

Work = Callable[[sqlite3.Connection], None]
Ended = Callable[[Exception | None], None]
MOST_ROWS = 32
"""Rows of one statement: with twenty columns still below the 999 variables that every SQLite takes."""


class CommitThread:
    """One SQLite connection on a thread of its own, which begins with the first commit."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._jobs: SimpleQueue[tuple[Work, asyncio.AbstractEventLoop, Ended] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def begin(self, work: Work, ended: Ended) -> None:
        """Run `work` in one writing transaction, durable when `ended` is called on this event loop.

        It is called with None, with StoreUnavailable, or with an IntegrityError of sqlite3; then nothing was written.
        """
        if self._thread is None:
            self._thread = Thread(target=self._run, name="commit", daemon=True)
            self._thread.start()
        self._jobs.put((work, asyncio.get_running_loop(), ended))

    async def close(self) -> None:
        """After the last commit."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            work, loop, ended = job
            fault: Exception | None = None
            try:
                connection = connection or self._open()
                _commit(connection, work)
            except Exception as failed:
                fault = _told(failed)
            with suppress(RuntimeError):  # the loop may be gone; then nobody waits
                loop.call_soon_threadsafe(ended, fault)
        if connection is not None:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection


def insert_rows(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows, many per statement.

    A statement runs without the interpreter's lock and then waits to have it back, for milliseconds when the event
    loop is busy; `executemany` would pay that for each row. Numbers of rows are powers of two, so that the few
    different statements stay prepared.
    """
    start = 0
    while start < len(rows):
        size = min(MOST_ROWS, 1 << (len(rows) - start).bit_length() - 1)
        values = [value for row in rows[start : start + size] for value in row]
        connection.execute(_insertion(table, tuple(columns), size), values)
        start += size


@cache
def _insertion(table: str, columns: tuple[str, ...], rows: int) -> str:
    marks = f"({','.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES {','.join([marks] * rows)}"  # noqa: S608


def _commit(connection: sqlite3.Connection, work: Work) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself has rolled back after some errors, a full disk among them.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _told(fault: Exception) -> Exception:
    """SQLite's own words may quote values, so they are dropped."""
    if isinstance(fault, sqlite3.Error) and not isinstance(fault, sqlite3.IntegrityError):
        return StoreUnavailable(f"the store refused: {getattr(fault, 'sqlite_errorname', 'closed')}")
    return fault
