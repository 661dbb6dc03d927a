"""What the gateway says of itself: its models, which of its routes may make a caller wait, whether it is well."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.answering import no_model
from gateway.services import Services
from gateway.surfaces import SURFACES
from store.database import StoreUnavailable


class About:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def models(self, request: Request) -> Response:
        await self._services.consumers.authenticate(request.headers)
        return JSONResponse({"object": "list", "data": [_model(*pair) for pair in self._names()]})

    async def model(self, request: Request) -> Response:
        await self._services.consumers.authenticate(request.headers)
        name = request.path_params["model"]
        owner = dict(self._names()).get(name)
        if owner is None:
            raise no_model(name)
        return JSONResponse(_model(name, owner))

    async def manifest(self, request: Request) -> Response:
        """Which routes may hold an answer under the caller's rules, and for how long. Times are seconds."""
        caller = await self._services.consumers.authenticate(request.headers)
        rules = self._services.rules.rules_for(caller.consumer.consumer_group if caller.consumer else None)
        hold, holds = rules.hold, rules.chain.looks_at_answers
        patience = {
            "mode": hold.mode,
            "grace_s": hold.grace.total_seconds(),
            "keepalive_s": hold.keepalive.total_seconds(),
            "max_wait_s": hold.max_wait.total_seconds(),
            "on_wait_timeout": hold.on_wait_timeout,
        }
        routes = [
            {
                "method": "POST",
                "path": f"/v1{surface.path}",
                "may_hold": surface.holds and holds,
                **(patience if surface.holds and holds else {}),
            }
            for surface in SURFACES.values()
        ]
        return JSONResponse({"config": rules.config.name, "chain": list(rules.chain.names), "routes": routes})

    async def livez(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        try:
            async with asyncio.timeout(2), self._services.database.read():
                pass
        except (StoreUnavailable, TimeoutError):
            return JSONResponse({"status": "not ready", "checks": {"store": "away"}}, 503)
        return JSONResponse({"status": "ready", "checks": {"store": "ok"}})

    def _names(self) -> list[tuple[str, str]]:
        """(model, provider) of every model that a target names."""
        targets = self._services.rules.common.config.providers.targets
        return [(name, target.provider or target.id) for target in targets for name in target.names]


def _model(name: str, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
