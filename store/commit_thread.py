"""Commits of one SQLite file: on a thread of their own, from the first statement to the flush.

That is one change of threads and back, where a driver that awaits every statement makes a dozen. Where the disk is
quick and has been at rest, even these two would cost more than the flush: such a commit runs where it is asked for. The
price is that a disk that hangs in such a flush holds the event loop until it comes back; nothing leaves meanwhile.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
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
QUICK_S = 0.0005
"""What the event loop may stand still for a commit: about what one request costs it anyway."""
AT_REST = 2.0
"""How long no commit has run, in commits, before the next may hold the event loop: then it hardly holds anybody up."""
LEARNS = 0.2
"""The share of the latest commit in what the next is expected to take."""


class CommitThread:
    """One SQLite connection for one commit at a time, and a thread that begins with the first.

    `quick_s` and `at_rest` say when a commit is made at once; with `quick_s` 0 none is.
    """

    def __init__(self, file: str, quick_s: float = QUICK_S, at_rest: float = AT_REST) -> None:
        self._file = file
        self._quick_s = quick_s
        self._at_rest = at_rest
        self._jobs: SimpleQueue[tuple[Work, asyncio.AbstractEventLoop, Ended] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._patience_ms = BUSY_TIMEOUT_MS
        self._took_s = quick_s
        self._ended_at = 0.0

    def begin(self, work: Work, ended: Ended) -> None:
        """Run `work` in one writing transaction, durable when `ended` is called on this event loop.

        It is called with None, with StoreUnavailable, or with an IntegrityError of sqlite3; then nothing was written.
        A commit that does not take long is made at once: `ended` is called before this returns.
        """
        rested = time.perf_counter() - self._ended_at >= self._at_rest * self._took_s
        if self._took_s < self._quick_s and rested:
            fault = self._attempt(work, 0)
            if not _is_locked(fault):
                ended(_told(fault))
                return
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
        while (job := self._jobs.get()) is not None:
            work, loop, ended = job
            fault = _told(self._attempt(work, BUSY_TIMEOUT_MS))
            with suppress(RuntimeError):  # the loop may be gone; then nobody waits
                loop.call_soon_threadsafe(ended, fault)
        if self._connection is not None:
            self._connection.close()

    def _attempt(self, work: Work, patience_ms: int) -> Exception | None:
        """Commit, waiting so long for a lock; the error after which nothing was written."""
        started = time.perf_counter()
        try:
            if self._connection is None:
                self._connection = self._open()
            if patience_ms != self._patience_ms:
                self._connection.execute(f"PRAGMA busy_timeout={patience_ms}")
                self._patience_ms = patience_ms
            _commit(self._connection, work)
        except Exception as fault:
            self._took_s = self._quick_s
            return fault
        self._ended_at = time.perf_counter()
        self._took_s += LEARNS * (self._ended_at - started - self._took_s)
        return None

    def _open(self) -> sqlite3.Connection:
        patience_s = BUSY_TIMEOUT_MS / 1000
        connection = sqlite3.connect(self._file, timeout=patience_s, isolation_level=None, check_same_thread=False)
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


def _is_locked(fault: Exception | None) -> bool:
    return (
        isinstance(fault, sqlite3.OperationalError)
        and getattr(fault, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    )


def _told(fault: Exception | None) -> Exception | None:
    """SQLite's own words may quote values, so they are dropped."""
    if isinstance(fault, sqlite3.Error) and not isinstance(fault, sqlite3.IntegrityError):
        return StoreUnavailable(f"the store refused: {getattr(fault, 'sqlite_errorname', 'closed')}")
    return fault
