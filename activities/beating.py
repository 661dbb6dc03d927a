"""Signs of life of what is under way, so that the work of a worker that was killed is soon done by another.

Without them the server would wait as long as the work may take; and one that only is slow must not be done twice at
once for that.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class Beating(Interceptor):
    """Beats for every activity that was given a time within which it should be heard of."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Beats(next)


class _Beats(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        within = activity.info().heartbeat_timeout
        if within is None:
            return await super().execute_activity(input)
        beating = asyncio.create_task(_beat(within / 3))
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()


async def _beat(every: timedelta) -> None:
    while True:
        await asyncio.sleep(every.total_seconds())
        activity.heartbeat()
