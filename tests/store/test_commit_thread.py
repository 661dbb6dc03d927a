"""Commits of one SQLite file: on a thread, so that the event loop goes on, and never half."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from store.commit_thread import CommitThread
from store.database import StoreUnavailable


@pytest.fixture
def other(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection to the file, which has one table."""
    connection = sqlite3.connect(tmp_path / "chain", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE said (word TEXT PRIMARY KEY)")
    yield connection
    connection.close()


@pytest_asyncio.fixture
async def commits(tmp_path: Path, other: sqlite3.Connection) -> AsyncIterator[CommitThread]:
    thread = CommitThread(str(tmp_path / "chain"))
    yield thread
    await thread.close()


def begun(commits: CommitThread, word: str, hanging: threading.Event | None = None) -> asyncio.Future[Exception | None]:
    """How the commit of one word ends; with `hanging` not before that is set."""
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO said VALUES (?)", (word,))
        assert hanging is None or hanging.wait(60)

    commits.begin(work, told.set_result)
    return told


def said(other: sqlite3.Connection) -> list[str]:
    return [word for (word,) in other.execute("SELECT word FROM said ORDER BY word")]


async def test_what_is_told_is_durable(commits: CommitThread, other: sqlite3.Connection) -> None:
    for word in ("one", "two"):
        assert await begun(commits, word) is None
    assert said(other) == ["one", "two"]


async def test_a_commit_that_hangs_leaves_the_event_loop_alone(commits: CommitThread) -> None:
    assert await begun(commits, "one") is None
    hanging = threading.Event()
    waiting = begun(commits, "two", hanging)
    assert not waiting.done()
    asyncio.get_running_loop().call_soon(hanging.set)
    assert await waiting is None


async def test_a_lock_is_waited_for_without_the_event_loop(commits: CommitThread, other: sqlite3.Connection) -> None:
    assert await begun(commits, "one") is None
    other.execute("BEGIN IMMEDIATE")
    waiting = begun(commits, "two")
    assert not waiting.done()
    other.execute("COMMIT")
    assert await waiting is None
    assert said(other) == ["one", "two"]


async def test_a_refused_row_is_told_and_the_next_commit_goes_on(
    commits: CommitThread, other: sqlite3.Connection
) -> None:
    assert await begun(commits, "one") is None
    assert isinstance(await begun(commits, "one"), sqlite3.IntegrityError)
    assert await begun(commits, "two") is None
    assert said(other) == ["one", "two"]


async def test_what_sqlite_says_of_a_fault_is_not_repeated(commits: CommitThread, other: sqlite3.Connection) -> None:
    assert await begun(commits, "one") is None
    other.execute("ALTER TABLE said ADD COLUMN more TEXT")
    fault = await begun(commits, "two")
    assert isinstance(fault, StoreUnavailable)
    assert str(fault) == "the store refused: SQLITE_ERROR"
