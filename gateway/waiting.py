"""Callers who wait for a decision: any number of them, for the price of an object each.

A decision wakes them by three ways, each enough by itself: the workflow's `deliver` on this gateway's own task queue,
the store's change feed, and a sweep every few seconds. All three are hints; the release in the store decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from temporalio import activity

from store.changes import ChangeFeed
from store.database import Database, StoreUnavailable
from store.releases import find_releases
from workflows.messages import Delivery
from workflows.ports import Delivering

SWEEP_S = 2.0
_logger = logging.getLogger("keeptrusts.gateway")


class Waiting(Delivering):
    """Who waits for what in this process."""

    def __init__(self, database: Database, feed: ChangeFeed, tenant: str = "default") -> None:
        self._database = database
        self.feed = feed
        self._tenant = tenant
        self._events: dict[str, asyncio.Event] = {}
        self._watchers: dict[str, int] = {}

    @contextmanager
    def watch(self, escalation_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when this case may have ended. Look at the store after this began, not before."""
        event = self._events.setdefault(escalation_id, asyncio.Event())
        self._watchers[escalation_id] = self._watchers.get(escalation_id, 0) + 1
        try:
            yield event
        finally:
            self._watchers[escalation_id] -= 1
            if not self._watchers[escalation_id]:
                del self._watchers[escalation_id], self._events[escalation_id]

    def wake(self, escalation_id: str) -> None:
        event = self._events.get(escalation_id)
        if event is not None:
            event.set()

    @activity.defn(name="deliver")
    async def deliver(self, delivery: Delivery) -> None:
        self.wake(delivery.escalation_id)

    async def follow(self) -> None:
        """Wake by the change feed, for ever."""
        async with aclosing(self.feed.listen()) as changes:
            async for change in changes:
                if change.kind == "release":
                    self.wake(change.ref)

    async def sweep(self) -> None:
        """Wake by looking, for ever: what the hints missed costs seconds, never correctness."""
        while True:
            await asyncio.sleep(SWEEP_S)
            waiting = list(self._events)
            try:
                for start in range(0, len(waiting), 500):
                    async with self._database.read() as connection:
                        found = await find_releases(connection, self._tenant, waiting[start : start + 500])
                    for escalation_id in found:
                        self.wake(escalation_id)
            except StoreUnavailable as fault:
                _logger.warning("the sweep for decisions waits: %s", fault)
