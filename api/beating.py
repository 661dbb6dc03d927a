"""Heartbeats over HTTP: a page or a session that has a case open keeps the claim of whoever holds it.

Most beats are answered from the projection and leave no trace: the case is only asked, and the ledger only written,
when the claim is renewed, which is once in each third of a lease at most.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Depends

from api.applications import check_application
from api.authentication import Caller, Using, scope_of
from api.desk import AtDesk, Order
from api.schemas import Heartbeat
from escalations.beating import next_beat, renewed_until
from escalations.commands import Extend
from escalations.views import View
from store.first_views import note_view
from store.tokens import Principal

router = APIRouter(prefix="/v1/escalations", tags=["escalations"], dependencies=[Depends(check_application)])


@router.post("/{escalation_id}/heartbeat", response_model=Heartbeat, summary="Its holder has it open")
async def heartbeat(caller: Caller, using: Using, at: AtDesk, escalation_id: str) -> Heartbeat:
    """Keeps the claim, for four leases at most since it was made; then `extend` it, or comment. Refused, as `extend`,
    for everybody but the holder. `again_in_seconds` says when to send the next one, null that none is needed."""
    view = await at.seen_by(scope_of(caller), escalation_id)
    if not _changes_nothing(caller, view):
        # No key: an answer that renewed nothing must not be the answer of the next beat too.
        order = Order("extend", b"beat", None, lambda actor, *_: Extend(actor, beat=True))
        view = await at.carry_out(caller, escalation_id, order)
    await note_view(using.database, view, caller, datetime.now(UTC))
    over = view.end is not None or view.lease is None or view.lease_until is None
    again = None if over or view.lease is None else next_beat(view.lease).total_seconds()
    return Heartbeat(escalation_id=escalation_id, lease_until=view.lease_until, again_in_seconds=again)


def _holds(caller: Principal, view: View) -> bool:
    return view.end is None and view.claimed_at is not None and view.assignee == caller.login


def _changes_nothing(caller: Principal, view: View) -> bool:
    if view.end is not None and view.assignee == caller.login:
        return True  # a page that its holder has left open asks for nothing that had to be refused
    if not _holds(caller, view):
        return False
    if view.lease is None or view.lease_until is None or view.claimed_at is None or view.pending is not None:
        return True
    return renewed_until(view.claimed_at, view.lease_until, view.lease, datetime.now(UTC)) is None
