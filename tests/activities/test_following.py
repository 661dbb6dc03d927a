"""What a follower learns of its leader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities.following import Follower
from escalations.case import LeaderEnded
from store.contents import ANSWER, Contents
from store.database import Database
from store.holds import HeldRequest, HoldState, register
from tests.escalations.cases import START
from tests.support.stores import new_store
from vault.envelopes import Envelopes
from vault.keyring import ensure_keyring
from workflows.messages import FollowWanted

WANTED = FollowWanted("default", "esc_follower", "esc_leader")


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_store("sqlite", tmp_path, None) as opened:
        yield opened


@pytest_asyncio.fixture
async def follower(database: Database, tmp_path: Path) -> Follower:
    contents = Contents(Envelopes(ensure_keyring(tmp_path / "keyring.json")))
    key, wrapped = contents.new_key("default", WANTED.escalation_id)
    async with database.write() as connection:
        await contents.create(connection, "default", WANTED.escalation_id, wrapped, key, {ANSWER: b"{}"}, START)
    return Follower(database, contents)


async def hold(database: Database, state: HoldState) -> None:
    held = HeldRequest(WANTED.leader, "consumer:app", "digest", None, None, state, START)
    async with database.write() as connection:
        await register(connection, "default", held)


async def test_a_leader_that_never_came_to_be_lets_its_followers_go(database: Database, follower: Follower) -> None:
    await hold(database, HoldState.WITHDRAWN)
    assert await follower.follow(WANTED) == LeaderEnded(None)


async def test_a_leader_that_may_still_come_to_be_is_waited_for(database: Database, follower: Follower) -> None:
    await hold(database, HoldState.OPENING)
    with pytest.raises(ApplicationError) as told:
        await follower.follow(WANTED)
    assert told.value.type == "not_ended"
