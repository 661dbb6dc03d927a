"""Who of a team is given a case that comes into its queue: by the settings of today, and the people who are there."""

from __future__ import annotations

from datetime import UTC, datetime

from escalations.assignment import Strategy, Waiting
from escalations.settings import EscalationSettings
from store.assigning import duty_of, reserve_for
from store.database import Database


async def choose_assignee(
    database: Database, tenant: str, settings: EscalationSettings, team: str, waiting: Waiting
) -> str | None:
    """A place is reserved for them when it returns. None where the case waits until somebody takes it."""
    now = datetime.now(UTC)
    duty = duty_of(settings, team, now)
    if duty.terms.strategy is Strategy.QUEUE:
        return None
    async with database.write() as connection:
        return await reserve_for(connection, tenant, duty, waiting, now)
