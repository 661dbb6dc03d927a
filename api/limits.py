"""What every request passes first: a request id, a limit on its body, and a content type that can be read.

Plain ASGI, so that a body is counted while it arrives, whatever its headers say.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1024 * 1024
DEEPEST_JSON = 64
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,80}\Z")
_READABLE = (b"application/json", b"application/x-www-form-urlencoded")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class Limits:
    """ASGI middleware. Refuses with problem JSON: 413 too large, 415 not JSON, 400 nested too deep."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _REQUEST_ID.match(given) else f"req_{secrets.token_hex(10)}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                extra = [pair for pair in _HEADERS if pair[0] not in present]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *extra]
            await send(message)

        if scope["method"] in ("GET", "HEAD", "OPTIONS") or scope["path"].startswith("/temporal"):
            await self._app(scope, receive, send_with_id)
            return
        body = await self._read(receive)
        refusal = "too_large" if body is None else _refusal(headers, body)
        if refusal is not None:
            await _refuse(scope, send_with_id, refusal, request_id, self._largest)
            return
        await self._app(scope, _replay(body or b"", receive), send_with_id)

    async def _read(self, receive: Receive) -> bytes | None:
        pieces, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b""
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._largest:
                return None
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)


def _refusal(headers: dict[bytes, bytes], body: bytes) -> str | None:
    if not body:
        return None
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind not in _READABLE:
        return "unsupported_content_type"
    if kind == b"application/json" and _depth(body) > DEEPEST_JSON:
        return "too_deep"
    return None


def _depth(body: bytes) -> int:
    """How deep brackets nest, counted without parsing: strings are skipped."""
    deepest = depth = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', body):
        mark = token[0][:1]
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def once() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


_REFUSALS: dict[str, tuple[int, str]] = {
    "too_large": (413, "the body is larger than {largest} bytes"),
    "unsupported_content_type": (415, "send the body as application/json"),
    "too_deep": (400, f"the JSON nests deeper than {DEEPEST_JSON} levels"),
}


async def _refuse(scope: Scope, send: Send, code: str, request_id: str, largest: int) -> None:
    status, detail = _REFUSALS[code]
    body: dict[str, Any] = {
        "type": f"urn:keeptrusts:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail.format(largest=largest),
        "instance": scope["path"],
        "request_id": request_id,
        "field": "body",
    }
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})
