"""Personal data that was masked, told again: to the roles that the settings name, for a reason, and on the record.

The reason is kept in the vault; the ledger has who looked, at what, when, and the reason's keyed digest, before
anything is shown.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from pydantic import Field

from api.authentication import READERS, Using, only, scope_of
from api.desk import AtDesk, Desk
from api.events import find_seen
from api.masking import hidden_in, label_of, values
from api.records import note_reveal
from api.schemas import Body
from api.services import Services
from escalations.errors import NotAllowed
from store.contents import ANSWER, FINDING, REQUEST, TOKENS, text_field
from store.settings import current_settings
from store.tokens import Principal
from vault.envelopes import VaultError

router = APIRouter(prefix="/v1", tags=["escalations"])

Readers = Annotated[Principal, Depends(only(*READERS))]


class RevealBody(Body):
    """`reason`: why it has to be seen."""

    reason: Annotated[str, Field(min_length=3, max_length=2000)]


@router.post("/escalations/{escalation_id}/reveal", summary="What is masked in a case, for who has the right")
async def reveal(caller: Readers, using: Using, at: AtDesk, escalation_id: str, body: RevealBody) -> dict[str, Any]:
    """`values` has each stretch with its place, what is shown there and what it is."""
    view = await at.seen_by(scope_of(caller), escalation_id)
    await _check_right(using, caller, at, escalation_id)
    async with using.database.read() as connection:
        found = await using.contents.read(connection, caller.tenant, escalation_id, REQUEST, ANSWER, FINDING, TOKENS)
    finding, tokens = orjson.loads(found.get(FINDING, b"{}")), orjson.loads(found.get(TOKENS, b"{}"))
    told = [
        value
        for name, document in (("request", found.get(REQUEST)), ("answer", found.get(ANSWER)))
        for value in values(orjson.loads(document or b"null"), name, hidden_in(finding, name), tokens)
    ]
    await _note(using, caller, escalation_id, view.event_id, body.reason, told)
    return {"escalation_id": escalation_id, "event_id": view.event_id, "values": told}


@router.post("/events/{event_id}/reveal", summary="What the tokens of a governed request stand for")
async def reveal_event(caller: Readers, using: Using, at: AtDesk, event_id: str, body: RevealBody) -> dict[str, Any]:
    event = await find_seen(using, caller, event_id)
    if event.escalation_id is not None:
        return await reveal(caller, using, at, event.escalation_id, body)
    await _check_right(using, caller, at, event_id)
    try:
        async with using.database.read() as connection:
            found = await using.contents.read(connection, caller.tenant, event_id, TOKENS)
    except VaultError:
        # No key: there was nothing to keep, or it was erased.
        return {"escalation_id": None, "event_id": event_id, "values": []}
    told = [
        {"label": label_of(token), "shown": token, "value": value}
        for token, value in orjson.loads(found.get(TOKENS, b"{}")).items()
    ]
    await _note(using, caller, event_id, event_id, body.reason, told)
    return {"escalation_id": None, "event_id": event_id, "values": told}


async def _check_right(using: Services, caller: Principal, at: Desk, subject: str) -> None:
    """Raises NotAllowed, with the attempt on the record."""
    async with using.database.read() as connection:
        settings = (await current_settings(connection, caller.tenant)).settings
    allowed = settings.privacy.may_reveal
    if not caller.has(*allowed):
        await at.refusals.write(caller.tenant, subject, "reveal", caller.actor, NotAllowed.code)
        words = ", ".join(role.value for role in allowed) or "nobody"
        raise NotAllowed(f"{caller.login} may not see what is masked; privacy.may_reveal names {words}")


async def _note(
    using: Services, caller: Principal, subject: str, event_id: str, reason: str, told: list[dict[str, Any]]
) -> None:
    """Raises StoreUnavailable; then nothing may be shown."""
    async with using.database.read() as connection:
        key = await using.contents.key(connection, caller.tenant, subject)
    digest = key.digest(reason.encode())
    async with using.database.write() as connection:
        fields = {text_field(digest): reason.encode()}
        await using.contents.put(connection, caller.tenant, subject, key, fields, datetime.now(UTC))
    labels = sorted({str(one["label"]) for one in told})
    escalation_id = subject if subject != event_id else None
    await note_reveal(
        using, caller, escalation_id, event=event_id, reason_digest=digest, count=len(told), labels=labels
    )
