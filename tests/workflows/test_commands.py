"""Signals and updates on the real server: who may ask a workflow for what."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from escalations.commands import Actor, Claim, Role
from escalations.events import Event
from escalations.views import View
from tests.support.stack import Stack, wait_for
from tests.support.temporal import connect_to, keyring_of, temporal
from vault.signatures import Signer
from workflows.messages import Instruction, Outcome, bytes_to_sign


@pytest.fixture
def held(stack: Stack) -> str:
    return str(stack.create()["escalation_id"])


def instruction(stack: Stack, escalation_id: str, login: str = "ana", id: str = "u1", **changes: object) -> Instruction:
    """One that the API of this stack could have signed."""
    plain = Instruction(
        id=id,
        escalation_id=escalation_id,
        command=Claim(Actor(login, roles=(Role.REVIEWER,))),
        payload_digest="p",
        expires_at=datetime.now(UTC) + timedelta(minutes=1),
        key_id=Signer(keyring_of(stack)).key_id,
    )
    unsigned = replace(plain, **changes)  # type: ignore[arg-type]
    return replace(unsigned, signature=Signer(keyring_of(stack)).sign(bytes_to_sign(unsigned)))


@pytest.mark.parametrize("message", ['{"actor": "reviewer2"}', '"reviewer2"', '{"actor": {"login": "reviewer2"}}'])
def test_an_operators_signal_claims_and_is_recorded_as_unverified(stack: Stack, held: str, message: str) -> None:
    done = temporal(stack, "workflow", "signal", "--workflow-id", held, "--name", "claim", "--input", message)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: stack.escalation(held)["assignee"] == "reviewer2", "the claim by signal")
    entry = stack.history(held)[-1]
    assert (entry["actor"], entry["actor_kind"]) == ("reviewer2 (unverified)", "operator")
    stack.must(held, "resolve", {"resolution": "block"}, "reviewer2")


def test_a_signal_without_any_input_claims_for_the_operator(stack: Stack, held: str) -> None:
    temporal(stack, "workflow", "signal", "--workflow-id", held, "--name", "claim")
    wait_for(lambda: stack.escalation(held)["assignee"] == "operator", "the claim by signal")


def test_an_unsigned_signal_can_block_but_never_allow(stack: Stack, held: str) -> None:
    for name, message in (("claim", '"ops"'), ("resolve", '{"actor": "ops", "resolution": "allow"}')):
        temporal(stack, "workflow", "signal", "--workflow-id", held, "--name", name, "--input", message)
    wait_for(lambda: "refused" in stack.events(held), "the refusal")
    refused = stack.history(held)[-1]
    assert (refused["data"]["operation"], refused["data"]["code"]) == ("resolve", "not_allowed")
    assert stack.escalation(held)["status"] == "claimed"
    blocking = '{"actor": "ops", "resolution": "block"}'
    temporal(stack, "workflow", "signal", "--workflow-id", held, "--name", "resolve", "--input", blocking)
    wait_for(lambda: stack.escalation(held)["resolution"] == "block", "the block by signal")


def test_where_the_setting_forbids_it_an_unsigned_signal_does_nothing(stack: Stack) -> None:
    with stack.settings(unverified_signals=False):
        held = stack.create()["escalation_id"]
    temporal(stack, "workflow", "signal", "--workflow-id", held, "--name", "claim", "--input", '"ops"')
    wait_for(lambda: "refused" in stack.events(held), "the refusal")
    assert stack.escalation(held)["status"] == "open"


def test_a_nonsensical_signal_is_recorded_and_harms_nothing(stack: Stack, held: str) -> None:
    for name, message in (
        ("resolve", '{"resolution": "maybe"}'),
        ("claim", '{"signature": "x"}'),
        ("extend", "[1, 2]"),
    ):
        temporal(stack, "workflow", "signal", "--workflow-id", held, "--name", name, "--input", message)
    wait_for(lambda: stack.events(held).count("refused") == 3, "three refusals")
    stack.decide(held, "allow")


async def test_a_signed_signal_is_the_person_whom_the_api_authenticated(stack: Stack, held: str) -> None:
    client = await connect_to(stack)
    await client.get_workflow_handle(held).signal("claim", instruction(stack, held))
    await asyncio.to_thread(wait_for, lambda: stack.escalation(held)["assignee"] == "ana", "the claim")
    assert stack.history(held)[-1]["actor_kind"] == "user"


async def test_an_update_must_be_signed_by_the_api_for_this_case_and_not_long_ago(stack: Stack, held: str) -> None:
    client = await connect_to(stack)
    handle = client.get_workflow_handle(held)
    other = stack.create()["escalation_id"]
    good = instruction(stack, held)
    forged = [
        replace(good, signature=""),
        replace(good, command=Claim(Actor("mallory", roles=(Role.ADMIN,)))),
        instruction(stack, other),
        instruction(stack, held, expires_at=datetime.now(UTC) - timedelta(seconds=1)),
    ]
    for bad in forged:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update("claim", bad, result_type=Outcome)
        assert isinstance(refused.value.cause, ApplicationError)
        assert refused.value.cause.type == "not_allowed"
    done: Outcome = await handle.execute_update("claim", good, result_type=Outcome)
    assert done.view.assignee == "ana"


@pytest.mark.parametrize("message", ['{"actor": "ops"}', '"ops"', "[1]", "{}"])
def test_a_bare_update_is_refused_and_freezes_nothing(stack: Stack, held: str, message: str) -> None:
    done = temporal(
        stack, "workflow", "update", "execute", "--workflow-id", held, "--name", "claim", "--input", message
    )
    assert done.returncode != 0
    stack.decide(held, "allow")


async def test_an_instruction_signed_for_one_operation_is_refused_for_another(stack: Stack, held: str) -> None:
    client = await connect_to(stack)
    with pytest.raises(WorkflowUpdateFailedError):
        await client.get_workflow_handle(held).execute_update("withdraw", instruction(stack, held), result_type=Outcome)


async def test_refused_updates_leave_no_trace_and_cannot_freeze_a_case(stack: Stack) -> None:
    """2,500 losing claims: more than the server lets one workflow accept in all."""
    held = stack.create()["escalation_id"]
    stack.must(held, "claim")
    client = await connect_to(stack)
    handle = client.get_workflow_handle(held)
    turn = asyncio.Semaphore(8)

    async def lose(number: int) -> str:
        async with turn:
            losing = instruction(stack, held, id=f"l{number}")
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await handle.execute_update("claim", losing, id=losing.id, result_type=Outcome)
        return str(getattr(refused.value.cause, "type", None))

    assert set(await asyncio.gather(*(lose(n) for n in range(2500)))) == {"already_claimed"}
    done = await asyncio.to_thread(stack.must, held, "resolve", {"resolution": "allow"})
    assert done["status"] == "resolved"
    history = await handle.fetch_history()
    assert len(history.events) < 100


async def test_the_queries_and_the_ui_tell_operators_what_is_going_on(stack: Stack, held: str) -> None:
    stack.must(held, "claim")
    client = await connect_to(stack)
    handle = client.get_workflow_handle(held)
    state = await handle.query("state", result_type=View)
    assert (state.escalation_id, state.assignee) == (held, "reviewer")
    happened = await handle.query("history", result_type=list[Event])
    assert [event.type.value for event in happened] == ["opened", "claimed"]
    description = await handle.describe()
    assert await description.static_summary() == "high · legal_opinions · team:legal"
    found = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    assert (found["EscalationStatus"], found["EscalationAssignee"], found["EscalationTeam"]) == (
        "claimed",
        "reviewer",
        "legal",
    )
    assert found["EscalationBreached"] is False


async def test_cancelling_the_workflow_withdraws_the_case(stack: Stack, held: str) -> None:
    client = await connect_to(stack)
    await client.get_workflow_handle(held).cancel()
    await asyncio.to_thread(wait_for, lambda: stack.escalation(held)["end"] == "withdrawn", "the withdrawal")


async def test_the_workflow_ends_when_everybody_was_told(stack: Stack, held: str) -> None:
    stack.decide(held, "block")
    client = await connect_to(stack)
    ended = await client.get_workflow_handle(held).result()
    assert ended == {"end": "resolved", "resolution": "block", "reviewer": "reviewer"}


async def test_what_temporal_stores_is_ciphertext(stack: Stack, held: str) -> None:
    client = await connect_to(stack)
    history = await client.get_workflow_handle(held).fetch_history()
    text = json.dumps(history.to_json_dict())
    assert "legal_opinions" not in text
    assert "oversight" not in text.replace("EscalationPolicy", "").replace("human-oversight", "")
