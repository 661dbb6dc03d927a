"""Versions of policies: what was pushed stays, and the last moves say what acts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.changes import changes_after
from store.database import Database
from store.policies import (
    Move,
    PackVersionTaken,
    current_standing,
    find_version,
    list_policies,
    list_versions,
    move,
    push_version,
    standing,
)

NOW = datetime(2026, 5, 7, 10, tzinfo=UTC)


async def push(database: Database, pack: str, text: str, name: str = "p") -> tuple[int, bool]:
    async with database.write() as connection:
        made, new = await push_version(connection, "default", name, pack, f"digest of {text}", text, "ana", NOW)
    return made.version, new


async def test_a_version_is_pushed_once_and_never_changes(database: Database) -> None:
    assert await push(database, "1.0.0", "one") == (1, True)
    assert await push(database, "1.0.0", "one") == (1, False)
    with pytest.raises(PackVersionTaken):
        await push(database, "1.0.0", "another")
    assert await push(database, "1.1.0", "two") == (2, True)
    assert await push(database, "1.0.0", "one", name="q") == (1, True)
    async with database.read() as connection:
        found = await find_version(connection, "default", "p", 1)
        assert found is not None
        assert (found.text, found.created_at, found.created_by) == ("one", NOW, "ana")
        assert [one.version for one in await list_versions(connection, "default", "p")] == [2, 1]
        assert await list_policies(connection, "default") == ["p", "q"]
        assert await list_policies(connection, "other") == []
        assert {(c.kind, c.ref) for c in await changes_after(connection, 0)} == {("policy", "p"), ("policy", "q")}


async def test_moves_are_kept_in_their_order(database: Database) -> None:
    for number, stage in ((1, "shadow"), (1, "active"), (2, "active")):
        async with database.write() as connection:
            await move(connection, "default", "p", number, stage, "ana", NOW)  # type: ignore[arg-type]
    async with database.read() as connection:
        now = await current_standing(connection, "default", "p")
    assert (now.active, now.before, now.shadow) == (2, 1, None)
    assert (now.stage_of(2), now.stage_of(1)) == ("active", "draft")


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["draft", "shadow", "proposed", "active"])), max_size=12))
def test_the_last_activation_acts_and_nothing_stands_in_two_stages(steps: list[tuple[int, str]]) -> None:
    moves = [Move(number, version, stage, NOW, "ana") for number, (version, stage) in enumerate(steps)]
    now = standing(moves)
    activated = [version for version, stage in steps if stage == "active"]
    assert now.active == (activated[-1] if activated else None)
    assert now.before != now.active or now.active is None
    assert now.shadow is None or now.shadow != now.active or steps[-1][1] != "active"
