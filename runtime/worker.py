"""The worker: runs the escalation workflows, and the activities that record, route, authorize and notify."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.authorize import Authorizer, SignedUpdates
from activities.beating import Beating
from activities.excerpts import Excerpts
from activities.following import Follower
from activities.golden import GoldenSender
from activities.notify import Notifier
from activities.opening import Opener
from activities.record import Recorder
from activities.route import Router
from activities.second_review import SecondReviewer
from store.contents import Contents
from store.database import Database
from store.ledger import LedgerWriter
from vault.envelopes import Envelopes
from vault.keyring import Keyring
from vault.signatures import Verifier
from workflows.escalation import EscalationWorkflow
from workflows.golden import GoldenRoundWorkflow
from workflows.grouping import GroupWorkflow
from workflows.messages import ESCALATIONS_QUEUE, NOTIFICATIONS_QUEUE
from workflows.notifying import ChannelTestWorkflow, NotificationWorkflow
from workflows.second_review import SecondReviewWorkflow

STICKY_TIMEOUT = timedelta(seconds=1)
"""How long a workflow task waits for the worker that knew it. The default of ten seconds is what a killed worker
costs every case that it had cached."""

IN_HAND = 10
"""Workflow tasks that a worker has in hand at once. They share one interpreter: of a hundred that it took together,
each would wait for all the others, and be taken for lost when its time (`TASK_TIMEOUT`) is over. What waits in the
server's queue has no such time, and any worker may take it. Some of them only ask for work all the time, for new cases
or for those that it knows: with fewer, hardly any would be left for the cases of a worker that died."""

AT_ONCE = 400
"""Notifications that a worker has in hand at once. Each channel has a few places of its own (`PLACES`), so twenty have
to hang before others wait. One that waits for its receiver costs next to nothing."""

_PURE = ("escalations", "workflows.messages", "workflows.ports", "workflows.attributes", "workflows.refusals")
_OF_ESCALATIONS = ("workflows.calls", "workflows.following", "workflows.handlers", "workflows.telling")
"""What the escalation's own module is made of, without any state. Replaying stored histories loads them anew, so that
what the sandbox forbids is found there."""
_CRYPTOGRAPHY = ("cryptography", "_cffi_backend")
"""The update validator checks signatures; native code imports from inside, which the sandbox would break."""
PASSED_THROUGH = (*_PURE, *_CRYPTOGRAPHY)
"""What the workflow sandbox shares with the process instead of loading it anew for every workflow."""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What the worker's activities work on. Tests are in a `hurry`: notifications wait for so much less time."""

    client: Client
    database: Database
    ledger: LedgerWriter
    keyring: Keyring
    environment: Mapping[str, str]
    hurry: float = 1.0


def workers(parts: WorkerParts, *, max_cached_workflows: int = 2000) -> list[Worker]:
    """The two workers of a process: workflows with what they need at once, and notifications, which may be slow."""
    verifier = Verifier(parts.keyring)
    contents = Contents(Envelopes(parts.keyring))
    excerpts = Excerpts(parts.database, contents, parts.ledger)
    opener = Opener(parts.database, parts.ledger, contents, parts.client)
    notifier = Notifier(parts.database, parts.environment, excerpts, parts.client, hurry=parts.hurry)
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH, *_OF_ESCALATIONS)
    escalations = Worker(
        parts.client,
        task_queue=ESCALATIONS_QUEUE,
        workflows=[EscalationWorkflow, SecondReviewWorkflow, GoldenRoundWorkflow],
        activities=[
            Recorder(parts.database, parts.ledger).record,
            SecondReviewer(parts.database, parts.ledger).record,
            Router(parts.database).route,
            Follower(parts.database, contents).follow,
            Authorizer(verifier).authorize,
            GoldenSender(parts.database, parts.ledger, contents, opener).send,
            notifier.notify,
        ],
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        interceptors=[SignedUpdates(verifier), Beating()],
        max_cached_workflows=max_cached_workflows,
        max_concurrent_workflow_tasks=IN_HAND,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        graceful_shutdown_timeout=timedelta(seconds=2),
    )
    notifications = Worker(
        parts.client,
        task_queue=NOTIFICATIONS_QUEUE,
        workflows=[NotificationWorkflow, GroupWorkflow, ChannelTestWorkflow],
        activities=[notifier.notify, notifier.give_up, notifier.try_out, *_grouping(notifier)],
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        max_concurrent_workflow_tasks=IN_HAND,
        max_concurrent_activities=AT_ONCE,
        graceful_shutdown_timeout=timedelta(seconds=2),
    )
    return [escalations, notifications]


def _grouping(notifier: Notifier) -> list[Callable[..., Any]]:
    grouper = notifier.grouper
    return [] if grouper is None else [grouper.plan, grouper.tell, grouper.tell_apart]


async def run_workers(running: list[Worker], stopped: asyncio.Event) -> None:
    """Serve until `stopped`, then finish what is in hand."""
    async with AsyncExitStack() as stack:
        for worker in running:
            await stack.enter_async_context(worker)
        await stopped.wait()
