"""Telling people: one channel, one message. The workflow decides what is told; a channel knows only how.

Every attempt is a row of the delivery log. A channel that fails goes on being tried, and meanwhile the one that it
falls through to is told in its place (`activities.failing`). What is given up is kept. One that hangs takes only its
own places.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.channels.faults import GONE, fault
from activities.choosing import Channels, NoPlace, shows_state
from activities.excerpts import Excerpts
from activities.failing import FAILURES, PATIENCE_S, Failing, attempt_of, in_time, no_place
from activities.grouping import Grouper, Held
from activities.trying_out import try_out
from escalations.channels import find_channel
from store.attempts import AttemptOutcome, given_up_since
from store.database import Database
from store.settings import current_settings
from workflows.messages import ChannelTest, GivenUp, Notification, Tested
from workflows.ports import Notifying


class Notifier(Notifying):
    """Sends by the channel that settings name. Without `client` nothing falls through, and nothing waits.

    `patience_s` and `hurry` are how long an attempt may take, and how much faster than usual the next one comes.
    """

    def __init__(
        self,
        database: Database,
        environment: Mapping[str, str],
        excerpts: Excerpts | None = None,
        client: Client | None = None,
        *,
        patience_s: float = PATIENCE_S,
        hurry: float = 1.0,
    ) -> None:
        self.channels = Channels(database, environment, excerpts)
        self._database = database
        self._environment = environment
        self._failing = Failing(self.channels, database, client, hurry)
        self.grouper = Grouper(self._failing, client, patience_s) if client is not None else None
        self._patience_s = patience_s

    @activity.defn(name="notify")
    async def notify(self, notification: Notification) -> None:
        if notification.channel.partition(":")[0] == "log":
            await (await self.channels.channel(notification)).send(notification)
            return
        started, attempt = time.monotonic(), activity.info().attempt if activity.in_activity() else 1
        try:
            async with in_time(notification.channel, self._patience_s):
                await self._check_there(notification)
                held = await self.grouper.hold_back(notification) if self.grouper is not None else Held.NO
                sent = await self._send(notification) if held is Held.NO else held is not Held.NOTHING
        except NoPlace:
            raise no_place(notification.channel, attempt) from None
        except FAILURES as failure:
            raise await self._failing.failed([notification], attempt, _ms_since(started), failure) from None
        if sent:
            outcome = AttemptOutcome.GROUPED if held is Held.JOINED else AttemptOutcome.SENT
            row = attempt_of(notification, attempt, outcome, _ms_since(started))
            await self._failing.write(notification.tenant, [row])

    @activity.defn(name="give_up")
    async def give_up(self, given_up: GivenUp) -> None:
        await self._failing.given_up(given_up)

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
        async with self.channels.place(notification):
            return await (await self.channels.channel(notification)).send(notification)


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
