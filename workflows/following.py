"""How a case waits for the end of the one that it follows: one activity that is tried again until that has come."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from escalations.case import LeaderEnded, Opening
from workflows.messages import FollowWanted
from workflows.ports import Following

_UNTIL_IT_ENDS = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=1.5, maximum_interval=timedelta(seconds=10)
)


async def leader_ended(opening: Opening, leader: str) -> LeaderEnded:
    return await workflow.execute_activity_method(
        Following.follow,
        FollowWanted(opening.tenant, opening.escalation_id, leader),
        start_to_close_timeout=timedelta(seconds=15),
        retry_policy=_UNTIL_IT_ENDS,
        summary=f"follows {leader}",
    )
