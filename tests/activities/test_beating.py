"""Work under way is heard of as long as its worker lives, however long it takes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.beating import Beating
from runtime.temporal_binary import find_cli, usual_sources
from tests.support.bench import eventually

QUEUE = "beating"


@workflow.defn
class Waiting:
    @workflow.run
    async def run(self) -> int:
        found: int = await workflow.execute_activity(
            "work", start_to_close_timeout=timedelta(minutes=1), heartbeat_timeout=timedelta(seconds=1)
        )
        return found


async def test_slow_work_of_a_living_worker_is_heard_of_and_not_done_twice() -> None:
    done = asyncio.Event()

    @activity.defn
    async def work() -> int:
        await done.wait()
        return activity.info().attempt

    async def beats(handle: WorkflowHandle[Waiting, int]) -> int:
        """How often it was heard of, by the times that the server has seen."""
        described = await handle.describe()
        for pending in described.raw_description.pending_activities:
            if pending.HasField("last_heartbeat_time"):
                seen.add(pending.last_heartbeat_time.ToNanoseconds())
        return len(seen)

    seen: set[int] = set()
    async with (
        await WorkflowEnvironment.start_local(dev_server_existing_path=str(find_cli(usual_sources()))) as environment,
        Worker(
            environment.client,
            task_queue=QUEUE,
            workflows=[Waiting],
            activities=[work],
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[Beating()],
        ),
    ):
        handle = await environment.client.start_workflow(Waiting.run, id="beating", task_queue=QUEUE)

        async def three_times() -> bool:
            return await beats(handle) >= 3

        await eventually(three_times, "three beats")
        done.set()
        assert await handle.result() == 1, "the first attempt is the only one"
