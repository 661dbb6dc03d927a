"""Gives out the cases that wait in queues, the oldest first, as soon as somebody has room for them.

What comes into a queue is given out where it is routed. Here goes what had to wait there, or came back: whenever a case
changed hands or ended, somebody came on shift or the settings changed, and every few seconds, for shifts begin and end
by the clock alone. Any number of API processes may do so at once: a place is reserved in the store before it is used.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from api.desk import Desk, Keep, Order
from api.problems import Problem
from api.services import Services
from escalations.assignment import Assignment, Strategy
from escalations.commands import Actor, Assign, Command
from escalations.errors import EscalationError
from escalations.settings import EscalationSettings
from store.assigning import duty_of, release, reserve, waiting_teams
from store.database import StoreUnavailable
from store.directory import read_directory
from store.settings import current_settings, tenants_with_settings

LOOK_EVERY_S = 5.0
PAUSE_S = 0.1
"""Between two looks: what happens meanwhile is one reason to look, not many."""
_REASONS = frozenset({"escalation", "settings", "user"})

_log = logging.getLogger("keeptrusts.api")


class Assigner:
    def __init__(self, services: Services, desk: Desk) -> None:
        self._services = services
        self._desk = desk
        self._woken = asyncio.Event()
        self._used = True

    async def run(self) -> None:
        """For ever; a store or a Temporal that is away is waited for."""
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                try:
                    await self._look()
                except StoreUnavailable:
                    pass
                except Exception as fault:
                    # Whatever it is: cases that wait are looked for again.
                    _log.error("what waits could not be given out: %s", type(fault).__name__)
                await asyncio.sleep(PAUSE_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
                self._woken.clear()
        finally:
            listening.cancel()

    async def _listen(self) -> None:
        async for change in self._services.feed.listen():
            # Where nothing is given out, only other settings can change that; they are noted here at once.
            if change.kind in _REASONS and (self._used or change.kind == "settings"):
                self._woken.set()

    async def _look(self) -> None:
        async with self._services.database.read() as connection:
            tenants = await tenants_with_settings(connection)
            found = [(tenant, (await current_settings(connection, tenant)).settings) for tenant in tenants]
        used = [(tenant, settings) for tenant, settings in found if settings.assignment.used]
        self._used = bool(used)
        for tenant, settings in used:
            await self._give_out(tenant, settings)

    async def _give_out(self, tenant: str, settings: EscalationSettings) -> None:
        async with self._services.database.read() as connection:
            teams = await waiting_teams(connection, tenant)
        for team in teams:
            now = datetime.now(UTC)
            duty = duty_of(settings, team, now)
            if duty.terms.strategy is Strategy.QUEUE:
                continue
            async with self._services.database.write() as connection:
                given = await reserve(connection, tenant, duty, now)
            own = await self._own_channels(tenant, settings, given)
            strategy = duty.terms.strategy
            await asyncio.gather(*(self._assign(tenant, one, strategy, own[one.login]) for one in given))

    async def _own_channels(
        self, tenant: str, settings: EscalationSettings, given: Iterable[Assignment]
    ) -> dict[str, str | None]:
        """By login; None for whoever has none."""
        logins = {assignment.login for assignment in given}
        if not settings.notification_defaults.users:
            return dict.fromkeys(logins)
        async with self._services.database.read() as connection:
            directory = await read_directory(connection, tenant)
        return {login: settings.notification_defaults.person(login, directory) for login in logins}

    async def _assign(self, tenant: str, assignment: Assignment, strategy: Strategy, own: str | None) -> None:
        def make(actor: Actor, _keep: Keep, *_: Any) -> Command:
            return Assign(actor, assignment.login, strategy=strategy.value, own_channel=own)

        order = Order("assign", assignment.login.encode(), None, make)
        try:
            await self._desk.carry_out_by_rule(tenant, assignment.escalation_id, order)
        except EscalationError as refusal:
            _log.info("%s was not given out: %s", assignment.escalation_id, refusal.code)
        except Problem as unknown:
            # Nobody knows whether it happened, so the place stays taken until the reservation ends by itself.
            _log.info("%s may not have been given out: %s", assignment.escalation_id, unknown.code)
            return
        async with self._services.database.write() as connection:
            await release(connection, tenant, [assignment.escalation_id])
