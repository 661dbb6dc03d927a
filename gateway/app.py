"""The gateway: an OpenAI-compatible endpoint that can hold an answer for a person."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.about import About
from gateway.answering import Answering
from gateway.background import Background
from gateway.entrance import Entrance, FrontDoor, bug, request_id_of
from gateway.errors import GatewayError
from gateway.picking_up import PickingUp
from gateway.releasing import Releaser
from gateway.services import Services
from gateway.surfaces import SURFACES
from store.database import StoreUnavailable
from vault.envelopes import VaultError

_logger = logging.getLogger("keeptrusts.gateway")
SETTLE_EVERY_S = 10.0

Handler = Callable[[Request], Awaitable[Response]]


def create_app(services: Services) -> ASGIApp:
    """The ASGI application, with what keeps it informed: the change feed, the sweep, and the settling of holds."""
    releaser = Releaser(services)
    background = Background(services, releaser)
    answering = Answering(services, releaser, background)
    picking_up = PickingUp(services, releaser, background)
    about = About(services)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(work)
            for work in (
                services.waiting.feed.run(),
                services.waiting.follow(),
                services.waiting.sweep(),
                _settle(services),
            )
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def fetches(path: str, handler: Handler, method: str = "GET") -> Route:
        return Route(path, _answering(handler), methods=[method])

    entrances = {f"/v1{surface.path}": Entrance(answering.answer, surface) for surface in SURFACES.values()}
    routes = [
        *(Route(path, entrance, methods=["POST"]) for path, entrance in entrances.items()),
        fetches("/v1/chat/completions/{completion_id}", picking_up.stored_completion),
        fetches("/v1/escalations/{escalation_id}/response", picking_up.escalation_response),
        fetches("/v1/responses/{response_id}", picking_up.stored_response),
        fetches("/v1/responses/{response_id}/cancel", picking_up.cancelled_response, "POST"),
        fetches("/v1/models", about.models),
        fetches("/v1/models/{model:path}", about.model),
        fetches("/v1/gateway", about.manifest),
        Route("/livez", about.livez, methods=["GET"]),
        Route("/readyz", about.readyz, methods=["GET"]),
    ]
    handlers = {HTTPException: _http_error, Exception: _bug}
    return FrontDoor(entrances, Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers))


def _answering(handler: Handler) -> Handler:
    """Give every request an id, every answer that id, every error OpenAI's envelope."""

    async def answer(request: Request) -> Response:
        request.state.request_id = request_id_of(request.headers)
        try:
            response = await handler(request)
        except GatewayError as fault:
            response = fault.response()
        response.headers["x-request-id"] = request.state.request_id
        return response

    return answer


async def _settle(services: Services) -> None:
    """Find out about holds whose start was never acknowledged, for ever."""
    while True:
        await asyncio.sleep(SETTLE_EVERY_S)
        try:
            await services.opener.settle()
        except (StoreUnavailable, VaultError) as fault:
            _logger.warning("settling holds waits: %s", fault)


async def _http_error(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    if fault.status_code == 405 and request.url.path == "/v1/responses/compact":
        # It looks like the id of a response, but is an operation that is not offered: clients probe for it.
        fault = HTTPException(404)
    codes = {
        404: ("not_found", "there is no such path on this gateway"),
        405: ("method_not_allowed", "not this method"),
    }
    code, message = codes.get(fault.status_code, ("error", str(fault.detail)))
    return GatewayError(fault.status_code, code, message).response(fault.headers)


async def _bug(request: Request, fault: Exception) -> Response:
    return bug(fault, request.url.path)
