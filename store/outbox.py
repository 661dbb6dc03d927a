"""Events on their way from a chain's file into the table `events`: written with their entry, moved soon after.

On SQLite an event lies first in the ledger's own file: entry and event are one transaction and cost one flush. A mover
copies such rows, many in one commit; a later commit of the ledger deletes what was copied. A crash at any point leaves
an event in one place or in both, and one that has arrived is not written again. While the store is away the rows wait.

Whoever opens a ledger also moves what other chains left behind when their writers died. That takes no lock of a slot:
to copy, and to delete what was copied, are each harmless to do twice.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import orjson

from store.database import BUSY_TIMEOUT_MS
from store.events import EVENT_FIELDS, GovernedEvent, event_row
from store.schema import events, instant_number, outbox

PACE_S = 0.1
"""From one move to the next: every commit to the store wakes all who follow its changes."""
BUSY_PACE_S = 0.5
"""The same after a move of many rows: both files lie on one disk, and each of its flushes holds requests up."""
MANY = 20
RETRY_S = 0.5
MOST_MOVED = 500
"""Rows of one move: a writer of the store waits no longer than these take."""
_FIELDS = ", ".join(f"json_extract(event, '$.{name}')" for name in EVENT_FIELDS)
_LAST = "SELECT max(seq), count(*) FROM (SELECT seq FROM chain.outbox WHERE seq > ? ORDER BY seq LIMIT ?)"
_COPY = (
    f"INSERT INTO {events.name} ({', '.join(EVENT_FIELDS)}) SELECT {_FIELDS} FROM chain.outbox"  # noqa: S608
    " WHERE seq > ? AND seq <= ? ORDER BY seq ON CONFLICT (event_id) DO NOTHING"
)
DISCARD = f"DELETE FROM {outbox.name} WHERE seq <= ?"  # noqa: S608
Found = TypeVar("Found")
_logger = logging.getLogger("keeptrusts.store")


def packed(event: GovernedEvent) -> str:
    """The event as its row of the outbox: JSON, so that a release with other columns can still move it."""
    row = event_row(event)
    row["at"] = instant_number(event.at)
    written = orjson.dumps(row)
    if b"\\u0000" in written:
        # SQLite's JSON would end a text at its first NUL, so that one name could pass for another.
        row = {name: value.replace("\0", "�") if isinstance(value, str) else value for name, value in row.items()}
        written = orjson.dumps(row)
    return written.decode()


class Mover:
    """Moves events to the store while the process lives: its own chain's when woken, other chains' once."""

    def __init__(self, store: Path, turn: asyncio.Lock, own: Path) -> None:
        self._store = store
        self._turn = turn
        self._own = own
        self._others = [file for file in sorted(own.parent.glob(f"*{own.suffix}")) if file != own]
        self._away = False
        self._closing = asyncio.Event()
        self._woken = asyncio.Event()
        self._woken.set()  # for what was left behind
        self.moved = 0
        """The events of the own chain's entries up to this number are durable in the store."""
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """There may be a row to move."""
        self._woken.set()

    async def close(self) -> None:
        """Try once more, after the last commit of the ledger; what cannot be moved is there for the next opening."""
        self._closing.set()
        self._woken.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            last = self._closing.is_set()
            try:
                before, self.moved = self.moved, await self._empty(self._own, self.moved)
                pause = BUSY_PACE_S if self.moved - before > MANY else PACE_S
                await self._rescue()
                self._away = False
            except Exception as fault:
                pause = RETRY_S
                self._woken.set()
                self._tell(fault)
            if last:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()

    async def _rescue(self) -> None:
        """Move what the other chains hold. A chain that cannot be read is named and left as it is."""
        while self._others:
            file = self._others[0]
            try:
                waiting = await asyncio.to_thread(_holds_events, file)
            except (sqlite3.Error, OSError) as fault:
                _logger.warning("%s cannot be searched for events: %s", file.name, type(fault).__name__)
                waiting = False
            if waiting:
                moved = await self._empty(file, 0)
                await asyncio.to_thread(_discard, file, moved)
            del self._others[0]

    async def _empty(self, file: Path, after: int) -> int:
        """Copy every row behind `after`; the number of the last one."""
        while True:
            async with self._turn:
                after, more = await asyncio.to_thread(_copy, self._store, file, after)
            if not more:
                return after

    def _tell(self, fault: Exception) -> None:
        if not self._away:
            name = getattr(fault, "sqlite_errorname", type(fault).__name__)
            _logger.warning("events wait in the ledger until the store takes them: %s", name)
        self._away = True


def _copy(store: Path, chain: Path, after: int) -> tuple[int, bool]:
    """Copy the next rows behind `after` in one durable commit: the number of the last, and whether more may follow."""

    def work(connection: sqlite3.Connection) -> tuple[int, bool]:
        connection.execute("ATTACH ? AS chain", (_uri(chain, "ro"),))
        last, count = connection.execute(_LAST, (after, MOST_MOVED)).fetchone()
        if not count:
            return after, False
        connection.execute(_COPY, (after, last))
        return last, count == MOST_MOVED

    return _on(store, "rw", work)


def _holds_events(chain: Path) -> bool:
    """Whether the chain's outbox has rows; one that was written by an earlier release has no outbox."""

    def work(connection: sqlite3.Connection) -> bool:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (outbox.name,)).fetchone()
        return bool(known and connection.execute(f"SELECT 1 FROM {outbox.name} LIMIT 1").fetchone())  # noqa: S608

    return _on(chain, "ro", work)


def _discard(chain: Path, moved: int) -> None:
    _on(chain, "rw", lambda connection: connection.execute(DISCARD, (moved,)))


def _on(file: Path, mode: str, work: Callable[[sqlite3.Connection], Found]) -> Found:
    """`work` on a connection of its own that makes no file; each of its statements is a transaction."""
    connection = sqlite3.connect(
        _uri(file, mode), uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
    )
    with closing(connection):
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
        return work(connection)


def _uri(file: Path, mode: str) -> str:
    return f"file:{quote(str(file.absolute()))}?mode={mode}"
