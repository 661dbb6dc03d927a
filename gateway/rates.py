"""How often each consumer is escalated, counted in the store in the background: no request waits for it.

Counts are renewed every few seconds. When they could not be for a while, or never were, nobody knows them, and
`on_unknown` of the policy says what follows. What other gateways escalated counts too; what the policy itself did does
not, or it would never come to an end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from policies.rates import POLICY, Rate
from store.database import Database, StoreUnavailable
from store.events import count_escalated

_logger = logging.getLogger("keeptrusts.gateway")
RENEW_S = 5.0
STALE_S = 60.0

_Span = tuple[timedelta, timedelta]


class CountedRates:
    """`policies.rates.Rates`, of one tenant."""

    def __init__(self, database: Database, tenant: str = "default") -> None:
        self._database, self._tenant = database, tenant
        self._known: dict[_Span, tuple[float, dict[str, Rate]] | None] = {}

    def want(self, window: timedelta, baseline: timedelta) -> None:
        self._known.setdefault((window, baseline), None)

    def of(self, consumer: str, window: timedelta, baseline: timedelta) -> Rate | None:
        found = self._known.get((window, baseline))
        if found is None or time.monotonic() - found[0] > STALE_S:
            return None
        return found[1].get(consumer, Rate())

    async def renew(self) -> None:
        """Count anew. A store that is away leaves what is known, until that is too old."""
        for window, baseline in list(self._known):
            now, begun = datetime.now(UTC), time.monotonic()
            try:
                async with self._database.read() as connection:
                    counted = await count_escalated(
                        connection, self._tenant, now - window - baseline, now - window, without=POLICY
                    )
            except StoreUnavailable as fault:
                _logger.warning("how often consumers are escalated is not known: %s", fault)
                return
            self._known[window, baseline] = begun, {name: Rate(*counts) for name, counts in counted.items()}

    async def run(self) -> None:
        """Keep counting, for ever."""
        while True:
            await asyncio.sleep(RENEW_S)
            await self.renew()
