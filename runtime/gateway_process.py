"""`kt gateway run`: one gateway process, next to any number of its kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from activities.opening import Opener
from gateway.app import create_app
from gateway.consumers import Consumers
from gateway.services import Services
from gateway.upstream import Endpoint, PooledUpstream
from gateway.waiting import Waiting
from policies.chain import Chain
from policies.config import PolicyConfig
from policies.loading import LoadedConfig, load_for_gateway, read_secret
from runtime import serving
from runtime.connect import connect
from runtime.parts import Parts, open_parts
from runtime.settings import GATEWAY_PORT
from store.changes import ChangeFeed
from store.events import EventLog

_log = logging.getLogger("keeptrusts.gateway")
RECONNECT_S = 0.5


async def run_gateway(
    environment: Mapping[str, str],
    listen: str,
    policy_config: Path,
    pidfile: Path | None,
    stopped: asyncio.Event,
    upstream: str | None = None,
) -> None:
    """`upstream`, a base URL without `/v1`, stands in for every target's own; secrets are then not needed."""
    loaded = load_for_gateway(policy_config, environment, secrets_needed=upstream is None)
    _log.info("Loaded declarative config %s", loaded.config.name)
    async with open_parts("gateway", environment) as parts:
        taken = serving.take_listener(listen, GATEWAY_PORT, environment)
        client = await connect(parts.keyring, environment, lazy=True)
        services = _gateway_services(parts, client, loaded, environment, upstream)
        pid = serving.PidFile(pidfile)

        def ready() -> None:
            pid.write()
            _log.info("Gateway ready")

        listening = asyncio.create_task(_listen_for_deliveries(client, services))
        try:
            await serving.serve(create_app(services), taken, stopped, ready)
        finally:
            pid.remove()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await services.upstream.close()
            await services.events.close()


def _gateway_services(
    parts: Parts, client: Client, loaded: LoadedConfig, environment: Mapping[str, str], upstream: str | None
) -> Services:
    feed = ChangeFeed(parts.database)
    return Services(
        config=loaded.config,
        config_digest=loaded.digest,
        chain=Chain(loaded.config),
        endpoints=endpoints(loaded.config, environment, upstream),
        upstream=PooledUpstream(),
        database=parts.database,
        ledger=parts.ledger,
        events=EventLog(parts.database),
        contents=parts.contents,
        envelopes=parts.envelopes,
        opener=Opener(parts.database, parts.ledger, parts.contents, client),
        consumers=Consumers(parts.database, require_key=parts.settings.require_api_key),
        waiting=Waiting(parts.database, feed),
        name=parts.ledger.chain,
        reply_to=f"gateway-replies-{parts.ledger.chain}",
    )


def endpoints(config: PolicyConfig, environment: Mapping[str, str], upstream: str | None) -> dict[str, Endpoint]:
    """Where each target is called, by its id."""
    found = {}
    for target in config.providers.targets:
        secret = read_secret(target.secret_key_ref, environment) if target.secret_key_ref else None
        url = f"{upstream.rstrip('/').removesuffix('/v1')}/v1" if upstream else target.url
        found[target.id] = Endpoint(url, secret, target.timeout.total_seconds())
    return found


async def _listen_for_deliveries(client: Client, services: Services) -> None:
    """Listen on this process's own task queue, as soon as there is a Temporal and again whenever it was lost."""
    while True:
        try:
            await client.service_client.check_health()
            worker = Worker(
                client,
                task_queue=services.reply_to,
                activities=[services.waiting.deliver],
                max_concurrent_activities=500,
                max_concurrent_activity_task_polls=2,
            )
            await worker.run()
        except asyncio.CancelledError:
            raise
        except Exception as fault:
            _log.info("no deliveries from Temporal yet (%s)", type(fault).__name__)
        await asyncio.sleep(RECONNECT_S)
