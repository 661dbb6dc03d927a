"""One round of golden cases, started by a Temporal Schedule: the next one is sent on the way that every case takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from escalations.golden import GoldenRound
from workflows.ports import GoldenSending

_FOR_AN_HOUR = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))


@dataclass(frozen=True, slots=True)
class GoldenStart:
    """Whose golden case is to be sent; `golden_id` names one, where it is not simply the next one's turn."""

    tenant: str
    golden_id: str | None = None


@workflow.defn(name="GoldenRound")
class GoldenRoundWorkflow:
    """Its result says whether there was one to send; which, only the store knows."""

    @workflow.run
    async def run(self, start: GoldenStart) -> bool:
        info = workflow.info()
        return await workflow.execute_activity_method(
            GoldenSending.send,
            GoldenRound(start.tenant, f"{info.workflow_id}/{info.run_id}", start.golden_id),
            start_to_close_timeout=timedelta(seconds=15),
            schedule_to_close_timeout=timedelta(hours=1),
            retry_policy=_FOR_AN_HOUR,
        )
