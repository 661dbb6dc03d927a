"""The ledger's writer: durable, in order, chained, one per slot."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ledger.entries import Draft, Entry
from ledger.verification import verify_chain
from store.database import Database, StoreUnavailable, sqlite_url
from store.ledger import LedgerWriter, chains, open_ledger, read_chain

NOW = datetime(2026, 5, 7, tzinfo=UTC)


def draft(name: str) -> Draft:
    return Draft(name, "test.happened", NOW, "test", data={"name": name})


async def entries(database: Database, directory: Path, chain: str) -> list[Entry]:
    return [entry async for entry in read_chain(database, directory, chain)]


async def chain_home(database: Database, directory: Path, chain: str) -> Database:
    return Database(sqlite_url(directory / f"{chain}.ledger")) if database.is_sqlite else database


async def test_what_was_appended_stands_in_order_and_verifies(database: Database, tmp_path: Path) -> None:
    writer = await open_ledger("api", database, tmp_path)
    receipts = await writer.append(draft("a"), draft("b"))
    assert [(r.chain, r.seq) for r in receipts] == [("api", 2), ("api", 3)]
    await writer.close()
    found = await entries(database, tmp_path, "api")
    assert [entry["type"] for entry in found] == ["chain.opened", "test.happened", "test.happened"]
    assert verify_chain("api", found).ok


async def test_appending_the_same_event_again_gives_the_first_receipt(database: Database, tmp_path: Path) -> None:
    writer = await open_ledger("api", database, tmp_path)
    first = await writer.append(draft("a"))
    again = await writer.append(draft("a"), draft("b"))
    assert again[0] == first[0]
    await writer.close()
    assert len(await entries(database, tmp_path, "api")) == 3


async def test_many_at_once_share_commits_and_lose_nothing(database: Database, tmp_path: Path) -> None:
    writer = await open_ledger("api", database, tmp_path)
    receipts = await asyncio.gather(*(writer.append(draft(f"n{i}")) for i in range(500)))
    await writer.close()
    found = await entries(database, tmp_path, "api")
    assert len({receipt[0].seq for receipt in receipts}) == 500
    verdict = verify_chain("api", found)
    assert (verdict.ok, verdict.count) == (True, 501)


async def test_a_second_writer_of_a_role_takes_a_slot_of_its_own(database: Database, tmp_path: Path) -> None:
    first = await open_ledger("gateway", database, tmp_path)
    second = await open_ledger("gateway", database, tmp_path)
    assert (first.chain, second.chain) == ("gateway", "gateway-2")
    await first.append(draft("x"))
    await second.append(draft("x"))
    await first.close()
    await second.close()
    assert await chains(database, tmp_path) == ["gateway", "gateway-2"]


async def test_a_freed_slot_is_continued_under_a_new_epoch(database: Database, tmp_path: Path) -> None:
    for name in ("a", "b"):
        writer = await open_ledger("worker", database, tmp_path)
        await writer.append(draft(name))
        await writer.close()
    found = await entries(database, tmp_path, "worker")
    assert [(entry["seq"], entry["epoch"]) for entry in found] == [(1, 1), (2, 1), (3, 2), (4, 2)]
    assert verify_chain("worker", found).ok


async def test_a_file_of_an_earlier_form_is_continued(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "api.ledger")) as before:
        before.execute(
            "CREATE TABLE ledger (chain VARCHAR(100) NOT NULL, seq BIGINT NOT NULL, event_id VARCHAR(200) NOT NULL, "
            "type VARCHAR(100) NOT NULL, escalation_id VARCHAR(64), hash VARCHAR(64) NOT NULL, entry BLOB NOT NULL, "
            "PRIMARY KEY (chain, seq), UNIQUE (chain, event_id))"
        )
        before.execute("CREATE INDEX ledger_by_escalation ON ledger (escalation_id)")
    database = Database(sqlite_url(tmp_path / "store.db"))
    for name in ("a", "b"):
        writer = await open_ledger("api", database, tmp_path)
        first = await writer.append(draft(name))
        assert await writer.append(draft(name)) == first
        await writer.close()
    found = await entries(database, tmp_path, "api")
    await database.close()
    assert [entry["seq"] for entry in found] == [1, 2, 3, 4]
    assert verify_chain("api", found).ok


@pytest.mark.parametrize("statement", ["UPDATE ledger SET type = 'x'", "DELETE FROM ledger"])
async def test_the_store_itself_refuses_to_change_an_entry(database: Database, tmp_path: Path, statement: str) -> None:
    writer = await open_ledger("api", database, tmp_path)
    await writer.append(draft("a"))
    home = await chain_home(database, tmp_path, "api")
    with pytest.raises((StoreUnavailable, SQLAlchemyError)):
        async with home.write() as connection:
            await connection.execute(text(statement))
    if home is not database:
        await home.close()
    await writer.close()


async def test_after_a_failed_commit_the_chain_goes_on_where_it_truly_stands(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_ledger("api", database, tmp_path)
    place = LedgerWriter._place

    def fail(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(LedgerWriter, "_place", fail)
    with pytest.raises(StoreUnavailable):
        await writer.append(draft("lost"))
    monkeypatch.setattr(LedgerWriter, "_place", place)
    await writer.append(draft("kept"))
    await writer.close()
    found = await entries(database, tmp_path, "api")
    assert [entry["data"].get("name") for entry in found[1:]] == ["kept"]
    assert verify_chain("api", found).ok


async def test_a_directory_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreUnavailable, match="cannot write the ledger"):
        await open_ledger("api", Database(sqlite_url(tmp_path / "x.db")), blocked / "ledger")
