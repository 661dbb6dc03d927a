"""A request as it came in: read within limits, checked as far as the gateway needs it, recognisable when repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from gateway.errors import GatewayError, invalid
from gateway.nesting import nests_deeper
from gateway.surfaces import Surface

LARGEST_BODY = 10 * 1024 * 1024
DEEPEST_JSON = 64
LONGEST_KEY = 255
SLOWEST_BODY_S = 60


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as the server gives it: headers by name in lower case, a body to be received, and its id."""

    headers: Mapping[str, str]
    receive: Receive
    request_id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `body` is what goes to the model, `size` the number of bytes that it came in.

    `retry` says that the client repeats itself; `read_timeout_s` is how long it waits for a byte, where it tells;
    `respond_async` that it prefers a 202 to a wait (RFC 7240); `background` that it asks for nothing but a place where
    the answer will be; `review` names the category for which the application itself demands a person.
    """

    surface: Surface
    body: dict[str, Any]
    size: int
    model: str
    stream: bool
    include_usage: bool
    idempotency_key: str | None
    retry: bool
    read_timeout_s: float | None
    respond_async: bool = False
    background: bool = False
    review: str | None = None

    def canonical(self) -> bytes:
        """The same request spelled in one way."""
        return orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS)


class Once:
    """A text that is made when it is first asked for: most requests pass without anybody asking for their digest."""

    __slots__ = ("_found", "_make")

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._found: str | None = None

    def value(self) -> str:
        if self._found is None:
            self._found = self._make()
        return self._found


async def read_request(incoming: Incoming, surface: Surface) -> Asked:
    """Raises GatewayError or, when the caller is gone, ClientDisconnect."""
    headers = incoming.headers
    raw = await _read(incoming)
    body = _parse(raw)
    surface.check(body)
    stream, include_usage = surface.options(body)
    key = headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise invalid(f"an Idempotency-Key has 1 to {LONGEST_KEY} characters", "Idempotency-Key")
    return Asked(
        surface=surface,
        body=body,
        size=len(raw),
        model=body.get("model") or surface.default_model or "",
        stream=stream,
        include_usage=include_usage,
        idempotency_key=key,
        retry=_number(headers.get("x-stainless-retry-count")) > 0,
        read_timeout_s=_number(headers.get("x-stainless-read-timeout")) or None,
        respond_async="respond-async" in headers.get("prefer", ""),
        background=surface.name == "responses" and body.get("background") is True,
        review=headers.get("x-kt-require-review"),
    )


async def _read(incoming: Incoming) -> bytes:
    kind = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise GatewayError(415, "unsupported_content_type", "send the body as application/json")
    if incoming.headers.get("content-encoding", "identity") != "identity":
        raise GatewayError(415, "unsupported_content_encoding", "send the body uncompressed")
    pieces, size, more = [], 0, True
    try:
        async with asyncio.timeout(SLOWEST_BODY_S):
            while more:
                message = await incoming.receive()
                if message["type"] != "http.request":
                    raise ClientDisconnect
                piece, more = message.get("body", b""), message.get("more_body", False)
                size += len(piece)
                if size > LARGEST_BODY:
                    raise GatewayError(413, "request_too_large", f"the body is larger than {LARGEST_BODY} bytes")
                pieces.append(piece)
    except TimeoutError:
        raise GatewayError(
            408, "request_too_slow", f"the body did not come within {SLOWEST_BODY_S} s", retry=False
        ) from None
    return b"".join(pieces)


def _parse(raw: bytes) -> dict[str, Any]:
    if nests_deeper(raw, DEEPEST_JSON):
        raise invalid(f"the body nests deeper than {DEEPEST_JSON} levels", code="too_deep")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise invalid(f"the body is not JSON: {fault.msg} at character {fault.pos}", code="malformed_json") from None
    if not isinstance(body, dict):
        raise invalid("the body is a JSON object")
    return body


def _number(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0
