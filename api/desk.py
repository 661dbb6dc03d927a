"""Where reviewers' commands become Temporal updates, and their outcomes durable before anybody is answered.

    1. the case, as far as the caller may see it (404 otherwise); an obvious refusal needs no round trip
    2. texts (notes, comments) go into the vault; the command carries their digests
    3. the command is signed and sent as an update: exactly one winner, everybody else is told why
    4. ledger, projection and release are written; only then the caller hears of success

A timeout at 3 is an unknown outcome, never a failure: the same key gets the same answer later.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError, TemporalError
from temporalio.service import RPCError, RPCStatusCode

from api.authentication import scope_of
from api.blinding import note_seen
from api.problems import Problem, unknown_outcome
from api.refusals import RefusalLog
from api.services import Services
from escalations.commands import REVIEWERS, SYSTEM, Actor, ActorKind, Command, Role
from escalations.errors import BY_CODE, EscalationError, KeyReused, NotAllowed, NotFound
from escalations.standing import (
    check_apart,
    check_free,
    check_held,
    check_may_hold,
    check_open,
    check_proposed,
    check_undecided,
    standing_of_view,
)
from escalations.views import View
from store.contents import text_field
from store.escalations import Scope, find_view, find_view_and_key
from store.tokens import Principal
from vault.envelopes import DataKey
from workflows.messages import AnyCommand, Instruction, Outcome, bytes_to_sign
from workflows.refusals import Rehearsed, from_application_error

UPDATE_TIMEOUT_S = 5.0
MOST_IN_FLIGHT = 8
"""Updates of one case at a time; the server itself stops at ten."""
INSTRUCTION_LIFE = timedelta(seconds=60)
_HOLDERS = frozenset({"resolve", "extend", "ask_for_help"})
_HOLDERS_OR_LEADS = frozenset({"unclaim"})


Keep = Callable[[str], str]
"""Keeps a text in the vault, and returns its keyed digest."""
Make = Callable[[Actor, Keep, DataKey, View], Command]


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller asks for. `payload` is the canonical request, `key` its Idempotency-Key.

    `make` builds the command.
    """

    operation: str
    payload: bytes
    key: str | None
    make: Make


class Desk:
    def __init__(self, services: Services) -> None:
        self._services = services
        self.refusals = RefusalLog(services.ledger)
        self._in_flight: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    async def carry_out(self, caller: Principal, escalation_id: str, order: Order) -> View:
        """Raises EscalationError when refused, Problem when the outcome is unknown, StoreUnavailable."""
        actor = caller.actor
        try:
            return await self._carry_out(caller, actor, escalation_id, order)
        except NotFound:
            raise
        except EscalationError as refusal:
            await self.refusals.write(caller.tenant, escalation_id, order.operation, actor, refusal.code)
            raise

    async def carry_out_by_rule(self, tenant: str, escalation_id: str, order: Order) -> View:
        """The same in nobody's name but the system's. A refusal is no attempt of anybody, so it is not recorded."""
        nobody = Principal(tenant, "system", "user", SYSTEM.login, SYSTEM.login, frozenset({Role.ADMIN}), frozenset())
        return await self._carry_out(nobody, SYSTEM, escalation_id, order)

    async def _carry_out(self, caller: Principal, actor: Actor, escalation_id: str, order: Order) -> View:
        turn = self._in_flight.get(escalation_id)
        if turn is None:
            turn = self._in_flight[escalation_id] = asyncio.Semaphore(MOST_IN_FLIGHT)
        async with turn:
            view, key = await self._look(caller, escalation_id)
            _check_role(actor, order.operation)
            if order.key is None:
                refuse_early(view, actor, order.operation)
            instruction = await self._instruct(caller, actor, view, key, order)
            outcome = await self._send(caller, instruction, order.operation)
            if outcome.payload_digest != instruction.payload_digest:
                raise KeyReused(
                    "this Idempotency-Key was used for another request; use a new key", field="Idempotency-Key"
                )
            await self._services.recorder.write_down(outcome.view, outcome.events)
            return outcome.view

    async def _look(self, caller: Principal, escalation_id: str) -> tuple[View, DataKey]:
        async with self._services.database.read() as connection:
            found = await find_view_and_key(connection, scope_of(caller), escalation_id)
        if found is None:
            raise NotFound(f"there is no escalation {escalation_id}, or it belongs to another team")
        view, wrapped = found
        await note_seen(self._services.database, scope_of(caller), view)
        return view, self._services.contents.unwrap(caller.tenant, escalation_id, wrapped)

    async def _instruct(self, caller: Principal, actor: Actor, view: View, key: DataKey, order: Order) -> Instruction:
        """The signed instruction; the texts it refers to are in the vault when this returns."""
        texts: dict[str, bytes] = {}

        def keep(text: str) -> str:
            digest = key.digest(text.encode())
            texts[text_field(digest)] = text.encode()
            return digest

        command: AnyCommand = order.make(actor, keep, key, view)
        if texts:
            async with self._services.database.write() as connection:
                put = self._services.contents.put
                await put(connection, caller.tenant, view.escalation_id, key, texts, datetime.now(UTC))
        unsigned = Instruction(
            id=_update_id(caller, actor, view.escalation_id, order),
            escalation_id=view.escalation_id,
            command=command,
            payload_digest=key.digest(order.payload),
            expires_at=datetime.now(UTC) + INSTRUCTION_LIFE,
            key_id=self._services.signer.key_id,
        )
        return replace(unsigned, signature=self._services.signer.sign(bytes_to_sign(unsigned)))

    async def _send(self, caller: Principal, instruction: Instruction, operation: str) -> Outcome:
        handle = self._services.temporal.get_workflow_handle(instruction.escalation_id)
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT_S):
                outcome: Outcome = await handle.execute_update(
                    operation,
                    instruction,
                    id=instruction.id,
                    result_type=Outcome,
                    rpc_timeout=timedelta(seconds=UPDATE_TIMEOUT_S),
                )
                return outcome
        except WorkflowUpdateFailedError as failure:
            refusal = from_application_error(failure.cause) if isinstance(failure.cause, ApplicationError) else None
            if refusal is None:
                raise unknown_outcome() from None
            raise refusal from None
        except RPCError as fault:
            if fault.status is RPCStatusCode.NOT_FOUND:
                await self._gone(caller, instruction.escalation_id)
            raise unknown_outcome() from None
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError, TemporalError, OSError):
            raise unknown_outcome() from None

    async def _gone(self, caller: Principal, escalation_id: str) -> None:
        """The workflow has ended: the projection says how, once it has caught up."""
        view, _ = await self._look(caller, escalation_id)
        check_open(standing_of_view(view))
        raise Problem(
            503, "outcome_unknown", "this escalation is just ending; look again", headers={"Retry-After": "1"}
        )

    async def may(
        self,
        caller: Principal,
        escalation_id: str,
        operation: str | None,
        also: Callable[[Principal, View], Awaitable[None]],
    ) -> View:
        """The case, when nothing speaks against `operation` on it yet (None: nothing is asked) and `also` agrees.

        Raises EscalationError, which is on the record then like a refused command.
        """
        view = await self.seen_by(scope_of(caller), escalation_id)
        try:
            if operation is not None:
                _check_role(caller.actor, operation)
                refuse_early(view, caller.actor, operation)
            await also(caller, view)
        except EscalationError as refusal:
            tried = operation or "resolve"
            await self.refusals.write(caller.tenant, escalation_id, tried, caller.actor, refusal.code)
            raise
        return view

    async def rehearse(self, caller: Principal, escalation_id: str, order: Order) -> None:
        """Ask the case itself whether it would carry this out now: by the same rules, and nothing is done.

        Raises EscalationError when it would refuse, which is on the record then; Problem when it cannot be asked.
        """
        view, key = await self._look(caller, escalation_id)
        instruction = await self._instruct(caller, caller.actor, view, key, order)
        handle = self._services.temporal.get_workflow_handle(escalation_id)
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT_S):
                rehearsed: Rehearsed = await handle.query("rehearse", instruction, result_type=Rehearsed)
        except (TimeoutError, TemporalError, RPCError, OSError):
            raise unknown_outcome() from None
        refusal = rehearsed.refusal
        if refusal is not None:
            await self.refusals.write(caller.tenant, escalation_id, order.operation, caller.actor, refusal.code)
            raise BY_CODE[refusal.code](refusal.message, **refusal.details)

    async def check_role(self, caller: Principal, view: View, operation: str) -> None:
        """Raises NotAllowed for somebody who may never do this, which is on the record then."""
        try:
            _check_role(caller.actor, operation)
        except NotAllowed as refusal:
            await self.refusals.write(caller.tenant, view.escalation_id, operation, caller.actor, refusal.code)
            raise

    async def seen_by(self, scope: Scope, escalation_id: str) -> View:
        """The case, within a scope. Raises NotFound, or NotIndependent for who has taken its second review."""
        async with self._services.database.read() as connection:
            view = await find_view(connection, scope, escalation_id)
        if view is None:
            raise NotFound(f"there is no escalation {escalation_id}, or it belongs to another team")
        await note_seen(self._services.database, scope, view)
        return view


def _check_role(actor: Actor, operation: str) -> None:
    if actor.kind is ActorKind.SYSTEM:
        return
    if operation != "withdraw" and not REVIEWERS.intersection(actor.roles):
        raise NotAllowed(f"{actor.login} may not {operation.replace('_', ' ')}; a reviewer, senior or admin may")


def refuse_early(view: View, actor: Actor, operation: str) -> None:
    """Refuse from the projection what the workflow would refuse: it is never older than what was acknowledged.

    Not with an Idempotency-Key: there the workflow may know an earlier outcome.
    """
    standing = standing_of_view(view)
    check_open(standing)
    check_apart(standing, actor, operation)
    check_undecided(standing, operation)
    if operation == "claim":
        check_free(standing, actor)
        check_may_hold(standing, actor.login)
    elif operation in ("approve", "object"):
        check_proposed(standing, actor, None)
    elif operation in _HOLDERS:
        check_held(standing, actor)
    elif operation in _HOLDERS_OR_LEADS:
        check_held(standing, actor, leads_too=True)


def _update_id(caller: Principal, actor: Actor, escalation_id: str, order: Order) -> str:
    """Bound to the person and the operation: nobody gets another's answer for having guessed their key."""
    key = order.key or secrets.token_hex(16)
    parts = (caller.tenant, actor.login, order.operation, escalation_id, key)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(desk)]
