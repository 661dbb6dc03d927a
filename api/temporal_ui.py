"""The Temporal UI behind the API's own sign-in and origin: there the browser sends its session along to the codec
endpoint, so an operator reads histories without setting anything up. Admins may act in it, auditors only look.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from api.authentication import Using, authenticate
from api.problems import Problem
from api.sessions import to_sign_in
from escalations.commands import Role

router = APIRouter(include_in_schema=False)

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "content-encoding"}
)
_NOT_FORWARDED = _HOP_BY_HOP | {"host", "authorization", "cookie", "accept-encoding"}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@router.api_route("/temporal", methods=["GET"])
@router.api_route("/temporal/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def forward(request: Request, using: Using, path: str = "") -> Response:
    try:
        caller = await authenticate(request)
    except Problem:
        if "text/html" in request.headers.get("accept", ""):
            return to_sign_in(str(request.url.path))
        raise
    if not caller.has(Role.ADMIN, *([Role.AUDITOR] if request.method in _READING else [])):
        raise Problem(403, "not_allowed", "the Temporal UI is for admins, and for auditors to read")
    if using.temporal_ui is None:
        raise Problem(404, "not_found", "no Temporal UI is set up; set KT_TEMPORAL_UI_URL")
    client: httpx.AsyncClient = request.app.state.temporal_ui_client
    headers = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
    asked = client.build_request(
        request.method,
        f"{using.temporal_ui}/{path}",
        params=request.query_params,
        headers=headers,
        content=await request.body(),
    )
    try:
        answer = await client.send(asked, stream=True)
    except httpx.HTTPError:
        raise Problem(503, "unavailable", "the Temporal UI does not answer", headers={"Retry-After": "2"}) from None
    kept = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}

    async def body() -> AsyncIterator[bytes]:
        try:
            async for piece in answer.aiter_bytes():
                yield piece
        finally:
            await answer.aclose()

    return StreamingResponse(body(), answer.status_code, headers=kept)
