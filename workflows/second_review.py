"""A second, blind review of one case: taken by one person at a time, until somebody has decided or the time is up.

An update is answered when what it did is in the ledger and the store. The name of the workflow says nothing of the
case, and no decision of the case comes into its history. A signal does nothing: it is refused, on the record.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow

from escalations.case import Case
from escalations.commands import SYSTEM, Actor, ActorKind, Claim, Resolve, Unclaim
from escalations.errors import EscalationError, Invalid, KeyReused
from escalations.events import Event
from escalations.second_review import (
    ReviewEvent,
    SecondReview,
    begin,
    claim,
    decide,
    expire,
    give_back,
    opening_of,
    refusal_of_signal,
)
from escalations.step import MOST_REFUSALS
from workflows import calls
from workflows.messages import TASK_TIMEOUT, Instruction, Signal
from workflows.notifying import FOR_EVER
from workflows.ports import SecondReviewing
from workflows.refusals import to_application_error
from workflows.review_messages import RefusedSignal, ReviewBatch, ReviewOutcome, ReviewStart


async def open_second_review(case: Case, history: list[Event]) -> None:
    """Start the second look at a case that has just been decided, where it was sampled. It outlives the case."""
    if not case.opening.second_review_due:
        return
    opening = opening_of(case, tuple(history), f"rev_{workflow.uuid4().hex}")
    if opening is not None:
        await workflow.start_child_workflow(
            SecondReviewWorkflow.run,
            ReviewStart(opening),
            id=opening.review_id,
            task_timeout=TASK_TIMEOUT,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        )


@workflow.defn(name="SecondReview")
class SecondReviewWorkflow:
    @workflow.init
    def __init__(self, start: ReviewStart) -> None:
        self._review = begin(start.opening, workflow.info().start_time)
        self._seen: dict[str, ReviewOutcome] = {}
        self._recording = asyncio.Lock()
        self._refusals = 0

    @workflow.run
    async def run(self, _start: ReviewStart) -> str:
        await self._record(ReviewEvent.OPENED, SYSTEM, self._review)
        left = self._review.expires_at - workflow.now()
        try:
            await workflow.wait_condition(
                lambda: self._review.status.over, timeout=max(left, timedelta(0)), timeout_summary="nobody did it"
            )
        except TimeoutError:
            self._review = expire(self._review, workflow.now())
            await self._record(ReviewEvent.EXPIRED, SYSTEM, self._review)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._review.status.value

    @workflow.update(name="claim", description="Take this second review")
    async def claim(self, instruction: Instruction) -> ReviewOutcome:
        return await self._carry_out("claim", instruction)

    @claim.validator
    def _may_claim(self, instruction: Instruction) -> None:
        self._validate("claim", instruction)

    @workflow.update(name="unclaim", description="Give this second review back")
    async def unclaim(self, instruction: Instruction) -> ReviewOutcome:
        return await self._carry_out("unclaim", instruction)

    @unclaim.validator
    def _may_unclaim(self, instruction: Instruction) -> None:
        self._validate("unclaim", instruction)

    @workflow.update(name="resolve", description="Say how you would have decided")
    async def resolve(self, instruction: Instruction) -> ReviewOutcome:
        return await self._carry_out("resolve", instruction)

    @resolve.validator
    def _may_resolve(self, instruction: Instruction) -> None:
        self._validate("resolve", instruction)

    @workflow.signal(name="claim", description="Does nothing, and is recorded")
    async def claim_signal(self, message: Any = None) -> None:
        await self._refuse("claim", message)

    @workflow.signal(name="unclaim", description="Does nothing, and is recorded")
    async def unclaim_signal(self, message: Any = None) -> None:
        await self._refuse("unclaim", message)

    @workflow.signal(name="resolve", description="Does nothing, and is recorded")
    async def resolve_signal(self, message: Any = None) -> None:
        await self._refuse("resolve", message)

    async def _refuse(self, operation: str, message: Any) -> None:
        """Reviews from before this have no trace of a signal in their history; so many are written down at most."""
        if not workflow.patched("signals-on-the-record") or self._refusals >= MOST_REFUSALS:
            return
        self._refusals += 1
        number, opening = self._refusals, self._review.opening
        named = await calls.authorize(opening.tenant, opening.review_id, Signal(operation, message))
        actor = named.command.actor if named.command else Actor(named.actor, ActorKind.OPERATOR)
        code = refusal_of_signal(self._review, actor).code
        batch = ReviewBatch(
            self._review, ReviewEvent.REFUSED, actor, workflow.now(), RefusedSignal(operation, code, number)
        )
        await self._write(batch)

    def _validate(self, operation: str, instruction: Instruction) -> None:
        try:
            self._after(operation, instruction)
        except EscalationError as error:
            raise to_application_error(error) from None

    async def _carry_out(self, operation: str, instruction: Instruction) -> ReviewOutcome:
        try:
            known, before = self._seen.get(instruction.id), self._review
            after, event = self._after(operation, instruction)
        except EscalationError as error:
            raise to_application_error(error) from None
        if known is not None:
            return known
        self._review = after
        outcome = self._seen[instruction.id] = ReviewOutcome(after, instruction.payload_digest)
        if after != before:
            await self._record(event, instruction.command.actor, after)
        return outcome

    def _after(self, operation: str, instruction: Instruction) -> tuple[SecondReview, ReviewEvent]:
        """The review as the instruction would leave it. Raises EscalationError."""
        command = instruction.command
        known = self._seen.get(instruction.id)
        if known is not None and known.payload_digest != instruction.payload_digest:
            raise KeyReused("this idempotency key was used for another request", field="Idempotency-Key")
        if command.operation != operation:
            raise Invalid("this instruction is meant for another operation")
        if known is not None:
            return known.review, ReviewEvent.CLAIMED
        match command:
            case Claim():
                return claim(self._review, command.actor, workflow.now()), ReviewEvent.CLAIMED
            case Unclaim():
                return give_back(self._review, command.actor), ReviewEvent.RETURNED
            case Resolve():
                return decide(self._review, command, workflow.now()), ReviewEvent.DONE
            case _:
                raise Invalid("a second review is taken, given back or decided")

    async def _record(self, event: ReviewEvent, actor: Actor, review: SecondReview) -> None:
        """One after the other, in the order in which things happened."""
        await self._write(ReviewBatch(review, event, actor, workflow.now()))

    async def _write(self, batch: ReviewBatch) -> None:
        async with self._recording:
            await workflow.execute_activity_method(
                SecondReviewing.record,
                batch,
                start_to_close_timeout=timedelta(seconds=15),
                retry_policy=FOR_EVER,
                summary=batch.event.value,
            )
