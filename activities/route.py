"""The next level of a case, by the rules it was opened under and the directory and clock of this moment, and who of
its team is given it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio import activity

from activities.assigning import choose_assignee
from escalations.assignment import Waiting
from escalations.directory import Directory, Eligibility
from escalations.facts import Facts
from escalations.legs import end_of
from escalations.routes import Exhausted, LegReason
from escalations.routing import Choice, choose_behind, choose_next
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
        # In a thread: a schedule may look up holidays, which are loaded from disk the first time.
        found = await asyncio.to_thread(_choice, wanted, settings, directory, datetime.now(UTC))
        team = found.route.team if found.route is not None else None
        if team is None:
            exhausted = _exhausted(wanted, settings) if found.route is None else None
            return RouteFound(found.route, skipped=found.skipped, exhausted=exhausted)
        assignee = await self._assignee(wanted, today, team)
        strategy = today.assignment.of(team).strategy.value if assignee is not None else None
        own = today.notification_defaults.person(assignee, directory) if assignee is not None else None
        return RouteFound(found.route, assignee, strategy, found.skipped, own_channel=own)

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


def _choice(wanted: RouteWanted, settings: EscalationSettings, directory: Directory, now: datetime) -> Choice:
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
        score=wanted.score,
    )
    only = None if wanted.only is None else frozenset(wanted.only)
    eligible = Eligibility(wanted.requester, frozenset(wanted.never), only, wanted.leads)
    if wanted.current is None or wanted.current.place is None:
        return choose_next(facts, settings, directory, now, wanted.after, eligible)
    return choose_behind(wanted.current, wanted.reason, facts, settings, directory, now, eligible)


def _exhausted(wanted: RouteWanted, settings: EscalationSettings) -> Exhausted | None:
    """How the chain ends of a case that nobody took to the last."""
    route = wanted.current
    if route is None or route.place is None or wanted.reason is not LegReason.UNACKNOWLEDGED:
        return None
    return end_of(settings.chains.get(route.place.chain), route)
