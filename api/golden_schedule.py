"""Keeps the Temporal Schedule that sends golden cases as the settings want it: there, in its rhythm, or not at all.

Any number of API processes may do so at once: each makes it the same.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError, RPCStatusCode

from api.services import Services
from escalations.golden import GoldenSettings
from store.database import StoreUnavailable
from store.settings import current_settings, tenants_with_settings
from workflows.golden import GoldenRoundWorkflow, GoldenStart
from workflows.messages import ESCALATIONS_QUEUE, TASK_TIMEOUT

LOOK_EVERY_S = 60.0
AWAY_S = 2.0
PATIENCE_S = 5.0
CATCH_UP = timedelta(minutes=1)
"""Rounds that fell into an outage longer than this are left out: they would come all at once, and be seen to."""

_log = logging.getLogger("keeptrusts.api")


def schedule_id(tenant: str) -> str:
    return f"golden-cases-{tenant}"


class GoldenSchedules:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._woken = asyncio.Event()
        self._kept: dict[str, GoldenSettings | None] = {}

    async def run(self) -> None:
        """For ever; a store or a Temporal that is away is waited for."""
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                wait = LOOK_EVERY_S
                try:
                    await self._look()
                except (StoreUnavailable, TemporalError, RPCError, OSError, TimeoutError) as away:
                    _log.info("the schedule of golden cases could not be looked after: %s", type(away).__name__)
                    wait = AWAY_S
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), wait)
                self._woken.clear()
        finally:
            listening.cancel()

    async def _listen(self) -> None:
        async for change in self._services.feed.listen():
            if change.kind == "settings":
                self._woken.set()

    async def _look(self) -> None:
        async with self._services.database.read() as connection:
            tenants = await tenants_with_settings(connection)
            wanted = {tenant: (await current_settings(connection, tenant)).settings.golden_cases for tenant in tenants}
        for tenant, settings in wanted.items():
            if tenant in self._kept and self._kept[tenant] == settings:
                continue
            async with asyncio.timeout(PATIENCE_S):
                await self._keep(tenant, settings)
            self._kept[tenant] = settings

    async def _keep(self, tenant: str, settings: GoldenSettings | None) -> None:
        handle = self._services.temporal.get_schedule_handle(schedule_id(tenant))
        if settings is None:
            try:
                await handle.delete()
            except RPCError as fault:
                if fault.status is not RPCStatusCode.NOT_FOUND:
                    raise
            return
        schedule = _schedule(tenant, settings)
        try:
            await self._services.temporal.create_schedule(schedule_id(tenant), schedule)
        except ScheduleAlreadyRunningError:

            async def replaced(_before: ScheduleUpdateInput) -> ScheduleUpdate:
                return ScheduleUpdate(schedule)

            await handle.update(replaced)


def _schedule(tenant: str, settings: GoldenSettings) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            GoldenRoundWorkflow.run,
            GoldenStart(tenant),
            id=schedule_id(tenant),
            task_queue=ESCALATIONS_QUEUE,
            task_timeout=TASK_TIMEOUT,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=settings.every)], jitter=settings.spread),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )
