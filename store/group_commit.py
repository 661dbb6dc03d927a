"""Many small writes, one durable commit: whoever arrives while a commit is running goes into the next one.

The price of durability is a flush of the disk; paid once per commit, not once per writer, it stays the same under
load. Nobody's `submit` returns before the commit that holds its items is durable.

On SQLite such a commit runs on a thread of its own, from its first statement to its flush: one change of threads and
back, where a driver that awaits every statement makes a dozen.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from store.database import BUSY_TIMEOUT_MS, StoreUnavailable

Item = TypeVar("Item")
Receipt = TypeVar("Receipt")
Work = Callable[[sqlite3.Connection], None]
MOST_ROWS = 32
"""Rows of one statement: with twenty columns still below the 999 variables that every SQLite takes."""


class GroupCommit(Generic[Item, Receipt]):
    """Collects items and hands them to `commit`, one batch at a time, in the order in which they came.

    `commit` returns one receipt per item. If it raises, everybody in that batch gets the error and nothing of the
    batch has happened. `largest` bounds a batch.
    """

    def __init__(self, commit: Callable[[list[Item]], Awaitable[Sequence[Receipt]]], largest: int = 500) -> None:
        self._commit = commit
        self._largest = largest
        self._waiting: list[tuple[Item, asyncio.Future[Receipt]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Receipt:
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            try:
                receipts = await self._commit([item for item, _ in batch])
            except BaseException as fault:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(fault if isinstance(fault, Exception) else ConnectionError("stopped"))
                if not isinstance(fault, Exception):
                    raise
                continue
            for (_, future), receipt in zip(batch, receipts, strict=True):
                if not future.done():
                    future.set_result(receipt)

    async def close(self) -> None:
        """Wait until everything that was submitted is durable or has failed."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])


class CommitThread:
    """One SQLite connection on a thread of its own, which begins with the first commit."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._jobs: SimpleQueue[tuple[Work, asyncio.Future[None]] | None] = SimpleQueue()
        self._thread: Thread | None = None

    async def commit(self, work: Work) -> None:
        """Run `work` in one writing transaction, durable when this returns. Raises StoreUnavailable.

        An IntegrityError of sqlite3 passes through; then too nothing was written.
        """
        if self._thread is None:
            self._thread = Thread(target=self._run, name="commit", daemon=True)
            self._thread.start()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put((work, future))
        await future

    async def close(self) -> None:
        """After the last commit."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            work, future = job
            fault: Exception | None = None
            try:
                connection = connection or self._open()
                _commit(connection, work)
            except sqlite3.IntegrityError as refused:
                fault = refused
            except sqlite3.Error as refused:
                fault = StoreUnavailable(f"the store refused: {getattr(refused, 'sqlite_errorname', 'closed')}")
            except Exception as failed:
                fault = failed
            with suppress(RuntimeError):  # the loop may be gone; then nobody waits
                future.get_loop().call_soon_threadsafe(_settle, future, fault)
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
    marks = f"({','.join('?' * len(columns))})"
    start = 0
    while start < len(rows):
        size = min(MOST_ROWS, 1 << (len(rows) - start).bit_length() - 1)
        statement = f"INSERT INTO {table} ({','.join(columns)}) VALUES {','.join([marks] * size)}"  # noqa: S608
        connection.execute(statement, [value for row in rows[start : start + size] for value in row])
        start += size


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


def _settle(future: asyncio.Future[None], fault: Exception | None) -> None:
    if future.done():
        return
    if fault is None:
        future.set_result(None)
    else:
        future.set_exception(fault)
