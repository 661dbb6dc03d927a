"""`kt gateway run --workers N`: several gateway processes on one port, kept alive, gone when this one is."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gateway.following import stored_name
from policies.loading import load_for_gateway
from runtime import serving
from runtime.children import Child, keep_alive, pidfile_names
from runtime.gateway_process import SHARED, GatewayOptions
from runtime.settings import GATEWAY_PORT, SettingsError

_log = logging.getLogger("keeptrusts.gateway")
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 3.0


async def run_workers(
    environment: Mapping[str, str], options: GatewayOptions, count: int, stopped: asyncio.Event
) -> None:
    """Start them, and stay until `stopped`. Raises one of `runtime.serving.EXPECTED` when they do not start."""
    if stored_name(options.policy_config) is None:
        loaded = load_for_gateway(options.policy_config, environment, secrets_needed=options.upstream is None)
        _log.info("Loaded declarative config %s", loaded.config.name)
    taken = serving.take_listener(options.listen, GATEWAY_PORT, environment)
    pid = serving.PidFile(options.pidfile)
    with tempfile.TemporaryDirectory() as run:
        children = [_child(number, environment, options, count, Path(run)) for number in range(count)]
        for child in children:
            child.listener = taken
            await child.start()
        keeping: list[asyncio.Task[None]] = []
        try:
            if not all(await asyncio.gather(*(child.wait_ready(READY_WITHIN_S) for child in children))):
                raise SettingsError("not all gateway processes started, see above")
            pid.write()
            _log.info("Gateway ready")
            keeping = [asyncio.create_task(keep_alive(child, stopped, lambda _: None)) for child in children]
            await stopped.wait()
        finally:
            pid.remove()
            await asyncio.gather(*(child.stop(STOP_WITHIN_S) for child in children))
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)


def _child(number: int, environment: Mapping[str, str], options: GatewayOptions, count: int, run: Path) -> Child:
    pidfile = run / f"{number}.pid"
    arguments = [
        *(sys.executable, "-m", "cli.main", "gateway", "run"),
        *("--policy-config", str(options.policy_config), "--pidfile", str(pidfile)),
        *(("--upstream", options.upstream) if options.upstream else ()),
    ]
    shared = {**environment, SHARED: str(count)}
    return Child(f"gateway {number}", arguments, shared, None, pidfile_names(pidfile))
