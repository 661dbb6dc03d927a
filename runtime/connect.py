"""One connection to Temporal per process, by `temporalio.envconfig`: dev server, cluster or Cloud alike."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from runtime.settings import SettingsError
from vault.codec import data_converter
from vault.keyring import Keyring
from workflows.messages import ESCALATIONS_QUEUE

DEFAULT_ADDRESS = "127.0.0.1:7233"
CONNECT_TIMEOUT_S = 10.0
ANSWER_S = 1.0


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


async def takes_calls(address: str) -> bool:
    """Whether the server there can give work to workers: its port answers long before."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await _pollers(await Client.connect(address), ESCALATIONS_QUEUE)
    except (TimeoutError, RPCError, RuntimeError, OSError):
        return False
    return True


async def is_polled(client: Client, queue: str) -> bool:
    """Whether the server knows that this very process takes workflow tasks of a queue."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return client.identity in await _pollers(client, queue)
    except (TimeoutError, RPCError):
        return False


async def _pollers(client: Client, queue: str) -> set[str]:
    asked = DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue))
    asked.task_queue_type = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    answer = await client.workflow_service.describe_task_queue(asked)
    return {poller.identity for poller in answer.pollers}
