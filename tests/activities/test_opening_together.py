"""Two gateways that open the same request at one instant: one leads, whatever the engine of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select
from temporalio.client import Client

import activities.opening
from activities.likeness import Likeness, likeness
from activities.opening import NotOpened, Opener, Proposal
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from store.contents import Contents
from store.database import Database
from store.events import GovernedEvent
from store.ledger import open_ledger
from store.schema import holds
from store.settings import put_settings
from tests.support.stores import Postgres, new_store
from vault.codec import data_converter
from vault.envelopes import Envelopes
from vault.keyring import ensure_keyring

GATEWAYS = 4


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    postgres: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    async with new_store(request.param, tmp_path, postgres) as made:
        settings = EscalationSettings.model_validate({"decisions": {"follow_leader": True}})
        async with made.write() as connection:
            await put_settings(connection, "default", settings, "test", datetime.now(UTC))
        yield made


def proposal(number: int) -> Proposal:
    event = GovernedEvent(
        f"evt_{number}", datetime.now(UTC), "escalated", f"req_{number}", "app", "gateway", "p@1", "0" * 64, "p", "r"
    )
    return Proposal(event, b"{}", b'{"n": %d}' % number, b"{}", Severity.HIGH, request_digest="the same")


async def test_one_of_those_that_come_at_one_instant_leads(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each looks for a leader before any is registered: what can happen between processes, here every time."""
    looked = asyncio.Barrier(GATEWAYS)
    first = iter(range(GATEWAYS))

    async def look(*asked: Any) -> Likeness:
        found = await likeness(*asked)
        if next(first, None) is not None:
            await looked.wait()
        return found

    monkeypatch.setattr(activities.opening, "likeness", look)
    monkeypatch.setattr(activities.opening, "START_TIMEOUT_S", 0.05)
    # Holds are registered before a workflow is started, and no Temporal is needed for that.
    keyring = ensure_keyring(tmp_path / "keyring.json")
    client = await Client.connect("127.0.0.1:1", lazy=True, data_converter=data_converter(keyring))
    contents = Contents(Envelopes(keyring))
    ledgers = [await open_ledger("gateway", database, tmp_path / "ledger") for _ in range(GATEWAYS)]
    openers = [Opener(database, ledger, contents, client) for ledger in ledgers]
    opened = await asyncio.gather(
        *(opener.open(proposal(number)) for number, opener in enumerate(openers)), return_exceptions=True
    )
    for ledger in ledgers:
        await ledger.close()
    assert [type(one) for one in opened] == [NotOpened] * GATEWAYS
    async with database.read() as connection:
        rows = (await connection.execute(select(holds.c.escalation_id, holds.c.original))).all()
    [leader] = [row.escalation_id for row in rows if row.original is None]
    assert [row.original for row in rows if row.original is not None] == [leader] * (GATEWAYS - 1)
