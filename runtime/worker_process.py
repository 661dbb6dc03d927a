"""`kt worker run`: one worker process, next to any number of its kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.client import Client

from runtime import serving
from runtime.connect import connect, is_polled
from runtime.parts import open_parts
from runtime.worker import WorkerParts, run_workers, workers
from store.attempts import forget_attempts
from store.database import Database, StoreUnavailable
from store.groups import forget_told
from workflows.messages import ESCALATIONS_QUEUE

LOOK_EVERY_S = 0.05
FORGET_EVERY = timedelta(hours=6)
_log = logging.getLogger("keeptrusts.worker")


async def run_worker(environment: Mapping[str, str], pidfile: Path | None, stopped: asyncio.Event) -> None:
    async with open_parts("worker", environment) as parts:
        client = await connect(parts.keyring, environment)
        pid = serving.PidFile(pidfile)
        running = workers(
            WorkerParts(client, parts.database, parts.ledger, parts.keyring, environment),
            max_cached_workflows=int(environment.get("KT_MAX_CACHED_WORKFLOWS") or 2000),
        )
        serve = asyncio.create_task(run_workers(running, stopped))
        forgetting = asyncio.create_task(_forget_old_attempts(parts.database))
        announcing = asyncio.create_task(_announce(client, pid))
        try:
            await serve
        finally:
            for beside in (announcing, forgetting):
                beside.cancel()
            await asyncio.gather(announcing, forgetting, return_exceptions=True)
            pid.remove()


async def _announce(client: Client, pid: serving.PidFile) -> None:
    """Say that it is ready as soon as the server gives work to it: until then another worker must not be stopped."""
    while True:
        if await is_polled(client, ESCALATIONS_QUEUE):
            break
        await asyncio.sleep(LOOK_EVERY_S)
    pid.write()
    _log.info("Worker ready")


async def _forget_old_attempts(database: Database) -> None:
    """Keep the delivery log as long as it is meant to be kept."""
    while True:
        try:
            dropped = await forget_attempts(database, datetime.now(UTC)) + await forget_told(
                database, datetime.now(UTC)
            )
            if dropped:
                _log.info("Dropped %d old attempts of the delivery log", dropped)
        except StoreUnavailable as away:
            _log.warning("the delivery log keeps what is old: %s", away)
        await asyncio.sleep(FORGET_EVERY.total_seconds())
