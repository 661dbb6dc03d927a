"""`kt worker run`: one worker process, next to any number of its kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from runtime import serving
from runtime.connect import connect
from runtime.parts import open_parts
from runtime.worker import WorkerParts, run_workers, workers

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
        pid.write()
        _log.info("Worker ready")
        try:
            await serve
        finally:
            pid.remove()
