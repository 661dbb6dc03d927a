"""Telling people: one channel, one message. The workflow decides what is told; a channel knows only how.

Every attempt is a row of the delivery log. A channel that fails goes on being tried, and meanwhile the one that it
falls through to is told in its place: at once where trying again is of no use or the case is critical, else at the
third failure. What is given up is kept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import TypeAdapter
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.channels.faults import GONE, fault
from activities.choosing import Channels, shows_state
from activities.excerpts import Excerpts
from activities.grouping import Grouper, Held
from activities.telling import start_telling
from activities.trying_out import try_out
from escalations.channels import Reached, find_channel
from escalations.severity import Severity
from store.attempts import Attempt, AttemptOutcome, given_up_since, has_dead_letter, put_attempt
from store.database import Database, StoreUnavailable
from store.settings import current_settings
from workflows.messages import ChannelTest, GivenUp, Notification, Tested
from workflows.ports import Notifying

PATIENCE_S = 25.0
"""For all that one attempt does; the workflow gives up on it after 30 s, and would not stop what still runs here."""
FALLS_THROUGH_AT = 3
"""The failed attempt, about half a minute after the first, at which the next channel is told as well."""
_notification = TypeAdapter(Notification)
_logger = logging.getLogger("keeptrusts.notify")


class Notifier(Notifying):
    """Sends by the channel that settings name. Without `client` nothing falls through, and nothing waits."""

    def __init__(
        self,
        database: Database,
        environment: Mapping[str, str],
        excerpts: Excerpts | None = None,
        client: Client | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.channels = Channels(database, environment, excerpts)
        self._database = database
        self._environment = environment
        self._client = client
        self.grouper = Grouper(self.channels, database, client) if client is not None else None
        self._patience_s = patience_s

    @activity.defn(name="notify")
    async def notify(self, notification: Notification) -> None:
        if notification.channel.partition(":")[0] == "log":
            await (await self.channels.channel(notification)).send(notification)
            return
        started, attempt = time.monotonic(), activity.info().attempt if activity.in_activity() else 1
        try:
            await self._check_there(notification)
            held = await self.grouper.hold_back(notification) if self.grouper is not None else Held.NO
            sent = await self._send(notification) if held is Held.NO else held is not Held.NOTHING
        except (ApplicationError, StoreUnavailable, RPCError, OSError) as failure:
            final = isinstance(failure, ApplicationError) and failure.non_retryable
            told = failure.message if isinstance(failure, ApplicationError) else type(failure).__name__
            if told == GONE:
                _logger.error("the receiver of %s is gone (410): nothing more is sent there", notification.channel)
            due = final or attempt == FALLS_THROUGH_AT or notification.view.severity is Severity.CRITICAL
            following = await self._fall_through(notification) if due else None
            await self._write(notification, attempt, AttemptOutcome.FAILED, started, told, following)
            raise
        if sent:
            outcome = AttemptOutcome.GROUPED if held is Held.JOINED else AttemptOutcome.SENT
            await self._write(notification, attempt, outcome, started)

    @activity.defn(name="give_up")
    async def give_up(self, given_up: GivenUp) -> None:
        notification = given_up.notification
        following = await self._fall_through(notification)
        async with self._database.write() as connection:
            if not await has_dead_letter(connection, notification.tenant, notification.id):
                dead = _attempt(notification, 0, AttemptOutcome.DEAD, 0, given_up.problem, following)
                body = _notification.dump_json(notification)
                await put_attempt(connection, notification.tenant, replace(dead, body=body))

    @activity.defn(name="try_out")
    async def try_out(self, test: ChannelTest) -> Tested:
        settings = await self.channels.settings(test.tenant)
        try:
            async with asyncio.timeout(self._patience_s):
                await try_out(settings, self._environment, test)
        except ApplicationError as failure:
            return Tested(False, failure.message)
        except TimeoutError:
            return Tested(False, f"the receiver took longer than {self._patience_s:g} s")
        return Tested(True)

    async def _check_there(self, notification: Notification) -> None:
        """A receiver that has said that it is gone is asked no more, until other settings are in force or something
        that was given up has arrived there after all. Raises ApplicationError."""
        if notification.replayed:
            return
        async with self._database.read() as connection:
            since = (await current_settings(connection, notification.tenant)).created_at
            gone = await given_up_since(connection, notification.tenant, notification.channel, GONE, since)
        if gone:
            kind = notification.channel.partition(":")[0]
            raise fault(kind, f"{GONE}, as it said before; nothing was sent", final=True)

    async def _send(self, notification: Notification) -> bool:
        """Whether there was something to send, which has arrived then. Raises ApplicationError."""
        if notification.following:
            channels = (await self.channels.settings(notification.tenant)).notification_channels
            if not shows_state(find_channel(channels, notification.channel)[0]):
                return False
        channel = await self.channels.channel(notification)
        try:
            async with asyncio.timeout(self._patience_s):
                return await channel.send(notification)
        except TimeoutError:
            kind = notification.channel.partition(":")[0]
            raise fault(kind, f"the receiver took longer than {self._patience_s:g} s") from None

    async def _fall_through(self, notification: Notification) -> str | None:
        """Have the next channel told, once however often it is asked for; gives its name, None where there is none."""
        if self._client is None or notification.following:
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
            await start_telling(self._client, instead)
        except (RPCError, StoreUnavailable) as away:
            _logger.warning("%s could not be told by another channel: %s", notification.id, type(away).__name__)
            return None
        return following

    async def _write(
        self,
        notification: Notification,
        attempt: int,
        outcome: AttemptOutcome,
        started: float,
        problem: str | None = None,
        following: str | None = None,
    ) -> None:
        """Into the delivery log, if it can be written: what was sent must not be sent again for want of a row."""
        took_ms = round((time.monotonic() - started) * 1000)
        try:
            async with self._database.write() as connection:
                row = _attempt(notification, attempt, outcome, took_ms, problem, following)
                await put_attempt(connection, notification.tenant, row)
        except StoreUnavailable as away:
            _logger.warning("the delivery log lacks attempt %d of %s: %s", attempt, notification.id, away)


def _attempt(
    notification: Notification,
    attempt: int,
    outcome: AttemptOutcome,
    took_ms: int,
    problem: str | None,
    following: str | None,
) -> Attempt:
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
