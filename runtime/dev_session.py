"""What a person sees of `kt dev`: that it is ready, where to look, and with --demo the main job."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Mapping
from typing import Any

from runtime.demo import show_main_job
from runtime.dev import Dev, DevOptions, start, watch
from runtime.progress import Progress


async def run_dev(
    options: DevOptions, environment: Mapping[str, str], stopped: asyncio.Event, *, demo: bool = False
) -> None:
    """Start, tell, and stay until `stopped`; with `demo` and nobody watching (CI, no terminal) until that is done."""
    progress = Progress()
    progress.say("starting Temporal, worker, API and gateway …")
    dev = await _unless(stopped, start(options, environment, progress))
    if dev is None:
        return
    _tell(dev, progress)
    watching = asyncio.create_task(watch(dev, stopped))
    if demo:
        try:
            await show_main_job(dev, progress)
        finally:
            if os.environ.get("CI") or not sys.stdout.isatty():
                stopped.set()
    if not stopped.is_set():
        progress.say("Ctrl-C stops everything; the data stays.")
    await watching


async def _unless(stopped: asyncio.Event, starting: Coroutine[Any, Any, Dev]) -> Dev | None:
    """What was started; None when it was stopped before it was there."""
    task, stopping = asyncio.create_task(starting), asyncio.create_task(stopped.wait())
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait([task])
    return None


def _tell(dev: Dev, progress: Progress) -> None:
    tokens = dev.tokens
    progress.say(f"ready: gateway {dev.gateway_url}/v1   API {dev.api_url}   Temporal {dev.temporal_address}")
    if dev.ui_url:
        progress.say(f"       Temporal UI {dev.api_url}/temporal/ (sign in with the admin's token)")
    if dev.demo_model:
        progress.say("       no OPENAI_API_KEY, so a demo model answers; it says so in every answer")
    progress.say(f"       data {dev.options.data_dir}")
    progress.say("review from another terminal:")
    progress.say(f"       export KT_API_URL={dev.api_url} KEEPTRUSTS_API_TOKEN={tokens['reviewer']}")
    progress.say("       kt escalation list --status open")
