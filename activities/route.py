"""The next level of a case, by the rules it was opened under and the directory and clock of this moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio import activity

from escalations.facts import Facts
from escalations.routing import choose_next
from escalations.severity import Severity
from store.database import Database
from store.directory import read_directory
from store.settings import current_settings, settings_at
from workflows.messages import RouteFound, RouteWanted
from workflows.ports import Routing


@dataclass(frozen=True, slots=True)
class Router(Routing):
    database: Database

    @activity.defn(name="route")
    async def route(self, wanted: RouteWanted) -> RouteFound:
        async with self.database.read() as connection:
            version = await settings_at(connection, wanted.tenant, wanted.settings_version)
            settings = (version or await current_settings(connection, wanted.tenant)).settings
            directory = await read_directory(connection, wanted.tenant)
        facts = Facts(
            policy_rule=wanted.policy_rule,
            reason_code=wanted.reason_code,
            severity=Severity(wanted.severity),
            team=wanted.consumer_team,
            consumer_group=wanted.consumer_group,
            requester=wanted.requester,
            consumer=wanted.consumer,
            provider=wanted.provider,
            model=wanted.model,
        )
        # In a thread: a schedule may look up holidays, which are loaded from disk the first time.
        found = await asyncio.to_thread(choose_next, facts, settings, directory, datetime.now(UTC), wanted.after)
        return RouteFound(found.route)
