"""The yardstick of the benchmarks: a bare Temporal workflow with two updates and two activities that do nothing."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

QUEUE = "bench-bare"


@activity.defn
async def nothing() -> None:
    return None


@workflow.defn
class Bare:
    def __init__(self) -> None:
        self._updates = 0

    @workflow.run
    async def run(self) -> int:
        for wanted in (1, 2):
            await workflow.wait_condition(lambda wanted=wanted: self._updates >= wanted)
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=10))
        return self._updates

    @workflow.update
    def advance(self, name: str) -> str:
        self._updates += 1
        return name


async def serve(address: str) -> None:
    client = await Client.connect(address)
    worker = Worker(client, task_queue=QUEUE, workflows=[Bare], activities=[nothing])
    print("ready", flush=True)
    await worker.run()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
