"""Server-sent events: what changed, as ids and versions. Never content; who is told reads the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Header
from fastapi.responses import StreamingResponse

from api.authentication import READERS, Using, only, scope_of
from api.services import Services
from store.changes import Change, changes_after
from store.escalations import Scope, find_view
from store.tokens import Principal

router = APIRouter(prefix="/v1/stream", tags=["stream"])

KEEPALIVE_S = 15.0


@router.get("", summary="Live changes of escalations", response_class=StreamingResponse)
async def stream(
    caller: Annotated[Principal, Depends(only(*READERS))],
    using: Using,
    last_event_id: Annotated[int | None, Header(alias="Last-Event-ID")] = None,
) -> StreamingResponse:
    """`event: escalation` with {escalation_id, version, status, sla_state, team}; `Last-Event-ID` replays."""
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    body = _changes(using, scope_of(caller), last_event_id)
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def _changes(using: Services, scope: Scope, last: int | None) -> AsyncIterator[bytes]:
    async with aclosing(using.feed.listen()) as live:
        yield b": live\n\n"
        told = last or 0
        missed = [] if last is None else await _missed(using, told)
        while missed:
            for change in missed:
                told = max(told, change.number)
                if line := await _line(using, scope, change):
                    yield line
            missed = await _missed(using, told)
        following = asyncio.ensure_future(anext(live))
        try:
            while True:
                done, _ = await asyncio.wait([following], timeout=KEEPALIVE_S)
                if not done:
                    yield b": keep-alive\n\n"
                    continue
                change = following.result()
                following = asyncio.ensure_future(anext(live))
                if change.number > told and (line := await _line(using, scope, change)):
                    yield line
        finally:
            following.cancel()


async def _missed(using: Services, told: int) -> list[Change]:
    """The next changes behind a number; none once all are told."""
    async with using.database.read() as connection:
        return await changes_after(connection, told)


async def _line(using: Services, scope: Scope, change: Change) -> bytes | None:
    """The event for one change, None when it is not about a case that this scope sees."""
    if change.kind != "escalation":
        return None
    async with using.database.read() as connection:
        view = await find_view(connection, scope, change.ref)
    if view is None:
        return None
    data = {
        "escalation_id": view.escalation_id,
        "version": view.version,
        "status": view.status.value,
        "sla_state": view.sla_state.value,
        "team": view.team,
    }
    return f"id: {change.number}\nevent: escalation\ndata: {orjson.dumps(data).decode()}\n\n".encode()
