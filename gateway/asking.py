"""A request as it came in: read within limits, checked as far as the gateway needs it, recognisable when repeated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from gateway.errors import GatewayError, invalid

LARGEST_BODY = 10 * 1024 * 1024
DEEPEST_JSON = 64
LONGEST_KEY = 255
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_NEVER_FROM_CLIENTS = frozenset({"base_url", "api_base", "api_key", "api_version"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `body` is what goes to the model; `canonical` the same request spelled in one way.

    `retry` says that the client repeats itself; `read_timeout_s` is how long it waits for a byte, where it tells.
    """

    body: dict[str, Any]
    canonical: bytes
    model: str
    stream: bool
    include_usage: bool
    idempotency_key: str | None
    retry: bool
    read_timeout_s: float | None


async def read_request(request: Request) -> Asked:
    """Raises GatewayError."""
    raw = await _read(request)
    body = _parse(raw)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("you must provide a model parameter", "model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages must be a list with at least one message", "messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise invalid("every message is an object with a role", f"messages[{index}]")
        if not isinstance(message.get("content"), str | list | None):
            raise invalid("content is a text or a list of parts", f"messages[{index}].content")
    for name in _NEVER_FROM_CLIENTS.intersection(body):
        raise invalid(f"{name} is the gateway's to set", name)
    if not isinstance(body.get("stream"), bool | None):
        raise invalid("stream is true or false", "stream")
    options = body.get("stream_options")
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise invalid(f"an Idempotency-Key has 1 to {LONGEST_KEY} characters", "Idempotency-Key")
    return Asked(
        body=body,
        canonical=orjson.dumps(body, option=orjson.OPT_SORT_KEYS),
        model=model,
        stream=bool(body.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        idempotency_key=key,
        retry=_number(request.headers.get("x-stainless-retry-count")) > 0,
        read_timeout_s=_number(request.headers.get("x-stainless-read-timeout")) or None,
    )


async def _read(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise GatewayError(415, "unsupported_content_type", "send the body as application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise GatewayError(415, "unsupported_content_encoding", "send the body uncompressed")
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > LARGEST_BODY:
            raise GatewayError(413, "request_too_large", f"the body is larger than {LARGEST_BODY} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _parse(raw: bytes) -> dict[str, Any]:
    depth = 0
    if raw.count(b"[") + raw.count(b"{") > DEEPEST_JSON:
        for token in _BRACKETS.finditer(raw):
            mark = token[0][:1]
            depth += (mark in b"[{") - (mark in b"]}")
            if depth > DEEPEST_JSON:
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
