"""The key of an application has no part in the review of what it asked for, and each attempt is on the record.

It sees no case, so that of another is simply not there. Of its own it knows the id.
"""

from __future__ import annotations

from fastapi import Request

from api.authentication import Caller, Using
from api.desk import AtDesk
from escalations.commands import Role
from escalations.errors import ConflictOfInterest
from store.holds import find_hold

_ITS_OWN = frozenset({"withdraw", "comment"})
_OPERATIONS = {
    "escalate": "escalate_further",
    "wait": "wait_on_requester",
    "severity": "set_severity",
    "help": "ask_for_help",
    "heartbeat": "extend",
}
"""What an operation is called on the record, where that is another word than in its path."""


async def check_application(request: Request, caller: Caller, using: Using, at: AtDesk) -> None:
    """Raises ConflictOfInterest for an application that would act on a case of its own as a reviewer does."""
    verb, held = request.url.path.rpartition("/")[2], request.path_params.get("escalation_id")
    if not caller.has(Role.GATEWAY) or held is None or verb in _ITS_OWN:
        return
    async with using.database.read() as connection:
        own = await find_hold(connection, caller.tenant, caller.login, escalation_id=held)
    if own is None:
        return
    operation = _OPERATIONS.get(verb, verb)
    refusal = ConflictOfInterest(
        f"{caller.login} made the request that this escalation is about, so somebody has to review it who is no"
        " application",
        operation=operation,
    )
    await at.refusals.write(caller.tenant, held, operation, caller.actor, refusal.code)
    raise refusal
