"""Clicks by Socket Mode: for an installation that Slack cannot reach, the API connects to Slack instead.

One connection for each Slack entry of the settings that has an `app_token_ref` and buttons that act. Who may open it is
proved by the app's token, so what comes in by it is as good as signed. A connection that is lost is made again, and so
is one whose settings change. Several API processes have one each; Slack gives every click to one of them.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError

from activities.channels.faults import secret
from activities.channels.slack_web import base_url
from api.services import Services
from api.slack_clicks import TENANT, Clicks, SlackApp
from escalations.channels import SlackChannel
from store.database import StoreUnavailable
from store.settings import current_settings

if TYPE_CHECKING:
    from slack_sdk.socket_mode.aiohttp import SocketModeClient

LOOK_EVERY_S = 30.0
"""How often the settings are looked at, and a connection that could not be made is tried again."""
CONNECT_WITHIN_S = 8.0
_logger = logging.getLogger("keeptrusts.slack")


class SlackSockets:
    def __init__(self, services: Services, clicks: Clicks) -> None:
        self._services = services
        self._clicks = clicks
        self._open: dict[str, tuple[SlackChannel, SocketModeClient]] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Keep the connections that the settings want, until cancelled."""
        changed = asyncio.create_task(self._listen())
        try:
            while True:
                self._woken.clear()
                try:
                    await self._reconcile()
                except StoreUnavailable:
                    pass
                except Exception as fault:
                    # Whatever it is: the connections are looked after again.
                    _logger.error("Socket Mode could not be looked after: %s", type(fault).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
        finally:
            changed.cancel()
            for name in list(self._open):
                await self._close(name)

    async def _listen(self) -> None:
        async for change in self._services.feed.listen():
            if change.kind == "settings":
                self._woken.set()

    async def _reconcile(self) -> None:
        async with self._services.database.read() as connection:
            channels = (await current_settings(connection, TENANT)).settings.notification_channels
        wanted = {
            name: channel
            for name, channel in channels.items()
            if isinstance(channel, SlackChannel) and channel.interactive and channel.app_token_ref is not None
        }
        for name in [name for name, (settings, _) in self._open.items() if wanted.get(name) != settings]:
            await self._close(name)
        missing = [(name, settings) for name, settings in wanted.items() if name not in self._open]
        await asyncio.gather(*(self._connect(name, settings) for name, settings in missing))

    async def _connect(self, name: str, settings: SlackChannel) -> None:
        # Loaded only where it is used, as few installations need it.
        from slack_sdk.errors import SlackApiError
        from slack_sdk.socket_mode.aiohttp import SocketModeClient
        from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
        from slack_sdk.socket_mode.request import SocketModeRequest
        from slack_sdk.socket_mode.response import SocketModeResponse
        from slack_sdk.web.async_client import AsyncWebClient

        app = SlackApp(name, settings)

        async def hear(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
            payload = await self._answer(app, request.payload) if request.type == "interactive" else None
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))

        client: SocketModeClient | None = None
        try:
            assert settings.app_token_ref is not None
            token = secret("slack", settings.app_token_ref, self._services.environment, "a Slack app-level token")
            web = AsyncWebClient(base_url=base_url(self._services.environment) + "/")
            client = SocketModeClient(app_token=token, web_client=web)
            client.socket_mode_request_listeners.append(hear)
            # The SDK tries for ever, whatever Slack says.
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await client.connect()  # type: ignore[no-untyped-call]
            self._open[name] = (settings, client)
            _logger.info("Socket Mode of %s is connected", name)
        except (ApplicationError, SlackApiError, OSError, TimeoutError) as fault:
            why = fault.message if isinstance(fault, ApplicationError) else type(fault).__name__
            _logger.error("Socket Mode of %s could not connect: %s", name, why)
        finally:
            if client is not None and name not in self._open:
                await client.close()  # type: ignore[no-untyped-call]

    async def _answer(self, app: SlackApp, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return await self._clicks.handle(app, payload)
        except ValueError:
            _logger.warning("Slack sent what is no interaction of ours")
            return None

    async def _close(self, name: str) -> None:
        _, client = self._open.pop(name)
        with suppress(Exception):
            await client.close()  # type: ignore[no-untyped-call]
