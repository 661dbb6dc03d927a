"""Calling the model: one small protocol, and its implementation over pooled connections.

What a model answers is not trusted: a wrong status, a broken body, too many bytes or too long a silence become a clear
error, and no part of it reaches the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import orjson

from gateway.errors import GatewayError
from gateway.inflating import LARGEST_ANSWER, NotConnected, TooLarge, WireError
from gateway.nesting import nests_deeper
from gateway.providers import Sent
from gateway.wire import Reply, Wire

DEEPEST_ANSWER = 128
RETRY_PAUSE_S = 0.1
Headers = Mapping[str, str]
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


class Upstream(Protocol):
    async def complete(self, endpoint: Endpoint, sent: Sent, failure: Failure) -> Completed:
        """One whole answer. Raises GatewayError."""

    def stream(self, endpoint: Endpoint, sent: Sent, failure: Failure) -> AsyncGenerator[bytes, None]:
        """The raw bytes of a streamed answer. Raises GatewayError before the first of them."""

    async def close(self) -> None: ...


class PooledUpstream:
    """Kept connections for whole answers, aiohttp for streams: httpx measured a third to a sixth of its throughput."""

    def __init__(self) -> None:
        self._wire = Wire()
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15, ttl_dns_cache=60)
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=True, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    async def complete(self, endpoint: Endpoint, sent: Sent, failure: Failure) -> Completed:
        try:
            answer = await self._asked(endpoint, sent)
        except TooLarge:
            raise _too_large() from None
        except (WireError, TimeoutError) as fault:
            raise _unreachable(fault) from None
        if answer.status != 200:
            raise _refused(answer.status, answer.body, answer.headers, failure)
        return Completed(_object(answer.body), answer.headers, len(answer.body))

    async def stream(self, endpoint: Endpoint, sent: Sent, failure: Failure) -> AsyncGenerator[bytes, None]:
        try:
            async with await self._post(endpoint, sent) as answer:
                if answer.status != 200:
                    raise _refused(answer.status, await _read(answer), answer.headers, failure)
                async for piece in answer.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise _unreachable(fault) from None

    async def close(self) -> None:
        await self._wire.close()
        if self._session is not None:
            await self._session.close()

    async def _asked(self, endpoint: Endpoint, sent: Sent) -> Reply:
        url, body = endpoint.url + sent.path, orjson.dumps(sent.body)
        for left in range(endpoint.retries, -1, -1):
            try:
                return await self._wire.post(
                    url,
                    sent.headers,
                    body,
                    timeout_s=endpoint.timeout_s,
                    connect_timeout_s=endpoint.connect_timeout_s,
                )
            except NotConnected:
                if not left:
                    raise
                await asyncio.sleep(RETRY_PAUSE_S)
        raise AssertionError("unreachable")

    async def _post(self, endpoint: Endpoint, sent: Sent) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=endpoint.timeout_s, sock_connect=endpoint.connect_timeout_s)
        url, body = endpoint.url + sent.path, orjson.dumps(sent.body)
        for left in range(endpoint.retries, -1, -1):
            try:
                return await self._open().post(
                    url, data=body, headers=sent.headers, timeout=timeout, allow_redirects=False
                )
            except aiohttp.ClientConnectorError:
                if not left:
                    raise
                await asyncio.sleep(RETRY_PAUSE_S)
        raise AssertionError("unreachable")


def told_headers(headers: Headers) -> dict[str, str]:
    """Rate limits and processing time, which callers may know."""
    lowered = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in lowered if name in _TOLD or name.startswith("x-ratelimit-")}


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in answer.content.iter_any():
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise _too_large()
        pieces.append(piece)
    return b"".join(pieces)


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
