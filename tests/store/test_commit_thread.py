"""Commits of one SQLite file: at once where that holds nobody up, else on a thread, and never half."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from store.commit_thread import CommitThread
from store.database import StoreUnavailable

ALWAYS_QUICK = {"quick_s": 3600.0, "at_rest": 0.0}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection to the file, which has one table."""
    other = sqlite3.connect(tmp_path / "chain", isolation_level=None)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("CREATE TABLE said (word TEXT PRIMARY KEY)")
    yield other
    other.close()


@asynccontextmanager
async def committing(directory: Path, **when: float) -> AsyncIterator[CommitThread]:
    commits = CommitThread(str(directory / "chain"), **when)
    yield commits
    await commits.close()


class Ending:
    """How a commit of one word ended, and whether it had when `begin` came back."""

    def __init__(self, commits: CommitThread, word: str) -> None:
        self._told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        commits.begin(
            lambda connection: connection.execute("INSERT INTO said VALUES (?)", (word,)), self._told.set_result
        )
        self.at_once = self._told.done()

    async def fault(self) -> Exception | None:
        return await self._told


def said(other: sqlite3.Connection) -> list[str]:
    return [word for (word,) in other.execute("SELECT word FROM said ORDER BY word")]


async def test_the_first_commit_is_made_on_the_thread(tmp_path: Path, file: sqlite3.Connection) -> None:
    async with committing(tmp_path, **ALWAYS_QUICK) as commits:
        first = Ending(commits, "one")
        assert not first.at_once
        assert await first.fault() is None
    assert said(file) == ["one"]


async def test_where_commits_are_quick_the_next_is_made_at_once(tmp_path: Path, file: sqlite3.Connection) -> None:
    async with committing(tmp_path, **ALWAYS_QUICK) as commits:
        assert await Ending(commits, "one").fault() is None
        assert Ending(commits, "two").at_once
        assert said(file) == ["one", "two"]


async def test_where_commits_are_slow_the_event_loop_is_left_alone(tmp_path: Path, file: sqlite3.Connection) -> None:
    async with committing(tmp_path, quick_s=0.0, at_rest=0.0) as commits:
        for word in ("one", "two", "three"):
            ending = Ending(commits, word)
            assert not ending.at_once
            assert await ending.fault() is None


async def test_soon_after_another_commit_the_event_loop_is_left_alone(tmp_path: Path, file: sqlite3.Connection) -> None:
    async with committing(tmp_path, quick_s=3600.0, at_rest=1e9) as commits:
        for word in ("one", "two"):
            ending = Ending(commits, word)
            assert not ending.at_once
            assert await ending.fault() is None


async def test_a_lock_is_waited_for_on_the_thread(tmp_path: Path, file: sqlite3.Connection) -> None:
    async with committing(tmp_path, **ALWAYS_QUICK) as commits:
        assert await Ending(commits, "one").fault() is None
        file.execute("BEGIN IMMEDIATE")
        waiting = Ending(commits, "two")
        assert not waiting.at_once
        file.execute("COMMIT")
        assert await waiting.fault() is None
    assert said(file) == ["one", "two"]


async def test_a_refused_row_is_told_and_the_next_commit_goes_on(tmp_path: Path, file: sqlite3.Connection) -> None:
    async with committing(tmp_path, **ALWAYS_QUICK) as commits:
        assert await Ending(commits, "one").fault() is None
        assert isinstance(await Ending(commits, "one").fault(), sqlite3.IntegrityError)
        assert await Ending(commits, "two").fault() is None
    assert said(file) == ["one", "two"]


async def test_what_sqlite_says_of_a_fault_is_not_repeated(tmp_path: Path, file: sqlite3.Connection) -> None:
    async with committing(tmp_path, **ALWAYS_QUICK) as commits:
        assert await Ending(commits, "one").fault() is None
        file.execute("ALTER TABLE said ADD COLUMN more TEXT")
        fault = await Ending(commits, "two").fault()
    assert isinstance(fault, StoreUnavailable)
    assert str(fault) == "the store refused: SQLITE_ERROR"
