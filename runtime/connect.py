"""One connection to Temporal per process, by `temporalio.envconfig`: dev server, cluster or Cloud alike."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from runtime.settings import SettingsError
from vault.codec import data_converter
from vault.keyring import Keyring

DEFAULT_ADDRESS = "127.0.0.1:7233"
CONNECT_TIMEOUT_S = 10.0


async def connect(keyring: Keyring, environment: Mapping[str, str], *, lazy: bool = False) -> Client:
    """A client that encrypts what it sends. With `lazy` it connects on first use: an API can start before Temporal.

    Raises SettingsError when Temporal does not answer.
    """
    config = ClientConfig.load_client_connect_config(override_env_vars=dict(environment))
    address = config.get("target_host") or DEFAULT_ADDRESS
    config["target_host"] = address
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await Client.connect(**config, data_converter=data_converter(keyring), lazy=lazy)
    except (TimeoutError, RuntimeError, OSError):
        raise SettingsError(
            f"Temporal does not answer at {address}; start it (`kt dev` brings its own) or set TEMPORAL_ADDRESS"
        ) from None
