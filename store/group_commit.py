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
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from store.database import BUSY_TIMEOUT_MS, StoreUnavailable

Item = TypeVar("Item")
Receipt = TypeVar("Receipt")
Work = Callable[[sqlite3.Connection], None]
_Submitted = tuple[Item, asyncio.Future[Receipt]]
Outcome = Sequence[Receipt] | Exception | None
Quick = Callable[[list[Item], Callable[[Outcome[Receipt]], None]], bool]
"""Begins the commit of a batch and returns True, or does nothing and returns False.

The callback takes the receipts, the error for all, or None where the batch has to go the ordinary way after all.
"""
Ended = Callable[[Exception | None], None]
MOST_ROWS = 32
"""Rows of one statement: with twenty columns still below the 999 variables that every SQLite takes."""


class GroupCommit(Generic[Item, Receipt]):
    """Collects items and hands them to `commit`, one batch at a time, in the order in which they came.

    `commit` returns one receipt per item. If it raises, everybody in that batch gets the error and nothing of the
    batch has happened. `largest` bounds a batch. `quick`, where given, is tried first: it begins a commit elsewhere,
    without a turn of the event loop, and tells of its end on the loop; see `Quick`.
    """

    def __init__(
        self,
        commit: Callable[[list[Item]], Awaitable[Sequence[Receipt]]],
        largest: int = 500,
        quick: Quick[Item, Receipt] | None = None,
    ) -> None:
        self._commit = commit
        self._largest = largest
        self._quick = quick
        self._waiting: list[_Submitted[Item, Receipt]] = []
        self._busy = False
        self._slow: asyncio.Task[None] | None = None
        self._closing: asyncio.Future[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[Receipt]:
        """The receipt, once the item is durable."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if not self._busy:
            self._busy = True
            self._next()
        return future

    async def close(self) -> None:
        """Wait until everything that was submitted is durable or has failed."""
        while self._busy:
            self._closing = self._closing or asyncio.get_running_loop().create_future()
            await self._closing

    def _next(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            try:
                begun = self._quick is not None and self._quick(_items(batch), partial(self._ended, batch))
            except Exception as fault:
                _settle_all(batch, fault)
                continue
            if not begun:
                self._slow = asyncio.create_task(self._slowly(batch))
            return
        self._busy = False
        closing, self._closing = self._closing, None
        if closing is not None and not closing.done():
            closing.set_result(None)

    def _ended(self, batch: list[_Submitted[Item, Receipt]], outcome: Outcome[Receipt]) -> None:
        if outcome is None:
            self._slow = asyncio.create_task(self._slowly(batch))
            return
        _settle_all(batch, outcome)
        self._next()

    async def _slowly(self, batch: list[_Submitted[Item, Receipt]]) -> None:
        outcome: Sequence[Receipt] | Exception = ConnectionError("stopped")
        try:
            outcome = await self._commit(_items(batch))
        except Exception as fault:
            outcome = fault
        finally:
            _settle_all(batch, outcome)
            self._next()


def _items(batch: list[_Submitted[Item, Receipt]]) -> list[Item]:
    return [item for item, _ in batch]


def _settle_all(batch: list[_Submitted[Item, Receipt]], outcome: Sequence[Receipt] | Exception) -> None:
    if isinstance(outcome, Exception):
        for _, future in batch:
            if not future.done():
                future.set_exception(outcome)
        return
    for (_, future), receipt in zip(batch, outcome, strict=True):
        if not future.done():
            future.set_result(receipt)


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
            except sqlite3.IntegrityError as refused:
                fault = refused
            except sqlite3.Error as refused:
                fault = StoreUnavailable(f"the store refused: {getattr(refused, 'sqlite_errorname', 'closed')}")
            except Exception as failed:
                fault = failed
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
