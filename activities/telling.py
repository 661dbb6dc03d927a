"""Starting the small workflow that tells one channel, apart from the case that it is about."""

from __future__ import annotations

import hashlib

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.messages import NOTIFICATIONS_QUEUE, TASK_TIMEOUT, Notification
from workflows.notifying import NotificationWorkflow


async def start_telling(client: Client, notification: Notification, again: str = "") -> bool:
    """False when it was started before. `again` makes a repetition by hand another one than the first.

    Channels may name addresses, and ids are for everybody to read, so the workflow's id is a digest. Raises RPCError
    when Temporal does not take it.
    """
    name = f"{notification.tenant}/{notification.id}/{again}"
    try:
        await client.start_workflow(
            NotificationWorkflow.run,
            notification,
            id="notify-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:40],
            task_queue=NOTIFICATIONS_QUEUE,
            task_timeout=TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
    except WorkflowAlreadyStartedError:
        return False
    return True
