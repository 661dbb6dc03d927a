"""Contesting a block, once: the consumer's own word, or that of the person behind it.

An appeal is a case of its own about the very same answer, linked to the first; a senior decides it, and none of those
who decided before.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import orjson
from fastapi import APIRouter
from pydantic import Field

from activities.opening import Proposal, new_id
from api.authentication import Caller, Using
from api.presentation import present
from api.queue import appears
from api.records import note_act
from api.schemas import Body, Escalation
from api.services import Services
from escalations.case import Appeal
from escalations.commands import Role
from escalations.decisions import Resolution
from escalations.errors import AlreadyAppealed, NotAllowed, NotAppealable, NotFound
from escalations.standing import is_requester, standing_of_view
from escalations.views import View
from store.appeals import register_appeal, replace_appeal
from store.contents import ANSWER, FINDING, REQUEST, TOKENS
from store.escalations import Scope, find_view
from store.events import GovernedEvent
from store.golden import is_golden
from store.holds import HeldRequest, HoldState, find_hold
from store.tokens import Principal

router = APIRouter(prefix="/v1/escalations", tags=["escalations"])


class AppealBody(Body):
    reason: Annotated[str, Field(min_length=1, max_length=10_000, examples=["It quotes a published ruling."])]


@router.post("/{escalation_id}/appeal", response_model=Escalation, status_code=201, summary="Contest a block, once")
async def appeal(caller: Caller, using: Using, escalation_id: str, body: AppealBody) -> Escalation:
    scope = Scope(caller.tenant)
    async with using.database.read() as connection:
        view = await find_view(connection, scope, escalation_id)
        own = await find_hold(connection, caller.tenant, caller.login, escalation_id=escalation_id) is not None
        golden = await is_golden(connection, caller.tenant, escalation_id)
    if view is None or (caller.has(Role.GATEWAY) and not own):
        raise NotFound(f"there is no escalation {escalation_id} of this consumer")
    if not caller.has(Role.GATEWAY) and not is_requester(standing_of_view(view), caller.login):
        raise NotAllowed("only the consumer whose answer was blocked, or the person behind it, may contest that")
    if golden:
        raise NotAppealable("nobody asked for this answer, so nobody can contest it", state=view.status.value)
    decided_by = _decided_by(view)
    appeal_id, held = await _registered(using, caller, view)
    if held is not None and held.state is HoldState.OPENING:
        await using.opener.open_again(caller.tenant, held)
        return present(await appears(using, scope, appeal_id), using)
    if held is None:
        await note_act(using, caller, "escalation.appealed", escalation_id, appeal=appeal_id)
        opened = await using.opener.open(await _proposal(using, caller, view, appeal_id, decided_by, body.reason))
        if not opened.merged:
            return present(await appears(using, scope, appeal_id), using)
    raise AlreadyAppealed(f"{escalation_id} was contested already, as {appeal_id}", appeal=appeal_id)


async def _registered(using: Services, caller: Principal, view: View) -> tuple[str, HeldRequest | None]:
    """The id of the appeal, and its hold where there is one. One that never came to be makes room."""
    tenant, escalation_id, wanted = caller.tenant, view.escalation_id, new_id("esc")
    async with using.database.write() as connection:
        appeal_id = await register_appeal(connection, tenant, escalation_id, wanted, datetime.now(UTC))
        held = await find_hold(connection, tenant, view.consumer, escalation_id=appeal_id)
        if held is not None and held.state is HoldState.WITHDRAWN:
            appeal_id = await replace_appeal(connection, tenant, escalation_id, appeal_id, wanted)
            held = await find_hold(connection, tenant, view.consumer, escalation_id=appeal_id)
    return appeal_id, held


def _decided_by(view: View) -> tuple[str, ...]:
    """The people whose block it was. Raises NotAppealable."""
    if view.appeal is not None:
        raise NotAppealable("this is an appeal itself; what it decides is final", contests=view.appeal.escalation_id)
    if view.precedent is not None:
        told = f"this was blocked as {view.precedent} was; contest that one"
        raise NotAppealable(told, precedent=view.precedent)
    if view.resolution != Resolution.BLOCK or view.reviewer is None:
        raise NotAppealable("only what a reviewer has blocked can be contested", state=view.status.value)
    return (view.reviewer, *view.approved_by)


async def _proposal(
    using: Services, caller: Principal, view: View, appeal_id: str, decided_by: tuple[str, ...], reason: str
) -> Proposal:
    """The very same answer, asked about again, with why."""
    async with using.database.read() as connection:
        fields = (REQUEST, ANSWER, FINDING, TOKENS)
        found = await using.contents.read(connection, caller.tenant, view.escalation_id, *fields)
    contested = {"escalation_id": view.escalation_id, "reason": reason}
    event = GovernedEvent(
        event_id=new_id("evt"),
        at=datetime.now(UTC),
        verdict="escalated",
        request_id=new_id("req"),
        consumer=view.consumer,
        gateway=view.gateway or "api",
        config_version=view.config_version,
        config_digest=view.config_digest,
        policy_rule=view.policy_rule,
        reason_code=view.reason_code,
        severity=view.severity.value,
        escalation_id=appeal_id,
        team=view.consumer_team,
        consumer_group=view.consumer_group,
        provider=view.provider,
        target=view.target,
        model=view.model,
        body={"appeal_of": view.escalation_id},
        tenant=caller.tenant,
    )
    return Proposal(
        event=event,
        request=found[REQUEST],
        answer=found[ANSWER],
        finding=orjson.dumps({**orjson.loads(found.get(FINDING, b"{}")), "appeal": contested}),
        severity=view.severity,
        score=view.score,
        requester=view.requester,
        tokens=found.get(TOKENS),
        appeal=Appeal(view.escalation_id, decided_by),
        # Two who contest at once meet at this hold, and one of them is told so.
        idempotency_key=f"appeal:{appeal_id}",
    )
