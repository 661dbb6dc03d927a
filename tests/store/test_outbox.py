"""Entry and event are one commit; the event reaches the table once, whoever dies and whatever is away meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import func, select

import store.outbox
from ledger.entries import Draft
from ledger.verification import verify_chain
from store import commit_thread
from store.changes import ChangeFeed, note_change
from store.database import Database, StoreUnavailable, sqlite_url
from store.events import EventFilter, GovernedEvent, find_event, list_events
from store.ledger import open_ledger, read_chain
from store.schema import events
from tests.support.stores import new_store

NOW = datetime(2026, 5, 7, 10, 0, 0, 123456, tzinfo=UTC)


def governed(name: str, **changes: object) -> GovernedEvent:
    plain: dict[str, object] = {
        "event_id": name,
        "at": NOW,
        "verdict": "passed",
        "request_id": "req",
        "consumer": "app",
        "gateway": "gateway",
        "config_version": "p@1",
        "config_digest": "0" * 64,
        "body": {"policies": [{"score": 0.5}], "stream": False, "usage": None},
    }
    return GovernedEvent(**{**plain, **changes})  # type: ignore[arg-type]


def draft(name: str) -> Draft:
    return Draft(name, "request.decided", NOW, "test")


@pytest_asyncio.fixture
async def files(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_store("sqlite", tmp_path, None) as made:
        yield made


async def arrived(database: Database) -> list[str]:
    async with database.read() as connection:
        return [event.event_id for _, event in await list_events(connection, "default", EventFilter(limit=1000))]


async def arrive(database: Database, *names: str) -> None:
    async with asyncio.timeout(10):
        while sorted(await arrived(database)) != sorted(names):
            await asyncio.sleep(0.01)


def waiting(directory: Path, chain: str) -> list[int]:
    with closing(sqlite3.connect(directory / f"{chain}.ledger")) as connection:
        return [seq for (seq,) in connection.execute("SELECT seq FROM outbox ORDER BY seq")]


def hold_shut(database: Database) -> sqlite3.Connection:
    """A connection that lets nobody else write to the store until it is closed."""
    connection = sqlite3.connect(database.url.removeprefix(sqlite_url(Path())[:-1]), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def test_an_event_comes_back_as_its_entry_brought_it(database: Database, tmp_path: Path) -> None:
    writer = await open_ledger("gateway", database, tmp_path / "ledger")
    full = governed(
        "evt_1",
        policy_rule="pii-detector",
        severity="high",
        team='te"am',
        model="größe 😀 \\u0000 123",
        target="",
        consumer_group="null",
        body={"names": ["\x00", "\\", "1"], "deep": {"a": [1, 2.5, None, True]}, "big": 2**53},
    )
    await writer.append(draft("evt_1"), event=full)
    if not database.is_sqlite:
        assert await arrived(database) == ["evt_1"], "on PostgreSQL it is the same transaction"
    await arrive(database, "evt_1")
    async with database.read() as connection:
        assert await find_event(connection, "default", "evt_1") == full
    await writer.close()


async def test_nothing_is_there_twice_and_no_name_passes_for_another(database: Database, tmp_path: Path) -> None:
    writer = await open_ledger("gateway", database, tmp_path / "ledger")
    names = [f"evt_{n}" for n in range(300)]
    await asyncio.gather(*(writer.append(draft(n), event=governed(n)) for n in names for _ in range(2)))
    await arrive(database, *names)
    if database.is_sqlite:
        await writer.append(draft("evt_nul"), event=governed("evt_nul", model="small\0large"))
        await arrive(database, *names, "evt_nul")
        async with database.read() as connection:
            found = await find_event(connection, "default", "evt_nul")
        assert found is not None
        assert found.model == "small�large"
    await writer.close()
    assert verify_chain("gateway", [e async for e in read_chain(database, tmp_path / "ledger", "gateway")]).ok


async def test_a_request_costs_one_flush_and_its_event_a_share_of_one(
    files: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits, copies = [], []
    commit, copy = commit_thread._commit, store.outbox._copy

    def counted(connection: sqlite3.Connection, work: commit_thread.Work) -> None:
        commits.append(work)
        commit(connection, work)

    def watched(*of: Path | int) -> tuple[int, bool]:
        copies.append(of)
        return copy(*of)  # type: ignore[arg-type]

    writer = await open_ledger("gateway", files, tmp_path / "ledger")
    monkeypatch.setattr(commit_thread, "_commit", counted)
    monkeypatch.setattr(store.outbox, "_copy", watched)
    monkeypatch.setattr(files, "write", None)
    names = [f"evt_{n}" for n in range(50)]
    begun = asyncio.get_running_loop().time()
    for name in names:
        await writer.append(draft(name), event=governed(name))
    took = asyncio.get_running_loop().time() - begun
    assert len(commits) == len(names)
    assert len(copies) <= took / store.outbox.PACE_S + 2
    await arrive(files, *names)
    await asyncio.sleep(2 * store.outbox.PACE_S)
    assert len(commits) == len(names), "what was moved is deleted by the next commit, not by one of its own"
    await writer.append(draft("evt_last"), event=governed("evt_last"))
    assert waiting(tmp_path / "ledger", "gateway") == [len(names) + 2]
    assert len(commits) == len(names) + 1
    await writer.close()
    assert waiting(tmp_path / "ledger", "gateway") == []
    assert sorted(await arrived(files)) == sorted([*names, "evt_last"])


DYING = """
import asyncio, os, signal, sys
from pathlib import Path
from store.database import Database
from store.ledger import open_ledger
from tests.store.test_outbox import draft, governed

async def main():
    writer = await open_ledger("gateway", Database(sys.argv[1]), Path(sys.argv[2]))
    await asyncio.gather(*(writer.append(draft(n), event=governed(n)) for n in ("evt_1", "evt_2", "evt_3")))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def die_between_commit_and_move(database: Database, directory: Path) -> None:
    with closing(hold_shut(database)):
        dying = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DYING, database.url, str(directory), env={**os.environ, "PYTHONPATH": os.getcwd()}
        )
        assert await dying.wait() == -signal.SIGKILL
    assert await arrived(database) == []
    assert waiting(directory, "gateway") == [2, 3, 4]


@pytest.mark.parametrize("role", ["gateway", "api"])
async def test_events_survive_a_kill_before_they_were_moved(files: Database, tmp_path: Path, role: str) -> None:
    """The next of the same role moves them; and so does any other, when nobody of that role comes back."""
    await die_between_commit_and_move(files, tmp_path / "ledger")
    writer = await open_ledger(role, files, tmp_path / "ledger")
    assert writer.chain == role
    await arrive(files, "evt_1", "evt_2", "evt_3")
    await writer.close()
    assert waiting(tmp_path / "ledger", "gateway") == []
    chain = [entry async for entry in read_chain(files, tmp_path / "ledger", "gateway")]
    assert verify_chain("gateway", chain).ok
    assert [entry["event_id"] for entry in chain[1:4]] == ["evt_1", "evt_2", "evt_3"]


async def test_a_kill_between_move_and_deletion_makes_nothing_double(files: Database, tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    await die_between_commit_and_move(files, directory)
    assert store.outbox._copy(tmp_path / "keeptrusts.db", directory / "gateway.ledger", 0) == (4, False)
    first, second = await asyncio.gather(open_ledger("api", files, directory), open_ledger("worker", files, directory))
    await first.close()
    await second.close()
    assert await arrived(files) == ["evt_1", "evt_2", "evt_3"]
    assert waiting(directory, "gateway") == []


async def test_many_rows_are_moved_in_several_commits(
    files: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await die_between_commit_and_move(files, tmp_path / "ledger")
    monkeypatch.setattr(store.outbox, "MOST_MOVED", 2)
    writer = await open_ledger("gateway", files, tmp_path / "ledger")
    await arrive(files, "evt_1", "evt_2", "evt_3")
    await writer.close()


async def test_a_chain_that_cannot_be_read_stops_nobody(files: Database, tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    await die_between_commit_and_move(files, directory)
    (directory / "alien.ledger").write_bytes(b"no chain at all" * 100)
    with closing(sqlite3.connect(directory / "earlier.ledger")) as of_an_earlier_release:
        of_an_earlier_release.execute("CREATE TABLE ledger (seq INTEGER)")
    writer = await open_ledger("worker", files, directory)
    await arrive(files, "evt_1", "evt_2", "evt_3")
    await writer.close()


@pytest.mark.parametrize("how", ["gone", "locked"])
async def test_while_the_store_is_away_the_ledger_goes_on_and_the_events_follow(
    files: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(store.outbox, "BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr(store.outbox, "RETRY_S", 0.05)
    writer = await open_ledger("gateway", files, tmp_path / "ledger")
    file, elsewhere = tmp_path / "keeptrusts.db", tmp_path / "elsewhere.db"
    names = [f"evt_{n}" for n in range(20)]
    if how == "gone":
        await files.close()
        file.rename(elsewhere)
    else:
        blocking = hold_shut(files)
    async with asyncio.timeout(5):
        for name in names:
            await writer.append(draft(name), event=governed(name))
    await asyncio.sleep(0.2)
    assert len(waiting(tmp_path / "ledger", "gateway")) == len(names)
    if how == "gone":
        assert not file.exists(), "the mover makes no store of its own"
        elsewhere.rename(file)
    else:
        assert await arrived(files) == []
        blocking.close()
    await arrive(files, *names)
    await writer.close()


async def test_without_the_ledger_neither_entry_nor_event_is_written(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_ledger("gateway", database, tmp_path / "ledger")

    def fail(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("store.ledger.seal", fail)
        with pytest.raises(StoreUnavailable):
            await writer.append(draft("lost"), event=governed("lost"))
    await writer.append(draft("kept"), event=governed("kept"))
    await writer.append(draft("lost"), event=governed("lost"))
    await arrive(database, "kept", "lost")
    await writer.close()
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(events)) == 2


async def test_a_change_is_read_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that is woken reads once: every commit wakes every follower of every process."""
    reads: list[None] = []
    feed = ChangeFeed(database)
    read = database.read
    async with database.write() as connection:
        await note_change(connection, "default", "escalation", "esc_1", 1, NOW)

    def counted() -> object:
        reads.append(None)
        return read()

    async with aclosing(feed.listen()) as changes:
        told = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        monkeypatch.setattr(database, "read", counted)
        await feed._catch_up()
        assert (await told).ref == "esc_1"
    assert len(reads) == 1
