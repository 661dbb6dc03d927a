"""Appending to the ledger: one hash chain per writer process, by group commit, durable before anybody goes on.

A writer takes a slot (`api`, `worker`, `gateway`, then `api-2` …) that no other living process holds, and continues
that slot's chain under a new epoch. On SQLite each chain is a file of its own under the ledger directory, locked by
its writer; on PostgreSQL it is a partition of the table `ledger`, held by an advisory lock. Triggers refuse UPDATE
and DELETE on both.

An entry may bring its governed event. Both are one transaction: on PostgreSQL with the table `events` itself, on SQLite
with an outbox beside the entries (see store/outbox.py).
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.entries import GENESIS, Draft, Entry, seal
from store.commit_thread import CommitThread, insert_rows
from store.database import Database, StoreUnavailable, sqlite_url
from store.events import GovernedEvent, put_events
from store.group_commit import GroupCommit, Outcome
from store.outbox import DISCARD, Mover, packed
from store.schema import ledger, ledger_metadata, outbox
from store.slots import AdvisoryLock, FileLock

MOST_SLOTS = 256
SUFFIX = ".ledger"
"""The ending of a chain's file on SQLite."""
_COLUMNS = tuple(column.name for column in ledger.c)
_OUTBOX_COLUMNS = tuple(column.name for column in outbox.c)
_SLOT = re.compile(r"[a-z][a-z0-9-]{0,40}\Z")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry stands."""

    chain: str
    seq: int


@dataclass(frozen=True, slots=True)
class _Order:
    """What one caller wants written. `packed` is the event as the outbox takes it."""

    drafts: tuple[Draft, ...]
    event: GovernedEvent | None
    packed: str | None


@dataclass(slots=True)
class _Head:
    epoch: int
    seq: int
    hash: str


class LedgerWriter:
    """The ledger of this process. Open it with `open_ledger`; `append` returns when the entries are durable."""

    def __init__(
        self,
        chain: str,
        database: Database,
        head: _Head,
        lock: Any,
        thread: CommitThread | None = None,
        mover: Mover | None = None,
    ) -> None:
        self.chain = chain
        self._thread = thread
        self._mover = mover
        self._discarded = 0
        self._database = database
        self._head: _Head | None = head
        self._epoch = head.epoch
        self._lock = lock
        self._commits: GroupCommit[_Order, list[Receipt]] = GroupCommit(
            self._write, quick=self._write_quickly if thread is not None else None
        )

    async def append(self, *drafts: Draft, event: GovernedEvent | None = None) -> list[Receipt]:
        """Write entries, in order, in one commit. Raises StoreUnavailable; then none of them was written.

        `event` is durable together with them, and stands in the table `events` then or a moment later. An entry whose
        `event_id` this chain already has is not written again; its receipt is the first one's.
        """
        packing = event is not None and self._mover is not None
        return await self._commits.submit(_Order(drafts, event, packed(event) if event and packing else None))

    async def _write(self, batch: list[_Order]) -> list[list[Receipt]]:
        """Nearly every entry is new, so that is tried first; only where one is not, the known ones are looked up."""
        try:
            return await self._insert(batch, look_up=False)
        except (IntegrityError, sqlite3.IntegrityError):
            return await self._insert(batch, look_up=True)
        finally:
            self._wake_mover(batch)

    def _write_quickly(self, batch: list[_Order], ended: Callable[[Outcome[list[Receipt]]], None]) -> bool:
        """The same on the commit thread, where the head is known and every entry is new."""
        if self._thread is None or self._head is None:
            return False
        # A commit that failed may have happened all the same; until it is known, the head is read anew.
        remembered, self._head = self._head, None
        head, rows, brought, receipts = self._seal(batch, remembered, {})

        def committed(fault: Exception | None) -> None:
            self._wake_mover(batch)
            if fault is None:
                self._head = head
                ended(receipts)
            else:
                ended(None if isinstance(fault, sqlite3.IntegrityError) else fault)

        self._begin(self._thread, rows, [(seq, order.packed) for seq, order in brought], committed)
        return True

    def _wake_mover(self, batch: list[_Order]) -> None:
        """After an error too: what failed may have happened."""
        if self._mover is not None and any(order.event is not None for order in batch):
            self._mover.wake()

    async def _insert(self, batch: list[_Order], *, look_up: bool) -> list[list[Receipt]]:
        remembered, self._head = self._head, None
        async with self._database.write() as connection:
            known: dict[str, Receipt] = {}
            if look_up:
                known = await self._known(connection, [draft.event_id for order in batch for draft in order.drafts])
            place = remembered or await _head(connection, self.chain)
            head, rows, brought, receipts = self._seal(batch, place, known)
            if rows:
                await connection.execute(ledger.insert(), rows)
            if brought and self._mover is None:
                await put_events(connection, [order.event for _, order in brought if order.event is not None])
            elif brought:
                await connection.execute(outbox.insert(), [{"seq": seq, "event": o.packed} for seq, o in brought])
        self._head = head
        return receipts

    def _begin(
        self,
        thread: CommitThread,
        rows: list[dict[str, Any]],
        waiting: list[tuple[int, str | None]],
        ended: Callable[[Exception | None], None],
    ) -> None:
        """One transaction, one flush: entries, their events, and the end of those that have reached the store."""
        values = [[row[name] for name in _COLUMNS] for row in rows]
        moved = self._mover.moved if self._mover is not None else 0

        def work(connection: sqlite3.Connection) -> None:
            if moved > self._discarded:
                connection.execute(DISCARD, (moved,))
            insert_rows(connection, ledger.name, _COLUMNS, values)
            insert_rows(connection, outbox.name, _OUTBOX_COLUMNS, waiting)

        def committed(fault: Exception | None) -> None:
            if fault is None:
                self._discarded = moved
            ended(fault)

        thread.begin(work, committed)

    def _seal(
        self, batch: list[_Order], place: _Head, known: dict[str, Receipt]
    ) -> tuple[_Head, list[dict[str, Any]], list[tuple[int, _Order]], list[list[Receipt]]]:
        """The entries behind `place`: the new head, their rows, which bring events, and where each draft stands."""
        head = _Head(self._epoch, place.seq, place.hash)
        rows: list[dict[str, Any]] = []
        brought: list[tuple[int, _Order]] = []
        receipts: list[list[Receipt]] = []
        for order in batch:
            before = head.seq
            receipts.append([self._place(draft, head, known, rows) for draft in order.drafts])
            if order.event is not None and head.seq > before:
                brought.append((head.seq, order))
        return head, rows, brought, receipts

    async def _known(self, connection: AsyncConnection, event_ids: list[str]) -> dict[str, Receipt]:
        found = await connection.execute(
            select(ledger.c.event_id, ledger.c.seq).where(
                ledger.c.chain == self.chain, ledger.c.event_id.in_(event_ids)
            )
        )
        return {row.event_id: Receipt(self.chain, row.seq) for row in found}

    def _place(self, draft: Draft, head: _Head, known: dict[str, Receipt], rows: list[dict[str, Any]]) -> Receipt:
        if draft.event_id in known:
            return known[draft.event_id]
        entry = seal(draft, self.chain, head.epoch, head.seq + 1, head.hash)
        head.seq, head.hash = entry["seq"], entry["hash"]
        rows.append(
            {
                "chain": self.chain,
                "seq": head.seq,
                "event_id": draft.event_id,
                "type": draft.type,
                "escalation_id": draft.escalation_id,
                "hash": head.hash,
                "entry": orjson.dumps(entry),
            }
        )
        known[draft.event_id] = Receipt(self.chain, head.seq)
        return known[draft.event_id]

    async def close(self) -> None:
        await self._commits.close()
        if self._mover is not None:
            await self._mover.close()
        if self._thread is not None:
            if self._mover is not None and self._mover.moved > self._discarded:
                # Where that fails, what stays is moved once more, which changes nothing.
                discarded = asyncio.Event()
                self._begin(self._thread, [], [], lambda _fault: discarded.set())
                await discarded.wait()
            await self._thread.close()
        await self._lock.release()


async def open_ledger(role: str, database: Database, directory: Path) -> LedgerWriter:
    """Continue the chain of the first free slot of `role`. Raises StoreUnavailable when it cannot be written."""
    if not _SLOT.match(role):
        raise ValueError(f"{role!r} is not a slot name")
    for number in range(1, MOST_SLOTS + 1):
        chain = role if number == 1 else f"{role}-{number}"
        lock = await FileLock.take(directory, chain) if database.is_sqlite else await AdvisoryLock.take(database, chain)
        if lock is not None:
            break
    else:
        raise StoreUnavailable(f"{MOST_SLOTS} processes already write as {role}")
    file = directory / f"{chain}{SUFFIX}"
    home, thread, mover = database, None, None
    if database.is_sqlite:
        lock.home = home = Database(sqlite_url(file))
        thread = CommitThread(str(file))
    async with home.write() as connection:
        await _prepare(connection, chain)
        head = await _head(connection, chain)
    head.epoch += 1
    if database.is_sqlite:
        mover = Mover(Path(make_url(database.url).database or ""), database.turn, file)
    writer = LedgerWriter(chain, home, head, lock, thread, mover)
    now = datetime.now(UTC)
    started = Draft(f"{chain}/epoch/{head.epoch}", "chain.opened", now, role, data={"pid": os.getpid()})
    await writer.append(started)
    return writer


async def _prepare(connection: AsyncConnection, chain: str) -> None:
    if connection.dialect.name == "sqlite":
        await connection.run_sync(ledger_metadata.create_all)
        for verb in ("UPDATE", "DELETE"):
            await connection.execute(text(append_only_sqlite(verb)))
        return
    name = "ledger_" + chain.replace("-", "_")
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('kt.ledger.partitions'))"))
    await connection.execute(text(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF ledger FOR VALUES IN ('{chain}')"))


def append_only_sqlite(verb: str) -> str:
    return (
        f"CREATE TRIGGER IF NOT EXISTS ledger_no_{verb.lower()} BEFORE {verb} ON ledger"
        " BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )


async def _head(connection: AsyncConnection, chain: str) -> _Head:
    """Where the chain stands."""
    last = await connection.execute(
        select(ledger.c.seq, ledger.c.hash, ledger.c.entry)
        .where(ledger.c.chain == chain)
        .order_by(ledger.c.seq.desc())
        .limit(1)
    )
    row = last.first()
    if row is None:
        return _Head(0, 0, GENESIS)
    return _Head(orjson.loads(row.entry)["epoch"], row.seq, row.hash)


async def chains(database: Database, directory: Path) -> list[str]:
    """The names of all chains that there are."""
    if database.is_sqlite:
        return sorted(name.removesuffix(SUFFIX) for name in os.listdir(directory) if name.endswith(SUFFIX))
    async with database.read() as connection:
        return list((await connection.scalars(select(ledger.c.chain).distinct().order_by(ledger.c.chain))).all())


async def read_chain(database: Database, directory: Path, chain: str) -> AsyncIterator[Entry]:
    """Every entry of one chain, in order."""
    home = Database(sqlite_url(directory / f"{chain}{SUFFIX}")) if database.is_sqlite else database
    try:
        after = 0
        while True:
            async with home.read() as connection:
                query = select(ledger.c.seq, ledger.c.entry).where(ledger.c.chain == chain, ledger.c.seq > after)
                rows = (await connection.execute(query.order_by(ledger.c.seq).limit(1000))).all()
            if not rows:
                return
            for row in rows:
                yield orjson.loads(row.entry)
            after = rows[-1].seq
    finally:
        if home is not database:
            await home.close()
