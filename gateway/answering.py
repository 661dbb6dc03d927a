"""What a caller hears who asks for an answer: it, an error, or that it waits for a person.

Nothing of an answer that is looked at leaves before its verdict; while the model is still at it, a stream is kept alive
by comments.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from starlette.responses import Response

from gateway.asking import Asked, Incoming, Once, read_request
from gateway.attempts import Attempts, Result
from gateway.background import Background
from gateway.calls import Call, Held, Released
from gateway.errors import GatewayError, invalid, unavailable
from gateway.governing import Governor
from gateway.metering import TokenMeter
from gateway.releasing import STREAM_HEADERS, HeldCaller, Releaser, patience_of
from gateway.rules import Rules
from gateway.services import Services
from gateway.streaming import Streamed
from gateway.surfaces import Surface
from gateway.targets import Begun
from gateway.windowing import Leaked, windowed
from policies.chain import Verdict
from policies.options import OVERSIGHT_CATEGORIES
from policies.targets import Target
from store.database import StoreUnavailable
from store.holds import find_hold
from store.releases import find_releases
from store.tokens import Principal

WORKING = b": working\n\n"
RETRY_AFTER_S = 5


class Answering:
    def __init__(self, services: Services, releaser: Releaser, background: Background) -> None:
        self._services = services
        self._governor = Governor(services)
        self._attempts = Attempts(services)
        self._releaser = releaser
        self._background = background
        self._working: set[asyncio.Task[Result]] = set()

    async def answer(self, incoming: Incoming, surface: Surface) -> Response:
        """Raises GatewayError or, when the caller is gone before all is read, ClientDisconnect."""
        started, services = time.monotonic(), self._services
        consumer = await services.consumers.authenticate(incoming.headers)
        asked = await read_request(incoming, surface)
        call = self._call(asked, consumer, incoming.request_id, started)
        services.limiter.admit(consumer.login, call.rules.limits)
        await self._refuse_to_go_on_from_what_was_not_released(consumer, asked)
        if asked.background:
            return await self._background.begin(call, self._result)
        if asked.stream and surface.holds and asked.review is None:
            if not call.rules.chain.looks_at_answers:
                passed = await self._pass_through(call)
                if passed is not None:
                    return passed
            elif call.rules.config.streaming == "window" and call.rules.chain.only_redacts_answers:
                passed = await self._pass_through(call, window=True)
                if passed is not None:
                    return passed
        if not asked.stream:
            return await self._told(call, await self._result(call))
        working = self._begun(call)
        patience = patience_of(call.rules.hold, asked)
        done, _ = await asyncio.wait({working}, timeout=patience.keepalive)
        if done:
            return await self._told(call, working.result())
        return Streamed(self._kept_alive(call, working, patience.keepalive), STREAM_HEADERS)

    def _begun(self, call: Call) -> asyncio.Task[Result]:
        """The work as a task that goes on when the caller is gone, and whose error then is no news."""
        working = asyncio.create_task(self._result(call))
        self._working.add(working)

        def done(task: asyncio.Task[Result]) -> None:
            self._working.discard(task)
            if not task.cancelled():
                task.exception()

        working.add_done_callback(done)
        return working

    async def _result(self, call: Call) -> Result:
        return await self._attempts.result(call, self._governor.complete)

    async def _told(self, call: Call, result: Result) -> Response:
        asked = call.asked
        if isinstance(result, Released):
            headers = _headers(call, result.headers, result.verdict, result.event_id, result.upstream_s)
            if asked.stream:
                body = asked.surface.stream(result.document, include_usage=asked.include_usage)
                return Response(b"".join(body), 200, {**headers, **STREAM_HEADERS})
            return Response(orjson.dumps(result.document), 200, headers, "application/json")
        headers = {"x-escalation-id": result.escalation_id, "x-policy-verdict": Verdict.ESCALATED.value}
        if result.event_id:
            headers["x-event-id"] = result.event_id
        if asked.respond_async:
            return _accepted(result.escalation_id, headers)
        return await self._releaser.respond(self._held_caller(call, result), headers)

    async def _kept_alive(
        self, call: Call, working: asyncio.Task[Result], every_s: float
    ) -> AsyncGenerator[bytes, None]:
        """A stream whose answer is not there yet: comments, then whatever it becomes."""
        asked = call.asked
        yield WORKING
        while not (await asyncio.wait({working}, timeout=every_s))[0]:
            yield WORKING
        try:
            result = working.result()
        except GatewayError as fault:
            yield asked.surface.stream_error(fault)
            return
        if isinstance(result, Released):
            for event in asked.surface.stream(result.document, include_usage=asked.include_usage):
                yield event
            return
        async for event in self._releaser.stream(self._held_caller(call, result)):
            yield event

    @staticmethod
    def _held_caller(call: Call, held: Held) -> HeldCaller:
        return HeldCaller(call.consumer, held.escalation_id, call.asked, call.request_id, call.rules.hold)

    async def _pass_through(self, call: Call, *, window: bool = False) -> Response | None:
        """The model's own stream, once the request is on the record; None where it has to be taken whole: the
        target speaks another protocol, or the request alone demands a person.

        Untouched where no policy looks at answers; with `window`, redacted as it goes.
        """
        asked = call.asked
        if window and asked.surface.name != "chat":
            return None
        screened = await self._governor.screen(call)
        if screened.verdict is Verdict.BLOCKED:
            raise await self._governor.refuse(call, screened)
        if screened.verdict is Verdict.ESCALATED:
            return None  # the request alone demands a person: its answer is taken whole, and held
        watched = self._governor.watched(call, screened.document) if window else None
        try:
            begun = await self._services.targets.stream(
                asked.surface, call.candidates, asked.model, watched or screened.document
            )
        except GatewayError as fault:
            await self._governor.record(self._governor.event(call, screened.findings, None, None, upstream=fault.code))
            raise
        if begun is None:
            return None
        event = self._governor.event(call, screened.findings, screened.verdict, screened.cause, begun.target)
        try:
            await self._governor.record(event)
        except BaseException:
            await begun.pieces.aclose()
            raise
        passing = self._passing(call, begun)
        body = self._windowed(call, passing, begun.target) if window else passing
        headers = _headers(call, begun.headers, screened.verdict, event.event_id, begun.seconds)
        return Streamed(body, {**headers, **STREAM_HEADERS})

    async def _windowed(
        self, call: Call, passing: AsyncGenerator[bytes, None], target: Target
    ) -> AsyncGenerator[bytes, None]:
        chain = call.rules.chain
        async with aclosing(windowed(passing, chain, chain.canary_for(call.who))) as pieces:
            try:
                async for piece in pieces:
                    yield piece
            except Leaked as leaked:
                yield call.asked.surface.stream_error(await self._governor.cut_off(call, leaked.finding, target))

    async def _passing(self, call: Call, begun: Begun) -> AsyncGenerator[bytes, None]:
        limits, meter = call.rules.limits, TokenMeter()
        counts = limits.tokens_per_minute is not None
        try:
            if counts:
                meter.read(begun.first)
            yield begun.first
            async for piece in begun.pieces:
                if counts:
                    meter.read(piece)
                yield piece
        except GatewayError as fault:
            yield call.asked.surface.stream_error(fault)
        finally:
            await begun.pieces.aclose()
            self._services.limiter.spend(call.consumer.login, limits, meter.tokens)

    async def _refuse_to_go_on_from_what_was_not_released(self, consumer: Principal, asked: Asked) -> None:
        """A model that stores its answers would go on from one that nobody here was allowed to see."""
        before = asked.body.get("previous_response_id")
        if not isinstance(before, str):
            return
        services = self._services
        try:
            async with services.database.read() as connection:
                hold = await find_hold(connection, services.tenant, consumer.login, completion_id=before)
                found = {} if hold is None else await find_releases(connection, services.tenant, [hold.escalation_id])
        except StoreUnavailable:
            raise unavailable() from None
        if hold is None:
            return
        release = found.get(hold.escalation_id)
        if release is None or release.released_digest != release.content_digest:
            raise GatewayError(
                409,
                "previous_response_not_released",
                f"the previous response was not released as the model gave it ({hold.escalation_id}); send the"
                " conversation itself instead",
                param="previous_response_id",
                retry=False,
                escalation_id=hold.escalation_id,
            )

    def _call(self, asked: Asked, consumer: Principal, request_id: str, started: float) -> Call:
        services = self._services
        rules = services.rules.rules_for(consumer.consumer.consumer_group if consumer.consumer else None)
        candidates = services.targets.candidates(rules.config, asked.model)
        if not candidates:
            raise no_model(asked.model)
        if asked.review is not None:
            _known(asked.review, rules)
        if "conversation" in asked.body and asked.surface.name == "responses" and rules.chain.looks_at_answers:
            raise invalid(
                "a conversation that the model keeps would hold answers that nobody has seen; send the input itself",
                "conversation",
                code="unsupported_with_review",
            )
        digest, who = services.envelopes.index_digest, f"{asked.surface.name}\0{consumer.login}\0".encode()
        key = asked.idempotency_key

        def request_digest() -> str:
            return digest(b"body\0" + who + asked.canonical())

        return Call(
            asked=asked,
            consumer=consumer,
            rules=rules,
            candidates=candidates,
            request_id=request_id,
            fingerprint=Once(request_digest),
            key_digest=digest(b"key\0" + who + key.encode()) if key else None,
            started=started,
        )


def _known(category: str, rules: Rules) -> None:
    """Raises GatewayError for a category that nobody reviews under these rules."""
    options = rules.config.policy.human_oversight
    known = (*OVERSIGHT_CATEGORIES, *(options.categories if options else ()))
    if category not in known:
        raise invalid(f"unknown category; known are {', '.join(known)}", "x-kt-require-review")


def no_model(name: str) -> GatewayError:
    return GatewayError(
        404, "model_not_found", f"no target serves the model {name[:100]!r}; see /v1/models", param="model"
    )


def _headers(call: Call, told: Mapping[str, str], verdict: Verdict, event_id: str, upstream_s: float) -> dict[str, str]:
    overhead = (time.monotonic() - call.started - upstream_s) * 1000
    return {
        **told,
        "x-policy-verdict": verdict.value,
        "x-event-id": event_id,
        "x-gateway-overhead-ms": f"{max(0.0, overhead):.2f}",
    }


def _accepted(escalation_id: str, headers: dict[str, str]) -> Response:
    """The 202 that a caller asked for with `Prefer: respond-async` (RFC 7240)."""
    status_url = f"/v1/escalations/{escalation_id}/response"
    body: dict[str, Any] = {
        "operation_id": escalation_id,
        "status_url": status_url,
        "state": "open",
        "terminal": False,
        "retry_after_s": RETRY_AFTER_S,
    }
    told = {
        **headers,
        "location": status_url,
        "retry-after": str(RETRY_AFTER_S),
        "preference-applied": "respond-async",
    }
    return Response(orjson.dumps(body), 202, told, "application/json")
