"""What follows from an attempt that failed: a row of the delivery log, the next channel, and when it is tried again.

Temporal alone tries again; an attempt only says when. It goes by the failures that the delivery log has, not by
Temporal's number of the attempt: a worker that died, or one without a free place, says nothing about the receiver.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from activities.channels.faults import GONE, fault
from activities.choosing import Channels
from activities.telling import start_telling
from escalations.channels import Reached, WebhookChannel, find_channel
from escalations.severity import Severity
from store.attempts import Attempt, AttemptOutcome, Failures, failures_of, has_dead_letter, put_attempt
from store.database import Database, StoreUnavailable
from workflows.messages import GivenUp, Notification

TO_MACHINES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""What a webhook waits after each failure: the schedule of Standard Webhooks, ten attempts in 75 hours and a half.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""
TO_PEOPLE = tuple(timedelta(seconds=seconds) for seconds in (5, 20, 80, 320, 1280, 5120, 4 * 3600))
"""What calls people comes sooner, and after a long outage at most four hours late; the last wait repeats."""
SPREAD = 1.02
"""What failed together does not come back together."""
FALLS_THROUGH_AT = 3
"""The failure at which the next channel is told as well."""
PATIENCE_S = 25.0
"""For all that one attempt does; the workflow gives up on it after 30 s, and would not stop what still runs here."""
_SOON_S = 30.0

FAILURES = (ApplicationError, StoreUnavailable, RPCError, OSError)
"""What an attempt may raise and be tried again for."""

_notification = TypeAdapter(Notification)
_logger = logging.getLogger("keeptrusts.notify")


def wait_after(failures: int, *, to_people: bool) -> timedelta:
    """What is waited after so many failures, one at least; never less than the schedule says, and little more."""
    schedule = TO_PEOPLE if to_people else TO_MACHINES
    return schedule[min(failures, len(schedule)) - 1] * random.uniform(1, SPREAD)  # noqa: S311


def soon(attempt: int) -> timedelta:
    """What is waited for want of a place, or of our own store or server: some seconds, half a minute at most."""
    return timedelta(seconds=min(attempt, _SOON_S) * random.uniform(0.5, 1))  # noqa: S311


def no_place(channel: str, attempt: int) -> ApplicationError:
    """The error of an attempt that was none, so that it has no row, and no line in the worker's log."""
    return ApplicationError(
        "the channel is busy: as many are being sent as it may have under way",
        type=channel.partition(":")[0],
        next_retry_delay=soon(attempt),
        category=ApplicationErrorCategory.BENIGN,
    )


@asynccontextmanager
async def in_time(channel: str, patience_s: float) -> AsyncIterator[None]:
    """What takes longer is stopped, and fails. Raises ApplicationError."""
    try:
        async with asyncio.timeout(patience_s):
            yield
    except TimeoutError:
        raise fault(channel.partition(":")[0], f"the receiver took longer than {patience_s:g} s") from None


@dataclass(frozen=True, slots=True)
class Failing:
    """Without `client` nothing falls through. The schedules' waits are divided by `hurry`, for tests."""

    channels: Channels
    database: Database
    client: Client | None = None
    hurry: float = 1.0

    async def failed(
        self, told: Sequence[Notification], attempt: int, took_ms: int, failure: Exception
    ) -> ApplicationError:
        """Write an attempt down that failed for all of them, as one message does, and have the next channel told: at
        once where trying again is of no use or the case is critical, else at the third failure.

        Gives the error to raise, which says when to try again.
        """
        channel = told[0].channel
        if not isinstance(failure, ApplicationError):
            failure = fault(channel.partition(":")[0], type(failure).__name__, wait=soon(attempt))
        problem, final = failure.message, failure.non_retryable
        if problem == GONE:
            _logger.error("the receiver of %s is gone (410): nothing more is sent there", channel)
        before = await self._before(told[0], attempt)
        following: dict[str, str | None] = {}
        for one in told:
            due = final or before.count + 1 >= FALLS_THROUGH_AT or one.view.severity is Severity.CRITICAL
            # Each for itself: one may have fallen through before it joined, or have failed to.
            fell = due and (before if one is told[0] else await self._before(one, attempt)).next_channel is not None
            following[one.id] = await self._fall_through(one) if due and not fell else None
        rows = [attempt_of(one, attempt, AttemptOutcome.FAILED, took_ms, problem, following[one.id]) for one in told]
        await self.write(told[0].tenant, rows)
        if final:
            return failure
        wait = failure.next_retry_delay
        if wait is None:
            wait = wait_after(before.count + 1, to_people=await self._calls_people(told[0])) / self.hurry
        return fault(channel.partition(":")[0], problem, wait=wait)

    async def given_up(self, given_up: GivenUp) -> None:
        """Keep a dead letter, once. Raises StoreUnavailable."""
        notification = given_up.notification
        following = (await self._before(notification, 0)).next_channel or await self._fall_through(notification)
        async with self.database.write() as connection:
            if not await has_dead_letter(connection, notification.tenant, notification.id):
                dead = attempt_of(notification, 0, AttemptOutcome.DEAD, 0, given_up.problem, following)
                body = _notification.dump_json(notification)
                await put_attempt(connection, notification.tenant, replace(dead, body=body))

    async def write(self, tenant: str, rows: Sequence[Attempt]) -> None:
        """Into the delivery log, if it can be written: what was sent must not be sent again for want of a row."""
        try:
            async with self.database.write() as connection:
                for row in rows:
                    await put_attempt(connection, tenant, row)
        except StoreUnavailable as away:
            row = rows[0]
            _logger.warning("the delivery log lacks attempt %d of %s: %s", row.attempt, row.notification_id, away)

    async def _before(self, notification: Notification, attempt: int) -> Failures:
        """How often it has failed; where the store does not say, with every attempt, but never as often as makes the
        wait long: an attempt without a place is one for Temporal too."""
        try:
            async with self.database.read() as connection:
                return await failures_of(
                    connection, notification.tenant, notification.view.escalation_id, notification.id
                )
        except StoreUnavailable:
            return Failures(min(max(attempt - 1, 0), FALLS_THROUGH_AT - 1), None)

    async def _calls_people(self, notification: Notification) -> bool:
        try:
            channels = (await self.channels.settings(notification.tenant)).notification_channels
        except StoreUnavailable:
            return True
        return not isinstance(find_channel(channels, notification.channel)[0], WebhookChannel)

    async def _fall_through(self, notification: Notification) -> str | None:
        """Have the next channel told, once however often it is asked for; gives its name, None where there is none."""
        if self.client is None or notification.following:
            return None
        try:
            channels = (await self.channels.settings(notification.tenant)).notification_channels
            failed, _ = find_channel(channels, notification.channel)
            following = failed.fall_through if isinstance(failed, Reached) else None
            passed = (*notification.passed, notification.channel)
            if following is None or following in passed:
                return None
            event = "/".join(notification.id.split("/")[:2])
            # Whoever stands in for the consumer's channel is not the consumer.
            instead = replace(
                notification,
                id=f"{event}/{following}",
                channel=following,
                passed=passed,
                to_consumer=False,
                replayed=False,
            )
            await start_telling(self.client, instead)
        except (RPCError, StoreUnavailable) as away:
            _logger.warning("%s could not be told by another channel: %s", notification.id, type(away).__name__)
            return None
        return following


def attempt_of(
    notification: Notification,
    attempt: int,
    outcome: AttemptOutcome,
    took_ms: int = 0,
    problem: str | None = None,
    following: str | None = None,
) -> Attempt:
    """A row of the delivery log."""
    return Attempt(
        notification_id=notification.id,
        escalation_id=notification.view.escalation_id,
        event=notification.event,
        channel=notification.channel,
        attempt=attempt,
        outcome=outcome,
        at=datetime.now(UTC),
        took_ms=took_ms,
        problem=problem,
        next_channel=following,
    )
