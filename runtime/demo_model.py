"""A model that says that it is none: what `kt dev` talks to when there is no OPENAI_API_KEY.

It speaks the wire format of chat completions, plain and streamed, so that everything behind it is the real thing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from activities.opening import new_id
from gateway.surfaces import SURFACES
from policies.requests import last_asked

_LEGAL = (
    "[demo model] In our opinion the facts constitute cause for termination: you may lawfully terminate the contract"
    " without notice, and the employee has no grounds to claim damages."
)
_MEDICAL = (
    "[demo model] The patient Jane Roe (MRN 4471-0096) should stop taking warfarin five days before surgery and start"
    " heparin 5000 units twice a day."
)
_HIRING = "[demo model] We recommend rejecting this candidate: the applicant is not qualified for the position."
_ANSWERS = (
    (("legal", "terminate", "lawsuit", "contract", "sue"), _LEGAL),
    (("patient", "medical", "dose", "diagnos", "medication", "taking", "treatment"), _MEDICAL),
    (("candidate", "hire", "hiring", "applicant"), _HIRING),
)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """A completion for a request: canned, by the words of the question."""
    asked = last_asked(request)
    lowered = asked.lower()
    text = next((said for words, said in _ANSWERS if any(word in lowered for word in words)), None)
    text = text or f"[demo model] Set OPENAI_API_KEY for real answers. You said: {asked[:200]}"
    return {
        "id": new_id("chatcmpl"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.get("model") or "demo",
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": text},
                "logprobs": None,
                "finish_reason": "stop",
            }
            for index in range(max(1, min(8, int(request.get("n") or 1))))
        ],
        "usage": {"prompt_tokens": len(asked.split()), "completion_tokens": len(text.split()), "total_tokens": 0},
    }


async def _complete(request: Request) -> Response:
    body = await request.json()
    completion = answer(body)
    if not body.get("stream"):
        return JSONResponse(completion)
    options = body.get("stream_options") or {}

    async def pieces() -> AsyncIterator[bytes]:
        for piece in SURFACES["chat"].stream(completion, include_usage=bool(options.get("include_usage"))):
            yield piece
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/event-stream")


def create_app() -> Starlette:
    return Starlette(routes=[Route("/v1/chat/completions", _complete, methods=["POST"])])
