"""Cases are given out by what the store knows, and a place is taken once however many reach for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from escalations.assignment import Assignment, Strategy, Waiting
from escalations.commands import SYSTEM, Actor, Assign, Claim, EscalateFurther, Role, Unclaim
from escalations.events import Event
from escalations.operations_settings import TeamAssignment
from escalations.settings import EscalationSettings
from escalations.step import open_case, step
from escalations.views import view_of
from store.assigning import RESERVED_FOR, Duty, duty_of, kind_of, release, reserve, reserve_for
from store.database import Database
from store.directory import Team, User, create_team, create_user, set_on_shift
from store.escalations import put_events, put_view
from store.ledger import Receipt
from tests.escalations.cases import LEGAL, START, opening

TENANT = "default"
PEOPLE = ("ana", "ben", "cara")


def duty(strategy: Strategy = Strategy.LEAST_LOADED, most: int | None = None) -> Duty:
    return Duty("legal", TeamAssignment(strategy=strategy, max_open_per_reviewer=most))


def waiting(number: int, minutes: int = 0) -> Waiting:
    return Waiting(f"esc_{number:03}", START + timedelta(minutes=minutes), kind_of("app", "human-oversight"))


async def staff(database: Database, *logins: str) -> None:
    async with database.write() as connection:
        await create_team(connection, TENANT, Team("legal", "legal", START))
        for login in logins:
            person = User(login, f"{login}@example.com", login, (Role.REVIEWER,), ("legal",), True, START)
            await create_user(connection, TENANT, person)


async def arrive(database: Database, number: int, *commands: object, minutes: int = 0, **changes: object) -> None:
    """A case in the store, after some commands."""
    at = START + timedelta(minutes=minutes)
    case, events = open_case(opening(escalation_id=f"esc_{number:03}", **changes), at)
    happened: list[Event] = list(events)
    for command in commands:
        case, more = step(case, command, at)  # type: ignore[arg-type]
        happened += more
    receipts = [Receipt("worker", event.seq) for event in happened]
    async with database.write() as connection:
        await put_events(connection, TENANT, case.opening.escalation_id, happened, receipts)
        await put_view(connection, view_of(case))


async def give_out(database: Database, of: Duty, now: datetime = START) -> tuple[Assignment, ...]:
    async with database.write() as connection:
        return await reserve(connection, TENANT, of, now)


async def ask_for(database: Database, of: Duty, case: Waiting, now: datetime = START) -> str | None:
    async with database.write() as connection:
        return await reserve_for(connection, TENANT, of, case, now)


async def test_two_who_reach_for_the_last_place_do_not_both_get_it(database: Database) -> None:
    await staff(database, *PEOPLE)
    other = Database(database.url)
    try:
        stores = enumerate([database, other] * 5)
        given = await asyncio.gather(*(ask_for(one, duty(most=2), waiting(number)) for number, one in stores))
    finally:
        await other.close()
    assert Counter(login for login in given if login) == dict.fromkeys(PEOPLE, 2)


async def test_the_same_case_is_given_out_once_by_several_at_once(database: Database) -> None:
    await staff(database, *PEOPLE)
    for number in range(6):
        await arrive(database, number)
    other = Database(database.url)
    try:
        found = await asyncio.gather(*(give_out(one, duty()) for one in (database, other, database, other)))
    finally:
        await other.close()
    given = [assignment.escalation_id for drained in found for assignment in drained]
    assert sorted(given) == [f"esc_{number:03}" for number in range(6)]


async def test_what_people_claimed_themselves_counts(database: Database) -> None:
    await staff(database, "ana", "ben")
    await arrive(database, 1, Claim(Actor("ana", roles=(Role.REVIEWER,))))
    assert await ask_for(database, duty(), waiting(2)) == "ben"


async def test_a_case_counts_once_when_the_projection_shows_it(database: Database) -> None:
    await staff(database, "ana")
    assert await ask_for(database, duty(most=2), waiting(1)) == "ana"
    await arrive(database, 1, Assign(SYSTEM, "ana"))
    assert await ask_for(database, duty(most=2), waiting(2)) == "ana"
    assert await ask_for(database, duty(most=2), waiting(3)) is None


async def test_asking_again_gives_the_same_answer(database: Database) -> None:
    await staff(database, *PEOPLE)
    first = await ask_for(database, duty(Strategy.ROUND_ROBIN), waiting(1))
    assert await ask_for(database, duty(Strategy.ROUND_ROBIN), waiting(1)) == first
    assert await ask_for(database, duty(Strategy.ROUND_ROBIN), waiting(2)) != first


async def test_whose_turn_it_is_outlives_the_process(database: Database) -> None:
    await staff(database, *PEOPLE)
    given = []
    for number in range(6):
        other = Database(database.url)
        given.append(
            await ask_for(other, duty(Strategy.ROUND_ROBIN), waiting(number), START + timedelta(seconds=number))
        )
        await other.close()
    assert given == [*PEOPLE, *PEOPLE]


async def test_a_habit_outlives_the_process(database: Database) -> None:
    await staff(database, *PEOPLE)
    first = await ask_for(database, duty(Strategy.STICKY), waiting(1))
    assert await ask_for(database, duty(Strategy.STICKY), waiting(2)) == first
    other = replace(waiting(3), kind=kind_of("another app", "human-oversight"))
    assert await ask_for(database, duty(Strategy.STICKY), other) != first


async def test_the_oldest_of_the_backlog_goes_first_when_somebody_comes_on_shift(database: Database) -> None:
    await staff(database, "ana")
    async with database.write() as connection:
        await set_on_shift(connection, TENANT, "ana", False, START)
    for number, minutes in ((1, 9), (2, 0), (3, 5)):
        await arrive(database, number, minutes=minutes)
    assert await give_out(database, duty(most=2)) == ()
    async with database.write() as connection:
        await set_on_shift(connection, TENANT, "ana", True, START)
    assert [one.escalation_id for one in await give_out(database, duty(most=2))] == ["esc_002", "esc_003"]


async def test_an_arrival_waits_behind_an_older_case(database: Database) -> None:
    await staff(database, "ana")
    await arrive(database, 1)
    assert await ask_for(database, duty(most=1), waiting(2, minutes=1)) is None
    assert await give_out(database, duty(most=1)) == (Assignment("esc_001", "ana"),)


async def test_only_those_on_call_are_given_cases_where_a_schedule_says_so(database: Database) -> None:
    await staff(database, *PEOPLE)
    layer = {"name": "week", "members": ["cara@example.com"], "start": "2026-01-05"}
    settings = EscalationSettings.model_validate(
        {
            "schedules": {"on-call": {"layers": [layer]}},
            "assignment": {"teams": {"legal": {"strategy": "round_robin", "schedule": "on-call"}}},
        }
    )
    assert await ask_for(database, duty_of(settings, "legal", START), waiting(1)) == "cara"
    assert await ask_for(database, duty_of(settings, "hiring", START), waiting(2)) is None


@pytest.mark.parametrize("how", ["requester", "handed on", "gave back"])
async def test_nobody_is_given_what_they_asked_for_handed_on_or_gave_back(database: Database, how: str) -> None:
    await staff(database, "ana")
    ana = Actor("ana", roles=(Role.REVIEWER,))
    commands = {
        "requester": (),
        "handed on": (Claim(ana), EscalateFurther(ana, LEGAL)),
        "gave back": (Claim(ana), Unclaim(ana)),
    }[how]
    await arrive(database, 1, *commands, requester="ana" if how == "requester" else None)
    assert await give_out(database, duty()) == ()
    await staff(database, "ben")
    assert await give_out(database, duty()) == (Assignment("esc_001", "ben"),)


async def test_a_place_that_nobody_followed_up_is_free_again_after_a_while(database: Database) -> None:
    await staff(database, "ana")
    assert await ask_for(database, duty(most=1), waiting(1)) == "ana"
    assert await ask_for(database, duty(most=1), waiting(2)) is None
    assert await ask_for(database, duty(most=1), waiting(3), START + RESERVED_FOR) == "ana"


async def test_a_released_place_is_free_at_once(database: Database) -> None:
    await staff(database, "ana")
    assert await ask_for(database, duty(most=1), waiting(1)) == "ana"
    async with database.write() as connection:
        await release(connection, TENANT, ["esc_001"])
    assert await ask_for(database, duty(most=1), waiting(2)) == "ana"
