"""Who of a group is told at once, and who waits."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from store.attempts import KEPT
from store.database import Database
from store.groups import Member, close_batch, forget_told, goes_first, join_group, standing_of, take_batch, waiting_in
from tests.escalations.cases import START

TENANT, GROUP = "default", "g" * 32
WAIT, INTERVAL = timedelta(seconds=10), timedelta(minutes=5)
SOON = START + timedelta(seconds=1)


def member(number: int, at: datetime = START) -> Member:
    return Member(f"esc_{number}/1/slack", f"esc_{number}", "slack", GROUP, at, b"{}")


async def first(database: Database, number: int, at: datetime = START) -> bool:
    async with database.write() as connection:
        found = await goes_first(connection, TENANT, member(number, at), WAIT, INTERVAL)
        if not found:
            await join_group(connection, TENANT, member(number, at))
        return found


async def told(database: Database, at: datetime, *, together: bool) -> None:
    number = int(at.timestamp())
    async with database.write() as connection:
        await take_batch(connection, TENANT, GROUP, number)
        await close_batch(connection, TENANT, GROUP, number, together=together)


async def test_of_many_that_come_at_once_one_is_the_first_in_two_processes(database: Database) -> None:
    other = Database(database.url)
    try:
        found = await asyncio.gather(*(first(one, number) for number, one in enumerate([database, other] * 10)))
    finally:
        await other.close()
    assert sum(found) == 1
    async with database.read() as connection:
        assert len(await waiting_in(connection, TENANT, GROUP)) == 19


async def test_who_was_first_stays_so_and_was_told_by_itself(database: Database) -> None:
    assert await first(database, 1)
    assert await first(database, 1, SOON)
    async with database.read() as connection:
        assert (await standing_of(connection, TENANT, "esc_1", "slack")).alone
        assert await waiting_in(connection, TENANT, GROUP) == []


@pytest.mark.parametrize(("after", "calm"), [(WAIT - timedelta(seconds=1), False), (2 * WAIT, True)])
async def test_the_next_is_told_at_once_when_nothing_came_for_a_while(
    database: Database, after: timedelta, calm: bool
) -> None:
    assert await first(database, 1)
    assert await first(database, 2, START + after) is calm


@pytest.mark.parametrize(
    ("together", "after", "calm"),
    [
        (True, 2 * WAIT, False),
        (True, INTERVAL + timedelta(seconds=30), True),
        (False, timedelta(seconds=5), False),
        (False, 2 * WAIT, True),
    ],
)
async def test_behind_a_message_for_many_the_interval_passes_first(
    database: Database, together: bool, after: timedelta, calm: bool
) -> None:
    await first(database, 1)
    await first(database, 2, SOON)
    tells = START + WAIT
    await told(database, tells, together=together)
    assert await first(database, 3, tells + after) is calm


async def test_nobody_is_told_at_once_while_others_wait(database: Database) -> None:
    await first(database, 1)
    await first(database, 2, SOON)
    assert not await first(database, 3, START + timedelta(hours=1))


async def test_who_was_told_is_forgotten_with_the_delivery_log_and_who_waits_is_not(database: Database) -> None:
    await first(database, 1)
    await first(database, 2, SOON)
    assert await forget_told(database, START + KEPT) == 0
    assert await forget_told(database, START + KEPT + timedelta(days=1)) == 1
    async with database.read() as connection:
        assert len(await waiting_in(connection, TENANT, GROUP)) == 1
