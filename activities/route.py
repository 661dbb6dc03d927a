"""The next level of a case, by the rules it was opened under and the directory and clock of this moment, and who of
its team is given it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio import activity

from activities.assigning import choose_assignee
from escalations.assignment import Waiting
from escalations.facts import Facts
from escalations.routing import choose_next
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from store.assigning import kind_of
from store.database import Database
from store.directory import read_directory
from store.escalations import Scope, find_view
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
            today = (await current_settings(connection, wanted.tenant)).settings
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
        team = found.route.team if found.route is not None else None
        return RouteFound(found.route, await self._assignee(wanted, today, team) if team is not None else None)

    async def _assignee(self, wanted: RouteWanted, settings: EscalationSettings, team: str) -> str | None:
        """Who of the team is given it: by the settings of today, for it is their people who are there today."""
        escalation_id = activity.info().workflow_id
        async with self.database.read() as connection:
            view = await find_view(connection, Scope(wanted.tenant), escalation_id or "")
        if view is None or view.appeal is not None:
            return None
        never = frozenset({*view.apart, *([view.requester] if view.requester else ())})
        waiting = Waiting(view.escalation_id, view.created_at, kind_of(view.consumer, view.policy_rule), never)
        return await choose_assignee(self.database, wanted.tenant, settings, team, waiting)
