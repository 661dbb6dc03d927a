"""The clock of a group of notifications: it waits, has those told that have come together, and ends when none are left.

Who waits is in the store; a signal says that somebody has joined. A signal that comes while the workflow would end
keeps it from ending, so nobody is left behind.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.messages import GroupBatch, GroupPlan, GroupStart
from workflows.notifying import FOR_DAYS, FOR_EVER, GIVEN_UP_AFTER
from workflows.ports import Grouping


@workflow.defn(name="NotificationGroup")
class GroupWorkflow:
    @workflow.init
    def __init__(self, _start: GroupStart) -> None:
        self._joined = 0

    @workflow.run
    async def run(self, start: GroupStart) -> None:
        while True:
            joined = self._joined
            plan = await self._plan(start)
            if plan.wait_s is not None:
                await asyncio.sleep(plan.wait_s)
                await self._tell(start)
            elif self._joined == joined:
                return
            if workflow.info().is_continue_as_new_suggested():
                # Those who have joined are in the store: a signal that is not carried over loses nothing.
                workflow.continue_as_new(start)

    @workflow.signal(name="joined", description="Somebody has joined the group")
    def joined(self) -> None:
        self._joined += 1

    async def _plan(self, start: GroupStart) -> GroupPlan:
        return await workflow.execute_activity_method(
            Grouping.plan, start.ref, start_to_close_timeout=timedelta(seconds=15), retry_policy=FOR_EVER
        )

    async def _tell(self, start: GroupStart) -> None:
        batch = GroupBatch(start.ref, int(workflow.now().timestamp()))
        try:
            told = await workflow.execute_activity_method(
                Grouping.tell,
                batch,
                start_to_close_timeout=timedelta(seconds=120),
                schedule_to_close_timeout=GIVEN_UP_AFTER,
                retry_policy=FOR_DAYS,
            )
        except ActivityError:
            await workflow.execute_activity_method(
                Grouping.tell_apart, batch, start_to_close_timeout=timedelta(seconds=60), retry_policy=FOR_EVER
            )
            return
        await asyncio.sleep(told.hold_s)
