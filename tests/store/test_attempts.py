"""The delivery log."""

from __future__ import annotations

from datetime import UTC, datetime

from store.attempts import Attempt, AttemptOutcome, list_attempts, put_attempt
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
