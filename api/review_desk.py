"""Where a reviewer's word on a second review becomes a signed update of its workflow, answered when it is durable."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, TemporalError
from temporalio.service import RPCError, RPCStatusCode

from api.desk import INSTRUCTION_LIFE, UPDATE_TIMEOUT_S
from api.problems import unknown_outcome
from api.services import Services
from escalations.errors import EscalationError, KeyReused
from escalations.second_review import SecondReview, check_may_take
from store.contents import text_field
from store.second_reviews import find_review
from store.tokens import Principal
from workflows.messages import AnyCommand, Instruction, bytes_to_sign
from workflows.refusals import from_application_error
from workflows.review_messages import ReviewOutcome

Make = Callable[[str | None], AnyCommand]
"""Makes the command of the keyed digest of the note."""


async def carry_out(
    using: Services,
    caller: Principal,
    review: SecondReview,
    make: Make,
    *,
    payload: bytes = b"",
    note: str | None = None,
    key: str | None = None,
) -> SecondReview:
    """Raises EscalationError when refused, Problem when the outcome is unknown, StoreUnavailable, VaultError."""
    review_id, escalation_id = review.opening.review_id, review.opening.escalation_id
    async with using.database.read() as connection:
        sealing = await using.contents.key(connection, caller.tenant, escalation_id)
    digest = None
    if note:
        digest = sealing.digest(note.encode())
        text = {text_field(digest): note.encode()}
        async with using.database.write() as connection:
            await using.contents.put(connection, caller.tenant, escalation_id, sealing, text, datetime.now(UTC))
    command = make(digest)
    parts = (caller.tenant, caller.login, command.operation, review_id, key or secrets.token_hex(16))
    unsigned = Instruction(
        id=hashlib.sha256("\0".join(parts).encode()).hexdigest(),
        escalation_id=review_id,
        command=command,
        payload_digest=sealing.digest(payload),
        expires_at=datetime.now(UTC) + INSTRUCTION_LIFE,
        key_id=using.signer.key_id,
    )
    signed = replace(unsigned, signature=using.signer.sign(bytes_to_sign(unsigned)))
    outcome = await _send(using, caller, review, signed)
    if outcome.payload_digest != unsigned.payload_digest:
        raise KeyReused("this Idempotency-Key was used for another request; use a new key", field="Idempotency-Key")
    return outcome.review


async def _send(using: Services, caller: Principal, review: SecondReview, instruction: Instruction) -> ReviewOutcome:
    handle = using.temporal.get_workflow_handle(instruction.escalation_id)
    try:
        async with asyncio.timeout(UPDATE_TIMEOUT_S):
            outcome: ReviewOutcome = await handle.execute_update(
                instruction.command.operation,
                instruction,
                id=instruction.id,
                result_type=ReviewOutcome,
                rpc_timeout=timedelta(seconds=UPDATE_TIMEOUT_S),
            )
            return outcome
    except WorkflowUpdateFailedError as failure:
        refusal: EscalationError | None = None
        if isinstance(failure.cause, ApplicationError):
            refusal = from_application_error(failure.cause)
        raise refusal or unknown_outcome() from None
    except RPCError as fault:
        if fault.status is RPCStatusCode.NOT_FOUND:
            async with using.database.read() as connection:
                ended = await find_review(connection, caller.tenant, review.opening.review_id)
            check_may_take(ended or review, caller.actor)
        raise unknown_outcome() from None
    except (TimeoutError, TemporalError, OSError):
        raise unknown_outcome() from None
