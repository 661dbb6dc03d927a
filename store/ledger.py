"""Appending to the ledger: one hash chain per writer process, by group commit, durable before anybody goes on.

A writer takes a slot (`api`, `worker`, `gateway`, then `api-2` …) that no other living process holds, and continues
that slot's chain under a new epoch. On SQLite each chain is a file of its own under the ledger directory, locked by
its writer; on PostgreSQL it is a partition of the table `ledger`, held by an advisory lock. Triggers refuse UPDATE
and DELETE on both.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.entries import GENESIS, Draft, Entry, seal
from store.database import Database, StoreUnavailable, sqlite_url
from store.group_commit import GroupCommit
from store.schema import ledger, ledger_metadata

MOST_SLOTS = 256
SUFFIX = ".ledger"
"""The ending of a chain's file on SQLite."""
_SLOT = re.compile(r"[a-z][a-z0-9-]{0,40}\Z")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry stands."""

    chain: str
    seq: int


@dataclass(slots=True)
class _Head:
    epoch: int
    seq: int
    hash: str


class LedgerWriter:
    """The ledger of this process. Open it with `open_ledger`; `append` returns when the entries are durable."""

    def __init__(self, chain: str, database: Database, head: _Head, lock: Any) -> None:
        self.chain = chain
        self._database = database
        self._head: _Head | None = head
        self._epoch = head.epoch
        self._lock = lock
        self._commits: GroupCommit[list[Draft], list[Receipt]] = GroupCommit(self._write)

    async def append(self, *drafts: Draft) -> list[Receipt]:
        """Write entries, in order, in one commit. Raises StoreUnavailable; then none of them was written.

        An entry whose `event_id` this chain already has is not written again; its receipt is the first one's.
        """
        return await self._commits.submit(list(drafts))

    async def _write(self, batch: list[list[Draft]]) -> list[list[Receipt]]:
        """Nearly every entry is new, so that is tried first; only where one is not, the known ones are looked up."""
        try:
            return await self._insert(batch, look_up=False)
        except IntegrityError:
            return await self._insert(batch, look_up=True)

    async def _insert(self, batch: list[list[Draft]], *, look_up: bool) -> list[list[Receipt]]:
        # A commit that failed may have happened all the same; until it is known, the head is read anew.
        remembered, self._head = self._head, None
        async with self._database.write() as connection:
            known: dict[str, Receipt] = {}
            if look_up:
                known = await self._known(connection, [draft.event_id for drafts in batch for draft in drafts])
            place = remembered or await _head(connection, self.chain)
            head = _Head(self._epoch, place.seq, place.hash)
            rows: list[dict[str, Any]] = []
            receipts = [[self._place(draft, head, known, rows) for draft in drafts] for drafts in batch]
            if rows:
                await connection.execute(ledger.insert(), rows)
        self._head = head
        return receipts

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
        await self._lock.release()


async def open_ledger(role: str, database: Database, directory: Path) -> LedgerWriter:
    """Continue the chain of the first free slot of `role`. Raises StoreUnavailable when it cannot be written."""
    if not _SLOT.match(role):
        raise ValueError(f"{role!r} is not a slot name")
    for number in range(1, MOST_SLOTS + 1):
        chain = role if number == 1 else f"{role}-{number}"
        lock = (
            await _FileLock.take(directory, chain) if database.is_sqlite else await _AdvisoryLock.take(database, chain)
        )
        if lock is not None:
            break
    else:
        raise StoreUnavailable(f"{MOST_SLOTS} processes already write as {role}")
    home = Database(sqlite_url(directory / f"{chain}{SUFFIX}")) if database.is_sqlite else database
    if database.is_sqlite:
        lock.home = home
    async with home.write() as connection:
        await _prepare(connection, chain)
        head = await _head(connection, chain)
    head.epoch += 1
    writer = LedgerWriter(chain, home, head, lock)
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


class _FileLock:
    """A slot is held by an exclusive lock on a file beside the chain; the kernel frees it when the holder dies."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.home: Database | None = None

    @classmethod
    async def take(cls, directory: Path, chain: str) -> _FileLock | None:
        try:
            os.makedirs(directory, exist_ok=True)
            descriptor = os.open(directory / f"{chain}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as fault:
            raise StoreUnavailable(f"{directory}: cannot write the ledger: {fault.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(descriptor)

    async def release(self) -> None:
        if self.home is not None:
            await self.home.close()
        os.close(self._descriptor)


class _AdvisoryLock:
    """A slot is held by a session-level advisory lock on a connection of its own."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.home: Database | None = None

    @classmethod
    async def take(cls, database: Database, chain: str) -> _AdvisoryLock | None:
        number = int.from_bytes(hashlib.sha256(f"kt.ledger.{chain}".encode()).digest()[:8], "big", signed=True)
        connection = await database.engine.connect()
        got = await connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": number})
        await connection.commit()
        if not got:
            await connection.close()
            return None
        return cls(connection)

    async def release(self) -> None:
        await self._connection.invalidate()
        await self._connection.close()


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
