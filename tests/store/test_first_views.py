"""The first look at a case that was given to somebody."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from escalations.case import End
from escalations.commands import Role
from escalations.views import View, view_of
from store.database import Database
from store.first_views import first_views_of, note_view
from store.tokens import Principal
from tests.escalations.cases import START, opened

GIVEN = replace(view_of(opened(requester="rita")), given=True, assignee="ana")


def who(login: str, role: Role = Role.REVIEWER) -> Principal:
    return Principal("default", "t", "user", login, login, frozenset({role}), frozenset({"legal"}))


async def first_look(database: Database) -> datetime | None:
    async with database.read() as connection:
        return (await first_views_of(connection, GIVEN.tenant, [GIVEN.escalation_id])).get(GIVEN.escalation_id)


async def test_the_first_look_stays_the_first_whoever_holds_the_case_later(database: Database) -> None:
    await note_view(database, GIVEN, who("ben"), START)
    later = START + timedelta(hours=1)
    await note_view(database, GIVEN, who("ana"), later)
    await note_view(database, replace(GIVEN, assignee="cara"), who("cara"), later)
    assert await first_look(database) == START


@pytest.mark.parametrize(
    ("view", "looks"),
    [
        (GIVEN, who("Rita")),
        (GIVEN, who("ann", Role.AUDITOR)),
        (GIVEN, who("app", Role.GATEWAY)),
        (replace(GIVEN, given=False), who("ana")),
        (replace(GIVEN, end=End.RESOLVED), who("ana")),
    ],
    ids=["the requester", "an auditor", "an application", "in the queue", "when it is over"],
)
async def test_no_look_of_a_reviewer_at_what_was_given(database: Database, view: View, looks: Principal) -> None:
    await note_view(database, view, looks, START)
    assert await first_look(database) is None
