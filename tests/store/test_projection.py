"""The projection: idempotent writing, scoped reading, pages that neither skip nor repeat."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from escalations.commands import Claim
from escalations.severity import Severity
from escalations.step import open_case, step
from escalations.views import View, view_of
from store.database import Database
from store.escalations import (
    BadCursor,
    Filter,
    Scope,
    earlier_of,
    find_view,
    list_views,
    put_events,
    put_view,
    sees,
    timeline,
)
from store.ledger import Receipt
from tests.escalations.cases import ANA, START, TO_ANA, opening

EVERYBODY = Scope("default")


def view(number: int, severity: Severity = Severity.HIGH, minutes: int = 0, **changes: object) -> View:
    case, _ = open_case(
        opening(escalation_id=f"esc_{number:03}", severity=severity), START + timedelta(minutes=minutes)
    )
    return replace(view_of(case), **changes)


async def put(database: Database, *views: View) -> None:
    async with database.write() as connection:
        for item in views:
            await put_view(connection, item)


async def listed(database: Database, scope: Scope = EVERYBODY, **wanted: object) -> list[str]:
    async with database.read() as connection:
        views, _ = await list_views(connection, scope, Filter(**wanted))  # type: ignore[arg-type]
    return [item.escalation_id for item in views]


async def test_a_view_comes_back_as_it_was_written(database: Database) -> None:
    case, _ = open_case(opening(), START)
    case, _ = step(case, Claim(ANA), START + timedelta(seconds=1.5))
    await put(database, view_of(case))
    async with database.read() as connection:
        assert await find_view(connection, EVERYBODY, "esc_1") == view_of(case)


async def test_an_older_version_never_overwrites_a_newer_one(database: Database) -> None:
    newer, older = view(1, version=5, assignee="ana"), view(1, version=4, assignee=None)
    async with database.write() as connection:
        assert await put_view(connection, newer)
        assert not await put_view(connection, older)
        assert not await put_view(connection, newer)
        found = await find_view(connection, EVERYBODY, "esc_001")
    assert found == newer


async def test_events_are_written_once(database: Database) -> None:
    case, opened = open_case(opening(), START)
    _, claimed = step(case, Claim(ANA), START)
    async with database.write() as connection:
        await put_events(connection, "default", "esc_1", opened + claimed, [Receipt("api", 7), Receipt("api", 8)])
        await put_events(connection, "default", "esc_1", claimed, [Receipt("worker", 3)])
        found = await timeline(connection, "default", "esc_1")
    assert [entry.event for entry in found] == [*opened, *claimed]
    assert [entry.receipt for entry in found] == [Receipt("api", 7), Receipt("api", 8)]


async def test_the_queue_is_sorted_by_priority_and_age(database: Database) -> None:
    await put(
        database,
        view(1, Severity.LOW, 0),
        view(2, Severity.CRITICAL, 9),
        view(3, Severity.HIGH, 5),
        view(4, Severity.CRITICAL, 3),
    )
    assert await listed(database) == ["esc_004", "esc_002", "esc_003", "esc_001"]


async def test_on_request_it_is_sorted_by_deadline(database: Database) -> None:
    await put(
        database,
        view(1, Severity.CRITICAL, sla_deadline=START + timedelta(hours=3)),
        view(2, Severity.LOW, sla_deadline=START + timedelta(hours=1)),
    )
    assert await listed(database, by_deadline=True) == ["esc_002", "esc_001"]


@pytest.mark.parametrize("by_deadline", [False, True])
async def test_pages_neither_skip_nor_repeat(database: Database, by_deadline: bool) -> None:
    severities = list(Severity)
    await put(database, *(view(n, severities[n % 4], minutes=n // 6) for n in range(25)))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        async with database.read() as connection:
            page, cursor = await list_views(
                connection, EVERYBODY, Filter(limit=4, cursor=cursor, by_deadline=by_deadline)
            )
        seen += [item.escalation_id for item in page]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 25
    assert seen == await listed(database, limit=100, by_deadline=by_deadline)


@pytest.mark.parametrize("cursor", ["nonsense", "W10", "WzEsMiwzXQ", "eyJhIjoxfQ"])
async def test_a_made_up_cursor_is_refused(database: Database, cursor: str) -> None:
    async with database.read() as connection:
        with pytest.raises(BadCursor):
            await list_views(connection, EVERYBODY, Filter(cursor=cursor))


async def test_filters_narrow_the_list(database: Database) -> None:
    await put(
        database,
        view(1, team="legal", assignee="ana"),
        view(2, team="medical", policy_rule="pii-detector", reason_code="us_ssn"),
        view(3, Severity.LOW, team="legal", consumer="other"),
    )
    assert await listed(database, team="legal") == ["esc_001", "esc_003"]
    assert await listed(database, assignee="ana") == ["esc_001"]
    assert await listed(database, severity=("low",)) == ["esc_003"]
    assert await listed(database, policy="us_ssn") == ["esc_002"]
    assert await listed(database, policy="pii-detector") == ["esc_002"]
    assert await listed(database, consumer="other") == ["esc_003"]
    assert await listed(database, status=("resolved",)) == []


async def test_a_scope_shows_its_teams_and_what_is_ones_own(database: Database) -> None:
    to_ana, _ = open_case(opening(escalation_id="esc_004", route=TO_ANA), START)
    views = [view(1, team="legal"), view(2, team="medical"), view(3, team="medical", assignee="ben"), view_of(to_ana)]
    await put(database, *views)
    ana, ben = Scope("default", "ana", frozenset({"legal"})), Scope("default", "ben", frozenset())
    assert await listed(database, ana) == ["esc_001", "esc_004"]
    assert await listed(database, ben) == ["esc_003"]
    assert await listed(database, Scope("elsewhere")) == []
    for scope in (ana, ben, EVERYBODY, Scope("elsewhere")):
        visible = [item.escalation_id for item in views if sees(scope, item)]
        assert sorted(visible) == sorted(await listed(database, scope)), "one rule, in SQL and for a view at hand"
        async with database.read() as connection:
            for item in views:
                found = await find_view(connection, scope, item.escalation_id)
                assert (found is not None) == (item.escalation_id in visible)


async def test_earlier_cases_are_of_the_same_consumer_or_the_same_finding(database: Database) -> None:
    now = view(9, minutes=60)
    await put(
        database,
        view(1, minutes=10, consumer="else"),
        view(2, minutes=20, consumer="else", reason_code="medical_decisions"),
        view(3, minutes=30, reason_code="medical_decisions"),
        view(4, minutes=90),
        now,
    )
    async with database.read() as connection:
        found = await earlier_of(connection, now)
    assert [item.escalation_id for item in found] == ["esc_003", "esc_001"]
