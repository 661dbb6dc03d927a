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
from temporalio.exceptions import ActivityError, is_cancelled_exception

from escalations.case import Case
from escalations.clock import next_alarm
from escalations.commands import SYSTEM, Actor, ActorKind, Command, Withdraw
from escalations.errors import BY_CODE, EscalationError, Invalid, KeyReused
from escalations.events import FINAL, Event
from escalations.sla import Alarm
from escalations.step import open_case, refuse, step
from escalations.views import View, view_of
from workflows import calls
from workflows.attributes import changes
from workflows.following import leader_ended
from workflows.handlers import Handlers
from workflows.messages import Carried, Ended, Instruction, Outcome, Seen, Signal, Start
from workflows.refusals import Refusal, Rehearsed, to_application_error
from workflows.second_review import open_second_review
from workflows.telling import Audience, audiences

MOST_SEEN = 100
MOST_HISTORY = 500
API_FIRST = timedelta(seconds=2)
MOST_UPDATES = 500
"""Accepted updates after which the workflow continues as new; the server stops at 2,000."""


@workflow.defn(name="Escalation")
class EscalationWorkflow(Handlers):
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
        following = asyncio.create_task(self._follow()) if self._case.leader is not None else None
        try:
            await self._live()
        except (asyncio.CancelledError, ActivityError) as stop:
            if not is_cancelled_exception(stop):
                raise
            self._withdraw_by_cancellation()
            await self._live()
        clock.cancel()
        if following is not None:
            following.cancel()
        await open_second_review(self._case, self._history)
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
        await calls.record(view, batch, tuple(event.seq for event in batch if event.seq in self._answered))
        del self._outbox[: len(batch)]
        self._answered.difference_update(event.seq for event in batch)
        for event in batch:
            if event.type in FINAL and self._case.opening.reply_to:
                self._in_background(calls.deliver(self._case.opening))
            if event.type in FINAL and self._case.opening.consumer_channel:
                self._in_background(calls.notify_consumer(event, view, self._case.opening.consumer_channel))
            for audience in self._audiences(event, view):
                self._in_background(calls.notify(event, view, audience))

    def _audiences(self, event: Event, view: View) -> tuple[Audience, ...]:
        return audiences(event, view, self._case.legs, self._case.opening.edition, self._case.beside)

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

    def _in_background(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _find_route(self) -> None:
        wanted = self._case.wanted_route
        routed = await calls.find_route(self._case)
        if self._case.wanted_route == wanted:
            self._become(step(self._case, routed, workflow.now()))

    async def _follow(self) -> None:
        assert self._case.leader is not None
        ended = await leader_ended(self._case.opening, self._case.leader)
        self._become(step(self._case, ended, workflow.now()))

    async def _authorize_first(self) -> None:
        signal = self._inbox[0]
        opening = self._case.opening
        answer = await calls.authorize(opening.tenant, opening.escalation_id, signal)
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

    @workflow.query(name="rehearse", description="Whether a command would be carried out now; nothing is done")
    def rehearse(self, instruction: Instruction) -> Rehearsed:
        try:
            step(self._case, instruction.command, workflow.now())
        except EscalationError as error:
            return Rehearsed(Refusal(error.code, error.message, error.details))
        return Rehearsed()

    @workflow.query(name="history", description="What happened, oldest first")
    def history(self) -> list[Event]:
        return self._history


def _details(view: View) -> str:
    """The line that an operator reads in the Temporal UI."""
    holder = f" by **{view.assignee}**" if view.assignee else ""
    due = view.sla_deadline.isoformat(timespec="seconds")
    return (
        f"**{view.status.value.capitalize()}**{holder} · {view.severity.value} · {view.policy_rule}"
        f" ({view.reason_code}) · {view.route.destination} by {view.route.name} · SLA {view.sla_state.value}, due {due}"
    )
