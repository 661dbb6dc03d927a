"""Answers that were asked for in the background: where each of them stands. Its text is in the vault, by its id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import insert_into
from store.schema import background_responses


class ResponseState(StrEnum):
    """`working` until the model has answered; then `done`, or `held` for a person, `failed`, or `cancelled`."""

    WORKING = "working"
    DONE = "done"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class BackgroundResponse:
    """`problem` is the code of the error that it failed with."""

    response_id: str
    consumer: str
    model: str
    state: ResponseState
    created_at: datetime
    escalation_id: str | None = None
    problem: str | None = None


async def add_response(
    connection: AsyncConnection, tenant: str, response: BackgroundResponse, abandoned_before: datetime
) -> bool:
    """False where there is one of that id already; it is left as it is, unless it failed or was abandoned."""
    columns = background_responses.c
    over = (columns.state == ResponseState.FAILED.value) | (
        (columns.state == ResponseState.WORKING.value) & (columns.created_at < abandoned_before)
    )
    row = {
        "tenant": tenant,
        "response_id": response.response_id,
        "consumer": response.consumer,
        "model": response.model,
        "state": response.state.value,
        "created_at": response.created_at,
        "escalation_id": response.escalation_id,
        "problem": response.problem,
    }
    again = {name: row[name] for name in ("state", "created_at", "escalation_id", "problem")}
    statement = (
        insert_into(connection, background_responses)
        .values(row)
        .on_conflict_do_update(index_elements=["tenant", "response_id"], set_=again, where=over)
    )
    return bool((await connection.execute(statement)).rowcount)


async def find_response(
    connection: AsyncConnection, tenant: str, consumer: str, response_id: str
) -> BackgroundResponse | None:
    """This consumer's own; None for everybody else's."""
    query = select(background_responses).where(
        background_responses.c.tenant == tenant,
        background_responses.c.consumer == consumer,
        background_responses.c.response_id == response_id,
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    state = ResponseState(row.state)
    return BackgroundResponse(
        row.response_id, row.consumer, row.model, state, row.created_at, row.escalation_id, row.problem
    )


async def finish_response(
    connection: AsyncConnection,
    tenant: str,
    response_id: str,
    state: ResponseState,
    *,
    escalation_id: str | None = None,
    problem: str | None = None,
) -> bool:
    """False where it was cancelled meanwhile; it is left as it is."""
    query = (
        update(background_responses)
        .where(
            background_responses.c.tenant == tenant,
            background_responses.c.response_id == response_id,
            background_responses.c.state == ResponseState.WORKING.value,
        )
        .values(state=state.value, escalation_id=escalation_id, problem=problem)
    )
    return bool((await connection.execute(query)).rowcount)
