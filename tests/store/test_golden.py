"""Whose turn it is to be sent, once for each round however often that is repeated; and what counts where."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from escalations.commands import Claim
from escalations.decisions import Resolution
from escalations.golden import GoldenCase
from escalations.severity import Severity
from store.database import Database
from store.escalations import Scope
from store.golden import (
    Send,
    create_golden,
    find_golden,
    is_golden,
    reserve_send,
    results_between,
    retire_golden,
    sent_counts,
)
from store.reports import views_between
from tests.escalations.cases import ANA, START, resolve
from tests.store.test_assigning import TENANT, arrive, staff

DAY = timedelta(days=1)


def golden(number: int) -> GoldenCase:
    return GoldenCase(
        f"gold_{number}",
        TENANT,
        "human-oversight",
        "legal_opinions",
        Severity.HIGH,
        Resolution.BLOCK,
        START + timedelta(minutes=number),
        "root",
        like={"consumer": "app"},
    )


async def keep(database: Database, *numbers: int) -> None:
    async with database.write() as connection:
        for number in numbers:
            await create_golden(connection, golden(number))


async def send(database: Database, turn: int, escalation: int, wanted: str | None = None) -> Send | None:
    async with database.write() as connection:
        at = START + timedelta(hours=turn)
        return await reserve_send(connection, TENANT, f"round-{turn}", wanted, f"esc_{escalation:03}", at)


async def test_each_has_its_turn_the_one_sent_longest_ago_first(database: Database) -> None:
    await keep(database, 1, 2)
    sent = [await send(database, turn, turn) for turn in (1, 2, 3)]
    assert [one.golden_id for one in sent if one] == ["gold_1", "gold_2", "gold_1"]
    async with database.read() as connection:
        assert await sent_counts(connection, TENANT) == {
            "gold_1": (2, START + timedelta(hours=3)),
            "gold_2": (1, START + timedelta(hours=2)),
        }


async def test_a_round_that_is_repeated_sends_the_same_escalation(database: Database) -> None:
    await keep(database, 1, 2)
    first = await send(database, 1, 1)
    assert await send(database, 1, 9) == first == Send("gold_1", "esc_001")
    async with database.read() as connection:
        assert await is_golden(connection, TENANT, "esc_001")
        assert not await is_golden(connection, TENANT, "esc_009")


async def test_two_workers_in_one_round_send_one(database: Database) -> None:
    await keep(database, 1, 2)
    other = Database(database.url)
    try:
        sent = await asyncio.gather(*(send(one, 1, number) for number, one in enumerate([database, other] * 3)))
    finally:
        await other.close()
    assert len({one.escalation_id for one in sent if one}) == 1


async def test_one_that_is_under_review_waits_and_one_that_is_retired_is_sent_no_more(database: Database) -> None:
    await keep(database, 1)
    assert await send(database, 1, 1) is not None
    await arrive(database, 1)
    assert await send(database, 2, 2) is None
    assert await send(database, 3, 3, wanted="gold_1") == Send("gold_1", "esc_003")
    async with database.write() as connection:
        await retire_golden(connection, TENANT, "gold_1", START)
        found = await find_golden(connection, TENANT, "gold_1")
    assert found == replace(golden(1), retired_at=START)
    assert await send(database, 4, 4, wanted="gold_1") is None


async def test_how_they_were_decided_is_told_and_counts_nowhere_else(database: Database) -> None:
    await staff(database, "ana")
    await keep(database, 1)
    await send(database, 0, 1)
    await arrive(database, 1, Claim(ANA), resolve(ANA))
    await arrive(database, 2, Claim(ANA), resolve(ANA))
    async with database.read() as connection:
        [result] = await results_between(connection, TENANT, START, START + DAY)
        counted = await views_between(connection, Scope(TENANT), START, START + DAY)
    assert (result.escalation_id, result.reviewer, result.right, result.let_through) == ("esc_001", "ana", False, True)
    assert [view.escalation_id for view in counted] == ["esc_002"]
