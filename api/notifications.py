"""Notifications over HTTP: the delivery log, what was given up, sending it once more, and trying a channel out."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import TypeAdapter
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError

from activities.telling import start_telling
from api.authentication import READERS, Using, only, scope_of
from api.desk import AtDesk
from api.problems import Problem, unknown_outcome
from api.records import note_change
from api.schemas import ChannelTestBody, ReplayBody
from api.services import Services
from escalations.commands import Role
from escalations.errors import NotFound
from store.attempts import (
    MOST_PER_PAGE,
    Attempt,
    AttemptOutcome,
    find_dead_letter,
    list_attempts,
    mark_replayed,
)
from store.tokens import Principal
from workflows.messages import NOTIFICATIONS_QUEUE, TASK_TIMEOUT, ChannelTest, Notification, Tested
from workflows.notifying import ChannelTestWorkflow

router = APIRouter(prefix="/v1/notifications", tags=["notifications"])

Readers = Annotated[Principal, Depends(only(*READERS))]
Admin = Annotated[Principal, Depends(only(Role.ADMIN))]
TEMPORAL_TIMEOUT_S = 5.0
TEST_TIMEOUT_S = 28.0
_notification = TypeAdapter(Notification)


@router.get("", summary="What became of every attempt to tell somebody, newest first")
async def log(
    caller: Readers,
    using: Using,
    at: AtDesk,
    escalation_id: str | None = None,
    channel: str | None = None,
    outcome: AttemptOutcome | None = None,
    waiting: Annotated[bool, Query(description="only what was given up and not sent once more")] = False,
    before: Annotated[int | None, Query(description="the number of the last row of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = 100,
) -> dict[str, Any]:
    """Admins and auditors see all of it; everybody else what belongs to a case that they may see."""
    if escalation_id is not None:
        await at.seen_by(scope_of(caller), escalation_id)
    elif not caller.has(Role.ADMIN, Role.AUDITOR):
        told = "name an escalation with escalation_id; only admins and auditors see the whole log"
        raise Problem(403, "not_allowed", told, field="escalation_id")
    async with using.database.read() as connection:
        found = await list_attempts(
            connection,
            caller.tenant,
            escalation_id=escalation_id,
            channel=channel,
            outcome=outcome,
            waiting=waiting,
            before=before,
            limit=limit,
        )
    return {"notifications": [_shown(attempt) for attempt in found], "next": found[-1].number if found else None}


@router.post("/replay", summary="Send once more what was given up")
async def replay_all(caller: Admin, using: Using, body: ReplayBody) -> dict[str, Any]:
    """The oldest 500 at most, of one escalation or channel where it is named."""
    async with using.database.read() as connection:
        letters = await list_attempts(
            connection,
            caller.tenant,
            escalation_id=body.escalation_id,
            channel=body.channel,
            waiting=True,
            oldest=True,
            limit=MOST_PER_PAGE,
        )
    for letter in letters:
        await _replay(using, caller, letter)
    return {"replayed": [letter.number for letter in letters]}


@router.post("/{number}/replay", summary="Send one dead letter once more, under the id that it had")
async def replay(caller: Admin, using: Using, number: int) -> dict[str, Any]:
    async with using.database.read() as connection:
        letter = await find_dead_letter(connection, caller.tenant, number)
    if letter is None:
        raise NotFound(f"row {number} of the delivery log is not one that was given up")
    await _replay(using, caller, letter)
    return {"replayed": [number]}


@router.post("/test", summary="Send a test message on a channel, and wait for what becomes of it")
async def test(caller: Admin, using: Using, body: ChannelTestBody) -> dict[str, Any]:
    await note_change(using, caller, "notification.tested", channel=body.channel)
    try:
        async with asyncio.timeout(TEST_TIMEOUT_S):
            found: Tested = await using.temporal.execute_workflow(
                ChannelTestWorkflow.run,
                ChannelTest(caller.tenant, body.channel, caller.login),
                id=f"test-{secrets.token_hex(16)}",
                task_queue=NOTIFICATIONS_QUEUE,
                task_timeout=TASK_TIMEOUT,
            )
    except (TimeoutError, WorkflowFailureError, RPCError, TemporalError, OSError):
        told = "no worker answered in time; see that `kt worker run` is running"
        raise Problem(503, "unavailable", told, headers={"Retry-After": "5"}) from None
    return {"channel": body.channel, "sent": found.sent, "problem": found.problem}


async def _replay(using: Services, caller: Principal, letter: Attempt) -> None:
    """Nothing twice: the row's number makes the workflow's id, so a repetition finds it started."""
    if letter.body is None or letter.replayed_at is not None:
        return
    await note_change(using, caller, "notification.replayed", number=letter.number, channel=letter.channel)
    try:
        async with asyncio.timeout(TEMPORAL_TIMEOUT_S):
            again = replace(_notification.validate_json(letter.body), replayed=True)
            await start_telling(using.temporal, again, str(letter.number))
    except (TimeoutError, RPCError, OSError):
        raise unknown_outcome() from None
    async with using.database.write() as connection:
        await mark_replayed(connection, caller.tenant, letter.number, datetime.now(UTC))


def _shown(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": attempt.at,
        "notification_id": attempt.notification_id,
        "escalation_id": attempt.escalation_id,
        "event": attempt.event,
        "channel": attempt.channel,
        "attempt": attempt.attempt,
        "outcome": attempt.outcome.value,
        "problem": attempt.problem,
        "next_channel": attempt.next_channel,
        "took_ms": attempt.took_ms,
        "replayed_at": attempt.replayed_at,
    }
