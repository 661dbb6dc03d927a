"""The way in for requests for an answer: matched first, by method and exact path; everything else goes to the router.

Half of what a short request would cost here is a router's and a framework's general machinery. What such a request
needs of it is little: its headers in a dictionary, an id, and an error in the envelope of the API that was asked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from activities.opening import new_id
from gateway.asking import Incoming
from gateway.errors import GatewayError
from gateway.surfaces import Surface

_logger = logging.getLogger("keeptrusts.gateway")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,80}\Z")

Answer = Callable[[Incoming, Surface], Awaitable[Response]]


class Entrance:
    """An ASGI application that asks one surface. Every answer has a request id, every error the surface's envelope."""

    def __init__(self, answer: Answer, surface: Surface) -> None:
        self._answer = answer
        self._surface = surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _read_headers(scope["headers"])
        request_id = request_id_of(headers)
        told = False
        try:
            response = await self._respond(Incoming(headers, receive, request_id))
            response.raw_headers.append((b"x-request-id", request_id.encode()))
            told = True
            await response(scope, receive, send)
        except Exception as fault:
            failed = bug(fault, scope["path"])
            if not told:
                await failed(scope, receive, send)
            raise

    async def _respond(self, incoming: Incoming) -> Response:
        try:
            return await self._answer(incoming, self._surface)
        except GatewayError as fault:
            return Response(self._surface.error_body(fault), fault.status, fault.headers, "application/json")
        except ClientDisconnect:
            return Response(status_code=499)


class FrontDoor:
    """An ASGI application in front of another: what is POSTed to a path of `entrances` goes there."""

    def __init__(self, entrances: Mapping[str, ASGIApp], others: ASGIApp) -> None:
        self._entrances = entrances
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            entrance = self._entrances.get(scope["path"])
            if entrance is not None:
                await entrance(scope, receive, send)
                return
        await self._others(scope, receive, send)


def request_id_of(headers: Mapping[str, str]) -> str:
    """The caller's own id for this request where it is one, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else new_id("req")


def bug(fault: Exception, path: str) -> Response:
    """What is said, and written down, when the gateway itself is wrong."""
    _logger.error("unexpected %s in %s", type(fault).__name__, path, exc_info=fault)
    return GatewayError(500, "internal_error", "this is the gateway's fault", kind="server_error").response()


def _read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name in lower case, which is how the server gives them; of a repeated one the first counts."""
    headers: dict[str, str] = {}
    for name, value in raw:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return headers
