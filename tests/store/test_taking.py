"""What is next for one person, by what the store knows; nobody else is offered it meanwhile."""

from __future__ import annotations

import asyncio
from datetime import datetime

from escalations.commands import Actor, Claim, Role
from escalations.views import View
from store.assigning import RESERVED_FOR
from store.database import Database
from store.escalations import Scope
from store.taking import Rest, Taker, reserve_next
from tests.escalations.cases import START
from tests.store.test_assigning import TENANT, arrive, duty, give_out, staff


def taker(login: str, without: frozenset[str] = frozenset()) -> Taker:
    return Taker(Scope(TENANT, login, frozenset({"legal"})), login, lambda _view: True, without)


async def next_for(database: Database, who: Taker, now: datetime = START) -> View | Rest:
    async with database.write() as connection:
        return await reserve_next(connection, who, now)


async def test_two_processes_offer_every_case_to_one_person(database: Database) -> None:
    people = [f"person-{number}" for number in range(10)]
    await staff(database, *people)
    for number in range(8):
        await arrive(database, number)
    other = Database(database.url)
    try:
        stores = [database, other] * 5
        found = await asyncio.gather(*(next_for(one, taker(who)) for one, who in zip(stores, people, strict=True)))
    finally:
        await other.close()
    offered = [view.escalation_id for view in found if isinstance(view, View)]
    assert sorted(offered) == [f"esc_{number:03}" for number in range(8)]
    assert [rest for rest in found if isinstance(rest, Rest)] == [Rest(held_by_others=8)] * 2


async def test_what_is_kept_for_one_is_neither_another_s_nor_given_out_until_nobody_followed_it_up(
    database: Database,
) -> None:
    await staff(database, "ana", "ben")
    await arrive(database, 1)
    first = await next_for(database, taker("ana"))
    assert isinstance(first, View)
    assert await next_for(database, taker("ana")) == first
    assert await next_for(database, taker("ben")) == Rest(held_by_others=1)
    assert await give_out(database, duty()) == ()
    assert await next_for(database, taker("ben"), START + RESERVED_FOR) == first


async def test_what_one_holds_comes_before_what_is_more_urgent(database: Database) -> None:
    await staff(database, "ana")
    await arrive(database, 1)
    await arrive(database, 2, Claim(Actor("ana", roles=(Role.REVIEWER,))), minutes=5)
    held = await next_for(database, taker("ana"))
    assert isinstance(held, View)
    assert held.escalation_id == "esc_002"


async def test_what_could_not_be_had_is_passed_over(database: Database) -> None:
    await staff(database, "ana")
    await arrive(database, 1)
    await arrive(database, 2, minutes=5)
    found = await next_for(database, taker("ana", frozenset({"esc_001"})))
    assert isinstance(found, View)
    assert found.escalation_id == "esc_002"
