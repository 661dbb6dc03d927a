"""`kt gateway run`: one gateway process, next to any number of its kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from activities.opening import Opener
from gateway.app import create_app
from gateway.consumers import Consumers
from gateway.following import Followed, NoActiveVersion, PolicyFollower, stored_name
from gateway.limits import Limiter
from gateway.rates import CountedRates
from gateway.rules import RuleBook
from gateway.services import Services
from gateway.targets import Targets
from gateway.upstream import Endpoint, PooledUpstream
from gateway.waiting import Waiting
from gateway.withdrawing import Withdrawer
from policies.config import PolicyConfig
from policies.given import Given
from policies.loading import load_for_gateway, read_secret
from policies.targets import versioned
from runtime import serving
from runtime.connect import connect
from runtime.parts import TENANT, Parts, open_parts
from runtime.settings import GATEWAY_PORT, SettingsError
from store.changes import ChangeFeed

_log = logging.getLogger("keeptrusts.gateway")
RECONNECT_S = 0.5
SHARED = "KT_GATEWAY_WORKERS"
"""How many processes share this one's port; set by their parent."""


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """`upstream`, a base URL without `/v1`, stands in for every target's own; secrets are then not needed."""

    listen: str
    policy_config: Path
    pidfile: Path | None = None
    upstream: str | None = None


async def run_gateway(environment: Mapping[str, str], options: GatewayOptions, stopped: asyncio.Event) -> None:
    """Serve until `stopped`. Raises one of `runtime.serving.EXPECTED`."""
    # One of several says nothing of its own: their parent does.
    say = _log.debug if SHARED in environment else _log.info
    upstream = options.upstream
    stored, needed = stored_name(options.policy_config), upstream is None
    # A file that cannot run is told before anything is opened.
    file = None if stored else load_for_gateway(options.policy_config, environment, secrets_needed=needed)
    async with open_parts("gateway", environment) as parts:
        follower = PolicyFollower(parts.database, stored, environment, secrets_needed=needed) if stored else None
        first = await _first(follower) if follower else None
        loaded = first.active if first else file
        assert loaded is not None
        say("Loaded declarative config %s", loaded.config.name)
        taken = serving.take_listener(options.listen, GATEWAY_PORT, environment)
        client = await connect(parts.keyring, environment, lazy=True)
        feed, called = ChangeFeed(parts.database), endpoints(loaded.config, environment, upstream)
        rates = CountedRates(parts.database, TENANT)
        given = Given(parts.keyring.pseudonyms.secret(), rates)
        rules = RuleBook(loaded.config, loaded.digest, environment, first.shadow_config if first else None, given)
        services = _gateway_services(parts, client, rules, called, feed, environment)

        await rates.renew()

        async def apply(found: Followed) -> None:
            # Added to, not replaced: requests under way still go to the targets that they began with.
            called.update(endpoints(found.active.config, environment, upstream))
            made = rules.ready(found.active.config, found.active.digest, found.shadow_config)
            await rates.renew()
            rules.use(made)

        pid = serving.PidFile(options.pidfile)

        def ready() -> None:
            pid.write()
            say("Gateway ready")

        tasks = [
            asyncio.create_task(_listen_for_deliveries(parts, environment, services)),
            asyncio.create_task(rates.run()),
        ]
        if follower is not None:
            tasks.append(asyncio.create_task(follower.follow(feed, apply)))
        try:
            await serving.serve(create_app(services), taken, stopped, ready, forwarded=False)
        finally:
            pid.remove()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await services.upstream.close()
            await rules.close()


async def _first(follower: PolicyFollower) -> Followed:
    try:
        return await follower.load()
    except NoActiveVersion as fault:
        raise SettingsError(str(fault)) from None


def _gateway_services(
    parts: Parts,
    client: Client,
    rules: RuleBook,
    called: Mapping[str, Endpoint],
    feed: ChangeFeed,
    environment: Mapping[str, str],
) -> Services:
    upstream_calls = PooledUpstream()
    return Services(
        rules=rules,
        targets=Targets(upstream_calls, called),
        upstream=upstream_calls,
        database=parts.database,
        ledger=parts.ledger,
        contents=parts.contents,
        envelopes=parts.envelopes,
        opener=Opener(parts.database, parts.ledger, parts.contents, client),
        consumers=Consumers(parts.database, require_key=parts.settings.require_api_key),
        waiting=Waiting(parts.database, feed),
        limiter=Limiter(int(environment.get(SHARED) or 1)),
        withdrawer=Withdrawer(client, parts.keyring),
        name=parts.ledger.chain,
        reply_to=f"gateway-replies-{parts.ledger.chain}",
    )


def endpoints(config: PolicyConfig, environment: Mapping[str, str], upstream: str | None) -> dict[str, Endpoint]:
    """Where each target is called, by its id."""
    found = {}
    for target in config.providers.targets:
        secret = read_secret(target.secret_key_ref, environment) if target.secret_key_ref else None
        url = versioned(upstream, target.provider) if upstream else target.url
        found[target.id] = Endpoint(
            url, secret, target.timeout.total_seconds(), target.connect_timeout.total_seconds(), target.retries
        )
    return found


async def _listen_for_deliveries(parts: Parts, environment: Mapping[str, str], services: Services) -> None:
    """Listen on this process's own task queue, as soon as there is a Temporal and again whenever it was lost."""
    while True:
        try:
            # A worker needs a client that is connected, and the gateway must serve without one.
            worker = Worker(
                await connect(parts.keyring, environment),
                task_queue=services.reply_to,
                activities=[services.waiting.deliver],
                max_concurrent_activities=500,
                max_concurrent_activity_task_polls=2,
            )
            await worker.run()
        except asyncio.CancelledError:
            raise
        except SettingsError as fault:
            _log.info("no deliveries from Temporal yet: %s", fault)
        except Exception as fault:
            _log.warning("deliveries from Temporal were lost (%s)", type(fault).__name__)
        await asyncio.sleep(RECONNECT_S)
