"""Who may write a chain: one process at a time holds its slot, and a process that dies lets go of it at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database, StoreUnavailable


class FileLock:
    """A slot is held by an exclusive lock on a file beside the chain; the kernel frees it when the holder dies."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.home: Database | None = None

    @classmethod
    async def take(cls, directory: Path, chain: str) -> FileLock | None:
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


class AdvisoryLock:
    """A slot is held by a session-level advisory lock on a connection of its own."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.home: Database | None = None

    @classmethod
    async def take(cls, database: Database, chain: str) -> AdvisoryLock | None:
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
