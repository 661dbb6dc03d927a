"""Slack's end of Socket Mode: the WebSocket that an app connects to, with hellos, envelopes, acknowledgements.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import WSMsgType, web


class SlackSocket:
    """`connections` counts those that were ever made. `send` waits for the acknowledgement and gives its payload."""

    APP_TOKEN = "xapp-1-A0OURS-1-abcdef"

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._sockets: list[web.WebSocketResponse] = []
        self._acknowledged: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def send(self, payload: dict[str, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(self._send(payload), self._loop).result(10)

    def ask_to_reconnect(self) -> None:
        """What Slack says before it takes a connection down."""

        async def ask() -> None:
            await self._sockets[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})

        asyncio.run_coroutine_threadsafe(ask(), self._loop).result(10)

    async def _send(self, payload: dict[str, Any]) -> Any:
        envelope = str(uuid.uuid4())
        self._acknowledged[envelope] = self._loop.create_future()
        message = {"type": "interactive", "envelope_id": envelope, "accepts_response_payload": True, "payload": payload}
        await self._sockets[-1].send_json(message)
        return (await asyncio.wait_for(self._acknowledged[envelope], 3)).get("payload")

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0OURS"}})
        self._sockets.append(socket)
        self.connections += 1
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data.startswith("{"):
                said = json.loads(message.data)
                self._acknowledged[said["envelope_id"]].set_result(said)
        self._sockets.remove(socket)
        return socket

    @contextmanager
    def running(self) -> Iterator[SlackSocket]:
        app = web.Application()
        app.router.add_get("/link", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)

        async def start() -> None:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/link"

        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(start(), self._loop).result(10)
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()
