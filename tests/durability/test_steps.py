"""A step that a worker has in hand: the next one's soon when it is killed, and never taken for lost by itself."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType, PendingWorkflowTaskState
from temporalio.client import Client, WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from runtime.temporal_binary import find_cli, usual_sources
from tests.activities.receivers import Answer, serving
from tests.escalations.cases import opening
from tests.support.bench import running_worker
from tests.support.model import FakeModel
from tests.support.stack import Stack, running_stack, wait_for
from tests.support.temporal import connect_to
from vault.codec import data_converter
from vault.keyring import ensure_keyring
from workflows.attributes import ALL
from workflows.messages import TASK_TIMEOUT, Start

LATE = timedelta(seconds=2)
"""No timer may be later than this because of a restart, so no step may be waited for any longer."""
SECRET = "whsec_" + base64.b64encode(b"a secret of these tests' webhook").decode()
KINDS = {"Escalation", "SecondReview", "GoldenRound", "Notification", "NotificationGroup", "ChannelTest"}
BURST = 100


def in_temporal(stack: Stack, look: Callable[[Client], Any]) -> Any:
    async def ask() -> Any:
        return await look(await connect_to(stack))

    return asyncio.run(ask())


async def history(client: Client, workflow_id: str) -> WorkflowHistory:
    return await client.get_workflow_handle(workflow_id).fetch_history()


def kinds(found: WorkflowHistory) -> list[int]:
    return [event.event_type for event in found.events]


@contextmanager
def everything(stack: Stack) -> Iterator[None]:
    """Settings under which one case has every kind of workflow started."""
    with serving(lambda _: Answer(410)) as receiver:
        hook = {"type": "webhook", "url": f"http://127.0.0.1:{receiver.port}", "secret_key_ref": {"env": "HOOK_SECRET"}}
        mail = {
            "type": "email",
            "host": "127.0.0.1",
            "port": 1,
            "tls": "none",
            "from": "kt@example.com",
            "group": {"first": "waits"},
        }
        rule = {"name": "all", "match": {"any": True}, "route_to": "team:legal", "notification_channel": "gone"}
        with stack.settings(
            notification_channels={"gone": {**hook, "fall_through": "mail"}, "mail": mail},
            escalation_routing={"rules": [rule]},
            decisions={"second_review": {"share": "100%"}},
            golden_cases={"every": "1s"},
        ):
            yield


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory, model: FakeModel) -> Iterator[Stack]:
    """A stack whose processes may be killed."""
    environment = {"KT_ALLOW_PRIVATE_WEBHOOKS": "1", "HOOK_SECRET": SECRET}
    with running_stack(tmp_path_factory.mktemp("steps"), "--upstream", model.url, environment=environment) as running:
        yield running


def test_a_step_that_a_worker_had_in_hand_when_it_was_killed_is_the_next_one_s(mortal: Stack) -> None:
    with mortal.settings(sla={"high": "6s", "amber_at_remaining": "10%", "expire_after": "1h"}):
        held = mortal.create()["escalation_id"]
    worker = mortal.pid("worker")
    # A worker that stands still is given the step of the first timer, for it has asked for one.
    os.kill(worker, signal.SIGSTOP)

    async def in_hand(client: Client) -> bool:
        described = await client.get_workflow_handle(held).describe()
        state = described.raw_description.pending_workflow_task.state
        return state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED

    wait_for(lambda: in_temporal(mortal, in_hand), "the step to be in hand")
    mortal.back("worker", mortal.kill("worker"))
    wait_for(lambda: "breached" in mortal.events(held), "the breach")
    happened = mortal.events(held)
    assert (happened.count("amber"), happened.count("breached")) == (1, 1)
    found = in_temporal(mortal, lambda client: history(client, held))
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT in kinds(found)


def test_no_workflow_of_any_kind_waits_long_for_a_step_that_is_lost(mortal: Stack) -> None:
    known = {"answer": "You may not.", "policy_rule": "human-oversight", "reason_code": "legal_opinions"}
    kept = mortal.api("admin").post("/v1/golden-cases", json={**known, "resolution": "block"})
    assert kept.status_code == 201, kept.text
    with everything(mortal):
        mortal.decide(mortal.create()["escalation_id"], "block")
        mortal.kt("notify", "test", "log", who="admin")

        async def started(client: Client) -> dict[str, str]:
            return {found.workflow_type: found.id async for found in client.list_workflows()}

        def all_of_them() -> dict[str, str] | None:
            found: dict[str, str] = in_temporal(mortal, started)
            return found if found.keys() >= KINDS else None

        one_of_each = wait_for(all_of_them, "one workflow of each kind")
    for kind in KINDS:
        found = in_temporal(mortal, lambda client, kind=kind: history(client, one_of_each[kind]))
        begun = found.events[0].workflow_execution_started_event_attributes
        assert begun.workflow_task_timeout.ToTimedelta() < LATE, kind


@pytest_asyncio.fixture
async def idle(tmp_path: Path) -> AsyncIterator[Client]:
    """A server without any worker."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_cli(usual_sources())),
        search_attributes=ALL,
        data_converter=data_converter(ensure_keyring(tmp_path / "keyring.json")),
    )
    async with environment:
        yield environment.client


async def test_many_steps_at_once_are_not_taken_for_lost(idle: Client, tmp_path: Path) -> None:
    """They share one interpreter: a worker that took all of them would let each wait for all the others."""
    held = [f"esc_burst_{number}" for number in range(BURST)]
    for name in held:
        start = Start(opening(escalation_id=name))
        await idle.start_workflow("Escalation", start, id=name, task_queue="escalations", task_timeout=TASK_TIMEOUT)
    async with running_worker(idle, tmp_path) as bench:
        for name in held:
            await bench.happened(name, "opened")
        histories = [await history(idle, name) for name in held]
    lost = [name for name, found in zip(held, histories, strict=True) if _lost(found)]
    assert lost == []


def _lost(found: WorkflowHistory) -> bool:
    return EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT in kinds(found)
