"""Calling the model: one small protocol, and its implementation over pooled connections.

What a model answers is not trusted: a wrong status, a broken body, too many bytes or too long a silence become a clear
error, and no part of it reaches the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import orjson

from gateway.errors import GatewayError
from gateway.inflating import LARGEST_ANSWER, NotConnected, TooLarge, WireError
from gateway.nesting import nests_deeper
from gateway.providers import Sent
from gateway.wire import Wire

DEEPEST_ANSWER = 128
RETRY_PAUSE_S = 0.1
Headers = Mapping[str, str]
Got = TypeVar("Got")
_TOLD = ("openai-processing-ms", "retry-after", "openai-version", "openai-organization")


Failure = Callable[[bytes], tuple[str, str, str | None, str | None]]
"""(message, type, code, param) out of the body of a provider's error."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to call: a base URL ending in a version, the secret (None: none), seconds until it is too long.

    `retries` are for connections that did not come to be.
    """

    url: str
    secret: str | None
    timeout_s: float
    connect_timeout_s: float = 10.0
    retries: int = 0

    def __repr__(self) -> str:
        return f"Endpoint(url={self.url!r}, timeout_s={self.timeout_s})"


@dataclass(frozen=True, slots=True)
class Completed:
    """One whole answer, a JSON object; `size` is the number of bytes that it came in."""

    document: dict[str, Any]
    headers: Headers
    size: int


Streaming = tuple[Headers, AsyncGenerator[bytes, None]]
"""The headers of a streamed answer, and its raw bytes as they come, which may raise GatewayError too."""


class Upstream(Protocol):
    async def complete(self, endpoint: Endpoint, sent: Sent, failure: Failure) -> Completed:
        """One whole answer. Raises GatewayError."""

    async def stream(self, endpoint: Endpoint, sent: Sent, failure: Failure) -> Streaming:
        """A streamed answer, once its head is there. Raises GatewayError."""

    async def close(self) -> None: ...


class PooledUpstream:
    """Calls over the kept connections of `Wire`."""

    def __init__(self) -> None:
        self._wire = Wire()

    async def complete(self, endpoint: Endpoint, sent: Sent, failure: Failure) -> Completed:
        try:
            answer = await _asked(self._wire.post, endpoint, sent)
        except TooLarge:
            raise _too_large() from None
        except (WireError, TimeoutError) as fault:
            raise _unreachable(fault) from None
        if answer.status != 200:
            raise _refused(answer.status, answer.body, answer.headers, failure)
        return Completed(_object(answer.body), answer.headers, len(answer.body))

    async def stream(self, endpoint: Endpoint, sent: Sent, failure: Failure) -> Streaming:
        try:
            head, pieces = await _asked(self._wire.stream, endpoint, sent)
            if head.status != 200:
                raise _refused(head.status, await _whole(pieces), head.headers, failure)
        except (WireError, TimeoutError) as fault:
            raise _unreachable(fault) from None
        return head.headers, _told_faults(pieces)

    async def close(self) -> None:
        await self._wire.close()


async def _asked(call: Callable[..., Awaitable[Got]], endpoint: Endpoint, sent: Sent) -> Got:
    """Again where no connection came to be, as often as the endpoint says."""
    url, body = endpoint.url + sent.path, orjson.dumps(sent.body)
    within = {"timeout_s": endpoint.timeout_s, "connect_timeout_s": endpoint.connect_timeout_s}
    for left in range(endpoint.retries, -1, -1):
        try:
            return await call(url, sent.headers, body, **within)
        except NotConnected:
            if not left:
                raise
            await asyncio.sleep(RETRY_PAUSE_S)
    raise AssertionError("unreachable")


def told_headers(headers: Headers) -> dict[str, str]:
    """Rate limits and processing time, which callers may know."""
    lowered = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in lowered if name in _TOLD or name.startswith("x-ratelimit-")}


async def _told_faults(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
    except (WireError, TimeoutError) as fault:
        raise _unreachable(fault) from None


async def _whole(pieces: AsyncGenerator[bytes, None]) -> bytes:
    body = b""
    async with aclosing(pieces):
        async for piece in pieces:
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise _too_large()
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = None if nests_deeper(body, DEEPEST_ANSWER) else orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise GatewayError(502, "upstream_invalid", "the model's answer is not JSON", kind="server_error")
    return found


def _refused(status: int, body: bytes, headers: Headers, failure: Failure) -> GatewayError:
    """The model's own error. Its complaint about the gateway's key is not the caller's business."""
    if status in (401, 403) or status < 400:
        return GatewayError(
            502, "upstream_refused", f"the model refused the gateway ({status})", kind="server_error", retry=False
        )
    if status >= 500:
        return GatewayError(502, "upstream_error", f"the model failed ({status})", kind="server_error")
    message, kind, code, param = failure(body)
    return GatewayError(
        status,
        code or "upstream_refused",
        message or f"the model refused the request ({status})",
        kind=kind,
        param=param,
        headers=told_headers(headers),
    )


def _too_large() -> GatewayError:
    return GatewayError(502, "upstream_too_large", "the model's answer is too large", kind="server_error", retry=False)


def _unreachable(fault: BaseException) -> GatewayError:
    if isinstance(fault, TimeoutError):
        return GatewayError(504, "upstream_timeout", "the model took too long", kind="server_error")
    return GatewayError(502, "upstream_unreachable", "the model cannot be reached", kind="server_error")
