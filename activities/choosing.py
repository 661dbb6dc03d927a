"""From what a rule names to the channel that sends: its settings, whom it reaches, and what it may show of the case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.channels import Channel
from activities.channels.email import EmailChannel
from activities.channels.log import LogChannel
from activities.channels.other_services import AppriseChannel
from activities.channels.pagerduty import PagerDutyChannel
from activities.channels.slack import Memory, SlackChannel
from activities.channels.slack_card import Look
from activities.channels.webhook import WebhookChannel
from activities.excerpts import Excerpts
from escalations.channels import ADDRESS, Content, entry_of, find_channel
from escalations.channels import AppriseChannel as AppriseSettings
from escalations.channels import Channel as AnySettings
from escalations.channels import EmailChannel as EmailSettings
from escalations.channels import PagerDutyChannel as PagerDutySettings
from escalations.channels import SlackChannel as SlackSettings
from escalations.channels import WebhookChannel as WebhookSettings
from escalations.commands import Role
from escalations.settings import EscalationSettings
from escalations.views import View, facts_of
from store.database import Database
from store.directory import User, find_user, list_users
from store.escalations import Scope, find_view
from store.settings import current_settings
from workflows.messages import ADMINS, Notification

PLACES = 20
"""What one channel may send at once from one worker. One that hangs takes no more of the worker's places."""


class NoPlace(Exception):
    """The channel has all its places taken."""


@dataclass(frozen=True, slots=True)
class Channels:
    """A channel that is not set up falls back to the log, with a warning. Secrets come from `environment`."""

    database: Database
    environment: Mapping[str, str]
    excerpts: Excerpts | None = None
    _log: LogChannel = field(default_factory=LogChannel)
    _slack: Memory = field(default_factory=Memory)
    _taken: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def settings(self, tenant: str) -> EscalationSettings:
        async with self.database.read() as connection:
            return (await current_settings(connection, tenant)).settings

    @asynccontextmanager
    async def place(self, notification: Notification) -> AsyncIterator[None]:
        """One of the places of the notification's channel, whatever destination it names; held while it is sent.

        Raises NoPlace at once where there is none: who waited for one here would take another channel's. Also
        StoreUnavailable.
        """
        channels = (await self.settings(notification.tenant)).notification_channels
        entry = (notification.tenant, entry_of(channels, notification.channel))
        if self._taken[entry] >= PLACES:
            raise NoPlace
        self._taken[entry] += 1
        try:
            yield
        finally:
            self._taken[entry] -= 1
            if not self._taken[entry]:
                del self._taken[entry]

    async def channel(self, notification: Notification, *, may_post: bool = True) -> Channel:
        """The channel of a notification. `may_post` False: what is on show is brought up to date, nothing is added.

        Raises ApplicationError where a secret is missing, and StoreUnavailable.
        """
        if notification.channel.partition(":")[0] == "log":
            return self._log
        async with self.database.read() as connection:
            settings = (await current_settings(connection, notification.tenant)).settings
            configured, destination = find_channel(settings.notification_channels, notification.channel)
            recipients: tuple[str, ...] = (destination,) if destination else ()
            if isinstance(configured, EmailSettings) and not recipients:
                recipients = await _addresses(connection, configured, notification)
        match configured:
            case WebhookSettings():
                return WebhookChannel(configured, self.environment)
            case SlackSettings():
                look = Look(
                    interactive=configured.interactive,
                    decisions=settings.decisions.in_slack(facts_of(notification.view)),
                    excerpt=await self._excerpt(notification, configured.content),
                )
                return SlackChannel(
                    configured, self.environment, self.newest, self._slack, destination, look, may_post=may_post
                )
            case PagerDutySettings():
                return PagerDutyChannel(configured, self.environment, self.newest)
            case EmailSettings():
                excerpt = await self._excerpt(notification, configured.content)
                return EmailChannel(configured, self.environment, recipients, excerpt)
            case AppriseSettings():
                return AppriseChannel(configured, self.environment)
            case None:
                self._log.warn_unknown(notification.channel)
        return self._log

    async def newest(self, notification: Notification) -> View:
        """The case as it is now. Notifications overtake each other, above all when one of them had to be repeated."""
        async with self.database.read() as connection:
            found = await find_view(connection, Scope(notification.tenant), notification.view.escalation_id)
        return found if found is not None and found.version > notification.view.version else notification.view

    async def _excerpt(self, notification: Notification, content: Content) -> str | None:
        """A line of the answer while the case is open, as far as the channel may show it."""
        if self.excerpts is None or notification.view.end is not None:
            return None
        return await self.excerpts.line(notification, content)


def shows_state(configured: AnySettings | None) -> bool:
    """Whether a channel keeps the state of a case on show, so that it follows one that has moved on."""
    return isinstance(configured, SlackSettings | PagerDutySettings)


async def _addresses(
    connection: AsyncConnection, settings: EmailSettings, notification: Notification
) -> tuple[str, ...]:
    """Whom to write to: the person who is meant; else the addresses of the settings; else the team's active members.
    Admins, where they are meant, before all."""
    kind, found, team = notification.recipient.partition(":")
    if notification.recipient == ADMINS:
        admins = [user for user in await list_users(connection, notification.tenant) if Role.ADMIN in user.roles]
        return _usable(admins) or settings.to
    if not found:
        user = await find_user(connection, notification.tenant, notification.recipient)
        return _usable([user]) or settings.to if user is not None else settings.to
    if settings.to or kind != "team":
        return settings.to
    return _usable([user for user in await list_users(connection, notification.tenant) if team in user.teams])


def _usable(users: Iterable[User]) -> tuple[str, ...]:
    return tuple(user.email for user in users if user.active and user.email and re.fullmatch(ADDRESS, user.email))
