"""Telling one channel: tried again for days, then given up on the record. The workflow of a case does it itself;
what falls through to another channel, and what is told once more by hand, has a small workflow of its own.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError

from workflows.messages import NOTIFICATIONS_QUEUE, ChannelTest, GivenUp, Notification, Tested
from workflows.ports import Notifying

FOR_DAYS = RetryPolicy(
    initial_interval=timedelta(seconds=5), backoff_coefficient=1.2, maximum_interval=timedelta(minutes=10)
)
"""What fails brings its own wait with it, which may be longer; only after a worker that died these intervals count."""
GIVEN_UP_AFTER = timedelta(hours=80)
"""Standard Webhooks' ten attempts take 75 hours and a half, and what waits for a place a little more."""
FOR_EVER = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))
DEAD_LETTERS = "dead-letters"
"""The patch under which what is given up is written down; histories of before have no such activity."""


async def tell(notification: Notification) -> None:
    """One that stays away for three days is given up and kept, and never delays the review."""
    try:
        await workflow.execute_activity_method(
            Notifying.notify,
            notification,
            task_queue=NOTIFICATIONS_QUEUE,
            start_to_close_timeout=timedelta(seconds=30),
            schedule_to_close_timeout=GIVEN_UP_AFTER,
            retry_policy=FOR_DAYS,
            summary=f"{notification.event} → {notification.channel}",
        )
    except ActivityError as failure:
        workflow.logger.warning("notification %s was given up", notification.id)
        if workflow.patched(DEAD_LETTERS):
            await workflow.execute_activity_method(
                Notifying.give_up,
                GivenUp(notification, _why(failure)),
                task_queue=NOTIFICATIONS_QUEUE,
                start_to_close_timeout=timedelta(seconds=15),
                retry_policy=FOR_EVER,
                summary=f"{notification.channel} was given up",
            )


def _why(failure: ActivityError) -> str:
    cause = failure.cause
    return cause.message[:300] if isinstance(cause, FailureError) else "it was never tried"


@workflow.defn(name="Notification")
class NotificationWorkflow:
    """Tells one channel, apart from the case that it is about."""

    @workflow.run
    async def run(self, notification: Notification) -> None:
        await tell(notification)


@workflow.defn(name="ChannelTest")
class ChannelTestWorkflow:
    """Sends a test message on one channel, once: whoever asked waits for the answer."""

    @workflow.run
    async def run(self, test: ChannelTest) -> Tested:
        return await workflow.execute_activity_method(
            Notifying.try_out,
            test,
            task_queue=NOTIFICATIONS_QUEUE,
            start_to_close_timeout=timedelta(seconds=30),
            schedule_to_close_timeout=timedelta(seconds=40),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
