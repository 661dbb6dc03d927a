"""The delivery log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from store.attempts import KEPT, Attempt, AttemptOutcome, forget_attempts, list_attempts, put_attempt
from store.database import Database

NOW = datetime(2026, 5, 7, 10, 0, tzinfo=UTC)


async def test_dead_letters_are_listed_from_either_end(database: Database) -> None:
    async with database.write() as connection:
        for name in ("first", "second", "third"):
            dead = Attempt(name, "esc_1", "opened", "slack", 1, AttemptOutcome.DEAD, NOW, body=b"{}")
            await put_attempt(connection, "default", dead)
    async with database.read() as connection:
        newest = await list_attempts(connection, "default", waiting=True, limit=2)
        oldest = await list_attempts(connection, "default", waiting=True, oldest=True, limit=2)
    assert [found.notification_id for found in newest] == ["third", "second"]
    assert [found.notification_id for found in oldest] == ["first", "second"]


async def test_what_is_older_than_it_is_kept_is_dropped_and_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.attempts._AT_A_TIME", 2)
    ages = [KEPT + timedelta(days=5 - day) for day in range(5)] + [KEPT, timedelta(0)]
    async with database.write() as connection:
        for number, age in enumerate(ages):
            told = Attempt(f"n{number}", "esc_1", "opened", "slack", 1, AttemptOutcome.SENT, NOW - age)
            await put_attempt(connection, "default", told)
    assert await forget_attempts(database, NOW) == 5
    assert await forget_attempts(database, NOW) == 0
    async with database.read() as connection:
        left = await list_attempts(connection, "default", limit=10)
    assert [found.notification_id for found in left] == ["n6", "n5"]
