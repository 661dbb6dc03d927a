"""One escalation: the only authority on its state, from the moment an answer is held until everybody was told.

Handlers are synchronous: they change the case by the pure rules, put what happened into the outbox and return, so
nothing can interleave and exactly one of many claims wins. A refusal happens in the update's validator and leaves no
trace in the history. The main coroutine drains the outbox through activities; a second one keeps the clock.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

from escalations.case import Case
from escalations.clock import next_alarm
from escalations.commands import SYSTEM, Actor, ActorKind, Command, Routed, Withdraw
from escalations.errors import BY_CODE, EscalationError, Invalid, KeyReused
from escalations.events import FINAL, Event, EventType
from escalations.sla import Alarm
from escalations.step import open_case, refuse, step
from escalations.views import View, view_of
from workflows.attributes import changes
from workflows.messages import (
    NOTIFICATIONS_QUEUE,
    AuthorizationWanted,
    Carried,
    Delivery,
    Ended,
    Instruction,
    Notification,
    Outcome,
    RecordBatch,
    RouteWanted,
    Seen,
    Signal,
    Start,
)
from workflows.ports import Authorizing, Delivering, Notifying, Recording, Routing
from workflows.refusals import to_application_error

MOST_SEEN = 100
MOST_HISTORY = 500
API_FIRST = timedelta(seconds=2)
LOG_CHANNEL = "log"
MOST_UPDATES = 500
"""Accepted updates after which the workflow continues as new; the server stops at 2,000."""

_TOLD = frozenset(
    {
        EventType.OPENED,
        EventType.ASSIGNED,
        EventType.AMBER,
        EventType.BREACHED,
        EventType.RELEASED_AT_BREACH,
        EventType.REASSIGNED,
        EventType.UNROUTED,
        EventType.ESCALATED,
        EventType.RESOLVED,
        EventType.EXPIRED,
        EventType.WITHDRAWN,
    }
)
_FOR_EVER = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))
_FOR_DAYS = RetryPolicy(
    initial_interval=timedelta(seconds=5), backoff_coefficient=4, maximum_interval=timedelta(hours=4)
)
_A_FEW_TIMES = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3)


@workflow.defn(name="Escalation")
class EscalationWorkflow:
    @workflow.init
    def __init__(self, start: Start) -> None:
        self._outbox: list[Event] = []
        self._inbox: list[Signal] = []
        self._seen: dict[str, Outcome] = {}
        self._history: list[Event] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._answered: set[int] = set()
        self._updates = 0
        self._case: Case
        self._view: View
        if start.carried is None:
            self._open(start)
        else:
            self._case = start.carried.case
            self._view = view_of(self._case)
            self._seen = {seen.id: seen.outcome for seen in start.carried.seen}
            self._history = list(start.carried.history)

    @workflow.run
    async def run(self, _start: Start) -> Ended:
        clock = asyncio.create_task(self._keep_time())
        try:
            await self._live()
        except (asyncio.CancelledError, ActivityError) as stop:
            if not is_cancelled_exception(stop):
                raise
            self._withdraw_by_cancellation()
            await self._live()
        clock.cancel()
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() and not self._telling)
        assert self._case.end is not None
        decision = self._case.decision
        return Ended(
            self._case.end.value,
            decision.resolution.value if decision else None,
            decision.reviewer if decision else None,
        )

    async def _live(self) -> None:
        """Do what the case asks for, one thing at a time, until it is over and everything is written down."""
        while True:
            await workflow.wait_condition(self._has_work)
            if self._inbox:
                await self._authorize_first()
            elif self._outbox:
                await self._publish()
            elif self._case.wanted_route is not None:
                await self._find_route()
            elif self._case.closed:
                return
            else:
                self._continue_as_new()

    def _has_work(self) -> bool:
        waiting = self._inbox or self._outbox or self._case.wanted_route or self._case.closed
        return bool(waiting) or self._has_grown()

    # Changing the case

    def _open(self, start: Start) -> None:
        """Search attributes are as the start has them. The clock begins with the start, however late a worker comes."""
        self._case, events = open_case(start.opening, workflow.info().start_time)
        self._view = view_of(self._case)
        self._write(events)

    def _become(self, moved: tuple[Case, tuple[Event, ...]]) -> tuple[Event, ...]:
        self._case, events = moved
        if events:
            view = view_of(self._case)
            updates = changes(self._view, view)
            if updates:
                workflow.upsert_search_attributes(updates)
            self._view = view
            self._write(events)
        return events

    def _write(self, events: tuple[Event, ...]) -> None:
        self._outbox.extend(events)
        self._history = (self._history + list(events))[-MOST_HISTORY:]
        workflow.set_current_details(_details(self._view))

    def _carry_out(self, command: Command, id: str, payload_digest: str) -> Outcome:
        """Carry out once: the same id gets the same outcome. Raises EscalationError."""
        if id in self._seen:
            return self._repeated(id, payload_digest)
        events = self._become(step(self._case, command, workflow.now()))
        outcome = Outcome(view_of(self._case), events, payload_digest)
        if id:
            self._seen[id] = outcome
            if len(self._seen) > MOST_SEEN:
                del self._seen[next(iter(self._seen))]
        return outcome

    def _repeated(self, id: str, payload_digest: str) -> Outcome:
        outcome = self._seen[id]
        if outcome.payload_digest != payload_digest:
            raise KeyReused("this idempotency key was used for another request; use a new key", field="Idempotency-Key")
        return outcome

    def _update(self, operation: str, instruction: Instruction) -> Outcome:
        try:
            self._addressed(operation, instruction)
            self._updates += 1
            outcome = self._carry_out(instruction.command, instruction.id, instruction.payload_digest)
            self._answered.update(event.seq for event in outcome.events)
            return outcome
        except EscalationError as error:
            raise to_application_error(error) from None

    def _validate(self, operation: str, instruction: Instruction) -> None:
        """The fast, truthful refusal: the same rules on the same state, and nothing is kept."""
        try:
            self._addressed(operation, instruction)
            if instruction.id in self._seen:
                self._repeated(instruction.id, instruction.payload_digest)
            else:
                step(self._case, instruction.command, workflow.now())
        except EscalationError as error:
            raise to_application_error(error) from None

    def _addressed(self, operation: str, instruction: Instruction) -> None:
        meant = self._case.opening.escalation_id
        if instruction.command.operation != operation or instruction.escalation_id != meant:
            raise Invalid("this instruction is meant for another operation or escalation")

    # The world outside

    async def _publish(self) -> None:
        if not self._pressing():
            await self._pressing_within(API_FIRST)
        batch = tuple(self._outbox)
        view = view_of(self._case)
        await workflow.execute_activity_method(
            Recording.record,
            RecordBatch(view, batch, tuple(event.seq for event in batch if event.seq in self._answered)),
            start_to_close_timeout=timedelta(seconds=15),
            retry_policy=_FOR_EVER,
            summary=", ".join(event.type.value for event in batch),
        )
        del self._outbox[: len(batch)]
        self._answered.difference_update(event.seq for event in batch)
        for event in batch:
            if event.type in FINAL and self._case.opening.reply_to:
                self._in_background(self._deliver(self._case.opening.reply_to))
            if event.type in _TOLD:
                self._in_background(self._notify(event, view))

    def _pressing(self) -> bool:
        """Whether something waits that nobody else writes down: the API does so with what it was answered."""
        return self._case.closed or any(event.seq not in self._answered for event in self._outbox)

    async def _pressing_within(self, wait: timedelta) -> None:
        """Let what the API was answered gather for a moment: one record then does for several."""
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._pressing() or bool(self._inbox or self._case.wanted_route),
                timeout=wait,
                timeout_summary="the API writes first",
            )

    async def _deliver(self, queue: str) -> None:
        """A courtesy: a gateway that is gone has forgotten its callers too, and a sweep finds what a hint missed."""
        opening = self._case.opening
        try:
            await workflow.execute_activity_method(
                Delivering.deliver,
                Delivery(opening.tenant, opening.escalation_id),
                task_queue=queue,
                schedule_to_start_timeout=timedelta(seconds=5),
                start_to_close_timeout=timedelta(seconds=5),
                retry_policy=_A_FEW_TIMES,
            )
        except ActivityError as failure:
            workflow.logger.info("the gateway could not be told: %s", type(failure.cause).__name__)

    async def _notify(self, event: Event, view: View) -> None:
        channel = str(event.data.get("channel") or view.route.channel)
        told_person = event.type in (EventType.ASSIGNED, EventType.RELEASED_AT_BREACH)
        recipient = str(event.data.get("assignee")) if told_person else view.route.destination
        notification = Notification(
            id=f"{view.escalation_id}/{event.seq}/{channel}",
            event=event.type.value,
            channel=channel,
            view=view,
            at=event.at,
            recipient=recipient,
            tenant=view.tenant,
            data=event.data,
        )
        if channel == LOG_CHANNEL:
            # A line in this worker's own log needs no queue, and cannot be slow.
            timeout = timedelta(seconds=5)
            await workflow.execute_local_activity_method(Notifying.notify, notification, start_to_close_timeout=timeout)
            return
        try:
            await workflow.execute_activity_method(
                Notifying.notify,
                notification,
                task_queue=NOTIFICATIONS_QUEUE,
                start_to_close_timeout=timedelta(seconds=30),
                schedule_to_close_timeout=timedelta(hours=76),
                retry_policy=_FOR_DAYS,
                summary=f"{event.type.value} → {channel}",
            )
        except ActivityError:
            workflow.logger.warning("notification %s was given up", notification.id)

    def _in_background(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _find_route(self) -> None:
        wanted, opening = self._case.wanted_route, self._case.opening
        assert wanted is not None
        found = await workflow.execute_activity_method(
            Routing.route,
            RouteWanted(
                tenant=opening.tenant,
                settings_version=opening.sla.settings_version,
                policy_rule=opening.policy_rule,
                reason_code=opening.reason_code,
                severity=opening.severity.value,
                consumer_team=opening.consumer_team,
                consumer_group=opening.consumer_group,
                after=wanted.after,
            ),
            start_to_close_timeout=timedelta(seconds=15),
            retry_policy=_FOR_EVER,
            summary=f"next level, {wanted.reason.value}",
        )
        if self._case.wanted_route == wanted:
            self._become(step(self._case, Routed(found.route), workflow.now()))

    async def _authorize_first(self) -> None:
        signal, opening = self._inbox[0], self._case.opening
        answer = await workflow.execute_activity_method(
            Authorizing.authorize,
            AuthorizationWanted(opening.tenant, opening.escalation_id, signal),
            start_to_close_timeout=timedelta(seconds=15),
            retry_policy=_FOR_EVER,
            summary=signal.operation,
        )
        del self._inbox[0]
        try:
            if answer.command is None:
                raise BY_CODE.get(answer.problem or "", Invalid)("this signal was not understood, or not signed")
            self._carry_out(answer.command, answer.id, answer.payload_digest)
        except EscalationError as error:
            actor = answer.command.actor if answer.command else Actor(answer.actor, ActorKind.OPERATOR)
            self._become(refuse(self._case, signal.operation, actor, error, workflow.now()))

    def _withdraw_by_cancellation(self) -> None:
        if not self._case.closed:
            self._become(step(self._case, Withdraw(SYSTEM), workflow.now()))

    # Time

    async def _keep_time(self) -> None:
        while (alarm := next_alarm(self._case)) is not None:
            wait = alarm.at - workflow.now()
            if wait <= timedelta(0) or not await self._moved_within(alarm, wait):
                self._become(step(self._case, alarm, workflow.now()))

    async def _moved_within(self, alarm: Alarm, wait: timedelta) -> bool:
        """Sleep until the alarm, or until it is no longer the next one; says whether that happened."""
        try:
            await workflow.wait_condition(
                lambda: next_alarm(self._case) != alarm,
                timeout=wait,
                timeout_summary=f"{alarm.kind.value} at {alarm.at.isoformat(timespec='seconds')}",
            )
        except TimeoutError:
            return False
        return True

    # Growing old

    def _has_grown(self) -> bool:
        grown = workflow.info().is_continue_as_new_suggested() or self._updates >= MOST_UPDATES
        return grown and workflow.all_handlers_finished() and not self._telling

    def _continue_as_new(self) -> None:
        seen = tuple(Seen(*item) for item in self._seen.items())
        workflow.continue_as_new(Start(self._case.opening, Carried(self._case, seen, tuple(self._history))))

    # Queries

    @workflow.query(name="state", description="The case as everybody may see it")
    def state(self) -> View:
        return view_of(self._case)

    @workflow.query(name="history", description="What happened, oldest first")
    def history(self) -> list[Event]:
        return self._history

    # Updates (a true answer) and signals of the same names (no answer, authorized first)

    @workflow.update(name="claim", description="Take ownership")
    def claim(self, instruction: Instruction) -> Outcome:
        return self._update("claim", instruction)

    @claim.validator
    def _may_claim(self, instruction: Instruction) -> None:
        self._validate("claim", instruction)

    @workflow.signal(name="claim", description="Take ownership, without an answer")
    def claim_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("claim", message))

    @workflow.update(name="unclaim", description="Give it back to the queue")
    def unclaim(self, instruction: Instruction) -> Outcome:
        return self._update("unclaim", instruction)

    @unclaim.validator
    def _may_unclaim(self, instruction: Instruction) -> None:
        self._validate("unclaim", instruction)

    @workflow.signal(name="unclaim", description="Give it back to the queue, without an answer")
    def unclaim_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("unclaim", message))

    @workflow.update(name="resolve", description="Decide: allow, block, or redact and allow")
    def resolve(self, instruction: Instruction) -> Outcome:
        return self._update("resolve", instruction)

    @resolve.validator
    def _may_resolve(self, instruction: Instruction) -> None:
        self._validate("resolve", instruction)

    @workflow.signal(name="resolve", description="Decide, without an answer; unsigned it can only block")
    def resolve_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("resolve", message))

    @workflow.update(name="escalate_further", description="Hand it to the next level, a team or a person")
    def escalate_further(self, instruction: Instruction) -> Outcome:
        return self._update("escalate_further", instruction)

    @escalate_further.validator
    def _may_escalate_further(self, instruction: Instruction) -> None:
        self._validate("escalate_further", instruction)

    @workflow.signal(name="escalate_further", description="Hand it to the next level, without an answer")
    def escalate_further_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("escalate_further", message))

    @workflow.update(name="assign", description="Give it to one person")
    def assign(self, instruction: Instruction) -> Outcome:
        return self._update("assign", instruction)

    @assign.validator
    def _may_assign(self, instruction: Instruction) -> None:
        self._validate("assign", instruction)

    @workflow.signal(name="assign", description="Give it to one person, without an answer")
    def assign_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("assign", message))

    @workflow.update(name="extend", description="Keep a claim for longer")
    def extend(self, instruction: Instruction) -> Outcome:
        return self._update("extend", instruction)

    @extend.validator
    def _may_extend(self, instruction: Instruction) -> None:
        self._validate("extend", instruction)

    @workflow.signal(name="extend", description="Keep a claim for longer, without an answer")
    def extend_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("extend", message))

    @workflow.update(name="comment", description="Say something beside the case")
    def comment(self, instruction: Instruction) -> Outcome:
        return self._update("comment", instruction)

    @comment.validator
    def _may_comment(self, instruction: Instruction) -> None:
        self._validate("comment", instruction)

    @workflow.signal(name="comment", description="Say something beside the case, without an answer")
    def comment_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("comment", message))

    @workflow.update(name="withdraw", description="The consumer gave up")
    def withdraw(self, instruction: Instruction) -> Outcome:
        return self._update("withdraw", instruction)

    @withdraw.validator
    def _may_withdraw(self, instruction: Instruction) -> None:
        self._validate("withdraw", instruction)

    @workflow.signal(name="withdraw", description="The consumer gave up, without an answer")
    def withdraw_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("withdraw", message))


def _details(view: View) -> str:
    """The line that an operator reads in the Temporal UI."""
    holder = f" by **{view.assignee}**" if view.assignee else ""
    due = view.sla_deadline.isoformat(timespec="seconds")
    return (
        f"**{view.status.value.capitalize()}**{holder} · {view.severity.value} · {view.policy_rule}"
        f" ({view.reason_code}) · {view.route.destination} by {view.route.name} · SLA {view.sla_state.value}, due {due}"
    )
