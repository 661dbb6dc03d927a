"""Telling people: one channel, one message. The workflow decides what is told; a channel knows only how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from temporalio import activity

from activities.channels import Channel
from activities.channels.log import LogChannel
from activities.channels.webhook import WebhookChannel
from escalations.settings import WebhookChannel as WebhookSettings
from store.database import Database
from store.settings import current_settings
from workflows.messages import Notification
from workflows.ports import Notifying


@dataclass(frozen=True, slots=True)
class Notifier(Notifying):
    """Sends by the channel that settings name. A channel that is not set up falls back to the log, with a warning."""

    database: Database
    environment: Mapping[str, str]
    _log: LogChannel = field(default_factory=LogChannel)

    @activity.defn(name="notify")
    async def notify(self, notification: Notification) -> None:
        channel = await self._channel(notification)
        await channel.send(notification)

    async def _channel(self, notification: Notification) -> Channel:
        kind, _, name = notification.channel.partition(":")
        if kind == "log":
            return self._log
        async with self.database.read() as connection:
            settings = (await current_settings(connection, notification.tenant)).settings
        configured = settings.notification_channels.get(name or kind)
        if isinstance(configured, WebhookSettings):
            return WebhookChannel(configured, self.environment)
        if configured is None:
            self._log.warn_unknown(notification.channel)
        return self._log
