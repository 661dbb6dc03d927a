"""Events over HTTP: every governed request with its verdict, as a tail or one by one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.authentication import READERS, Using, only
from api.services import Services
from escalations.commands import Role
from escalations.durations import parse_duration
from escalations.errors import Invalid, NotFound
from store.events import EventFilter, GovernedEvent, event_row, find_event, list_events
from store.tokens import Principal

router = APIRouter(prefix="/v1/events", tags=["events"])

APPEARS_WITHIN_S = 1.0
_LOOK_EVERY_S = 0.05
VERDICTS = ("passed", "redacted", "blocked", "escalated", "failed")
Readers = Annotated[Principal, Depends(only(*READERS))]


@router.get("", summary="Governed requests, oldest first")
async def tail_events(
    caller: Readers,
    using: Using,
    since: Annotated[str | None, Query(description="a duration (24h) or an instant (RFC 3339)")] = None,
    until: Annotated[str | None, Query(description="a duration or an instant")] = None,
    verdict: Annotated[list[str] | None, Query(description=", ".join(VERDICTS))] = None,
    team: str | None = None,
    policy: str | None = None,
    reason_code: str | None = None,
    config_version: str | None = None,
    consumer: str | None = None,
    after: Annotated[int | None, Query(description="only events behind this cursor")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    words = tuple(word for item in verdict or () for word in item.split(",") if word)
    for word in words:
        if word not in VERDICTS:
            raise Invalid(f"verdict: {word!r} is not one of {', '.join(VERDICTS)}", field="verdict")
    wanted = EventFilter(
        since=_instant("since", since),
        until=_instant("until", until),
        verdict=words,
        team=team,
        policy=policy,
        reason_code=reason_code,
        config_version=config_version,
        consumer=consumer,
        after=after,
        limit=limit,
        # Whoever reviews is shown them like any other; whoever counts does not count them.
        golden=not caller.has(Role.ADMIN, Role.AUDITOR),
    )
    async with using.database.read() as connection:
        found = await list_events(connection, caller.tenant, wanted)
    shown = [event_row(event) for _, event in found if _sees(caller, event)]
    return {"events": shown, "next_cursor": found[-1][0] if found else after}


@router.get("/{event_id}", summary="One governed request")
async def get_event(caller: Readers, using: Using, event_id: str) -> dict[str, Any]:
    return event_row(await find_seen(using, caller, event_id))


async def find_seen(using: Services, caller: Principal, event_id: str) -> GovernedEvent:
    """Raises NotFound for an event that is not there, or not for these eyes."""
    event = await _appearing(using, caller.tenant, event_id)
    if event is None or not _sees(caller, event):
        raise NotFound(f"there is no event {event_id}, or it belongs to another team")
    return event


async def _appearing(using: Services, tenant: str, event_id: str) -> GovernedEvent | None:
    """The event; one whose answer has just left may still be on its way from the ledger (see store/outbox.py)."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + APPEARS_WITHIN_S
    while True:
        async with using.database.read() as connection:
            event = await find_event(connection, tenant, event_id)
        if event is not None or clock.time() >= deadline:
            return event
        await asyncio.sleep(_LOOK_EVERY_S)


def _sees(caller: Principal, event: GovernedEvent) -> bool:
    """Events name no content. A reviewer sees those of consumers without a team, and of teams that are theirs."""
    return caller.has(Role.ADMIN, Role.AUDITOR) or event.team is None or event.team in caller.teams


def _instant(field: str, value: str | None) -> datetime | None:
    """An instant, or so long ago. Raises Invalid."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        try:
            return datetime.now(UTC) - parse_duration(value)
        except ValueError as fault:
            raise Invalid(f"{field}: {fault}", field=field) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
