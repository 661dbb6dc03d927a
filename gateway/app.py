"""The gateway: an OpenAI-compatible endpoint that can hold an answer for a person."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from activities.opening import new_id
from gateway import errors
from gateway.answers import stream as chunks
from gateway.asking import Asked, read_request
from gateway.attempts import Attempts
from gateway.errors import GatewayError
from gateway.governing import COMPLETIONS, Call, Governor, Held, Released
from gateway.releasing import STREAM_HEADERS, Releaser
from gateway.services import Services
from policies.chain import Verdict
from store.database import StoreUnavailable
from store.holds import find_hold
from store.tokens import Principal
from vault.envelopes import VaultError

_logger = logging.getLogger("keeptrusts.gateway")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,80}\Z")
LONGEST_WAIT_S = 60.0
SETTLE_EVERY_S = 10.0

Handler = Callable[[Request], Awaitable[Response]]


class Gateway:
    """The routes, over the services of one process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._governor = Governor(services)
        self._attempts = Attempts(services)
        self._releaser = Releaser(services)

    async def chat_completions(self, request: Request) -> Response:
        started, request_id = time.monotonic(), request.state.request_id
        consumer = await self._services.consumers.authenticate(request.headers.get("authorization"))
        asked = await read_request(request)
        call = self._call(asked, consumer, request_id, started)
        if asked.stream and not self._services.chain.looks_at_answers:
            return await self._pass_through(call)
        result = await self._attempts.result(call, self._governor.complete)
        if isinstance(result, Held):
            headers = {"x-escalation-id": result.escalation_id, "x-policy-verdict": Verdict.ESCALATED.value}
            if result.event_id:
                headers["x-event-id"] = result.event_id
            return await self._releaser.respond(consumer, result.escalation_id, asked, request_id, headers)
        return self._released(result, asked)

    def _released(self, result: Released, asked: Asked) -> Response:
        headers = {
            **result.headers,
            "x-policy-verdict": result.verdict.value,
            "x-event-id": result.event_id,
        }
        if asked.stream:
            body = chunks(result.completion, include_usage=asked.include_usage)
            return StreamingResponse(body, 200, {**headers, **STREAM_HEADERS})
        return Response(orjson.dumps(result.completion), 200, headers, "application/json")

    async def _pass_through(self, call: Call) -> Response:
        """No policy looks at the answer: the model's own stream, untouched, once the request is on the record."""
        screened = self._governor.screen(call)
        if screened.verdict is Verdict.BLOCKED:
            raise await self._governor.refuse(call, screened)
        services = self._services
        pieces = services.upstream.stream(services.endpoints[call.target.id], COMPLETIONS, screened.document)
        first = await anext(pieces, b"")
        event = self._governor.event(call, screened.findings, screened.verdict, screened.cause)
        await self._governor.record(event)

        async def body() -> AsyncIterator[bytes]:
            try:
                yield first
                async for piece in pieces:
                    yield piece
            except GatewayError as fault:
                yield b"data: " + fault.body + b"\n\n"
            finally:
                await pieces.aclose()

        headers = {"x-policy-verdict": screened.verdict.value, "x-event-id": event.event_id, **STREAM_HEADERS}
        return StreamingResponse(body(), 200, headers)

    async def models(self, request: Request) -> Response:
        await self._services.consumers.authenticate(request.headers.get("authorization"))
        return JSONResponse({"object": "list", "data": [self._model(*pair) for pair in self._names()]})

    async def model(self, request: Request) -> Response:
        await self._services.consumers.authenticate(request.headers.get("authorization"))
        name = request.path_params["model"]
        owner = dict(self._names()).get(name)
        if owner is None:
            raise _no_model(name)
        return JSONResponse(self._model(name, owner))

    async def stored_completion(self, request: Request) -> Response:
        """An answer whose caller went away, by the completion's id."""
        return await self._pick_up(request, completion_id=request.path_params["completion_id"])

    async def escalation_response(self, request: Request) -> Response:
        """The same, by the escalation's id; `?wait=60` waits for the decision."""
        return await self._pick_up(request, escalation_id=request.path_params["escalation_id"])

    async def _pick_up(self, request: Request, *, escalation_id: str = "", completion_id: str = "") -> Response:
        services = self._services
        caller = await services.consumers.authenticate(request.headers.get("authorization"))
        try:
            async with services.database.read() as connection:
                hold = await find_hold(
                    connection,
                    services.tenant,
                    caller.login,
                    escalation_id=escalation_id,
                    completion_id=completion_id,
                )
            if hold is None:
                raise GatewayError(404, "not_found", "there is no held answer of that id for this API key", retry=False)
            wait = min(LONGEST_WAIT_S, _seconds(request.query_params.get("wait")))
            found = await self._releaser.wait(caller, hold.escalation_id, request.state.request_id, wait)
        except (StoreUnavailable, VaultError):
            raise errors.unavailable() from None
        headers = {"x-escalation-id": hold.escalation_id}
        if found is None:
            raise GatewayError(
                409,
                "escalation_pending",
                f"nobody has decided yet ({hold.escalation_id})",
                kind="escalation_pending",
                headers={**headers, "retry-after": "5"},
                escalation_id=hold.escalation_id,
            )
        return self._releaser.plain(found, headers)

    async def livez(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        try:
            async with asyncio.timeout(2), self._services.database.read():
                pass
        except (StoreUnavailable, TimeoutError):
            return JSONResponse({"status": "not ready", "checks": {"store": "away"}}, 503)
        return JSONResponse({"status": "ready", "checks": {"store": "ok"}})

    def _call(self, asked: Asked, consumer: Principal, request_id: str, started: float) -> Call:
        target = self._services.target_of(asked.model)
        if target is None:
            raise _no_model(asked.model)
        digest, who = self._services.envelopes.index_digest, consumer.login.encode()
        key = asked.idempotency_key
        return Call(
            asked=asked,
            consumer=consumer,
            target=target,
            request_id=request_id,
            request_digest=digest(b"body\0" + who + b"\0" + asked.canonical),
            key_digest=digest(b"key\0" + who + b"\0" + key.encode()) if key else None,
            started=started,
        )

    def _names(self) -> list[tuple[str, str]]:
        """(model, provider) of every model that a target names."""
        targets = self._services.config.providers.targets
        return [(name, target.provider or target.id) for target in targets for name in target.names]

    @staticmethod
    def _model(name: str, owner: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def create_app(services: Services) -> Starlette:
    """The ASGI application, with what keeps it informed: the change feed, the sweep, and the settling of holds."""
    gateway = Gateway(services)

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

    routes = [
        Route("/v1/chat/completions", _answering(gateway.chat_completions), methods=["POST"]),
        Route("/v1/chat/completions/{completion_id}", _answering(gateway.stored_completion), methods=["GET"]),
        Route("/v1/escalations/{escalation_id}/response", _answering(gateway.escalation_response), methods=["GET"]),
        Route("/v1/models", _answering(gateway.models), methods=["GET"]),
        Route("/v1/models/{model:path}", _answering(gateway.model), methods=["GET"]),
        Route("/livez", gateway.livez, methods=["GET"]),
        Route("/readyz", gateway.readyz, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _http_error, Exception: _bug})


def _answering(handler: Handler) -> Handler:
    """Give every request an id, every answer that id and the gateway's own time, every error the envelope."""

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        given = request.headers.get("x-request-id", "")
        request.state.request_id = given if _REQUEST_ID.match(given) else new_id("req")
        try:
            response = await handler(request)
        except GatewayError as fault:
            response = fault.response()
        except ClientDisconnect:
            response = Response(status_code=499)
        response.headers["x-request-id"] = request.state.request_id
        response.headers["x-gateway-elapsed-ms"] = f"{(time.perf_counter() - started) * 1000:.1f}"
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


async def _http_error(_request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    codes = {
        404: ("not_found", "there is no such path on this gateway"),
        405: ("method_not_allowed", "not this method"),
    }
    code, message = codes.get(fault.status_code, ("error", str(fault.detail)))
    return GatewayError(fault.status_code, code, message).response(fault.headers)


async def _bug(request: Request, fault: Exception) -> Response:
    _logger.error("unexpected %s in %s", type(fault).__name__, request.url.path, exc_info=fault)
    return GatewayError(500, "internal_error", "this is the gateway's fault", kind="server_error").response()


def _no_model(name: str) -> GatewayError:
    return GatewayError(
        404, "model_not_found", f"no target serves the model {name[:100]!r}; see /v1/models", param="model"
    )


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        raise errors.invalid("wait is a number of seconds", "wait") from None
