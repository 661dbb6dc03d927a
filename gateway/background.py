"""Answers that are fetched later: `background: true` of the Responses API, and what is held for a person.

A background answer has a place from the first moment: queued, then in progress while the model is at it or a person has
to see it, then completed, incomplete (withheld), failed or cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.responses import Response

from activities.opening import new_id
from gateway import errors
from gateway.calls import Call, Held, Released
from gateway.errors import GatewayError
from gateway.releasing import STREAM_HEADERS, Releaser
from gateway.services import Services
from gateway.streaming import Streamed
from gateway.surfaces.responses import ResponsesSurface
from store.contents import ANSWER
from store.database import StoreUnavailable
from store.responses import BackgroundResponse, ResponseState, add_response, find_response, finish_response
from store.tokens import Principal
from vault.envelopes import VaultError

_logger = logging.getLogger("keeptrusts.gateway")
_SURFACE = ResponsesSurface()
ABANDONED_AFTER = timedelta(minutes=20)
"""A model that has not answered by then was asked by a gateway that is gone."""
KEEPALIVE_S = 10.0
LOOK_EVERY_S = 0.5
LONGEST_STREAM_S = 540.0

Work = Callable[[Call], Awaitable[Released | Held]]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a background answer stands: its document now, and whether that is its last."""

    document: dict[str, Any]
    final: bool


class Background:
    def __init__(self, services: Services, releaser: Releaser) -> None:
        self._services = services
        self._releaser = releaser
        self._working: dict[str, asyncio.Task[None]] = {}

    async def begin(self, call: Call, work: Work) -> Response:
        """Give the answer a place, begin, and tell the place; a repeated one has the place of the first. Raises
        GatewayError."""
        services = self._services
        response = BackgroundResponse(
            self._place(call), call.consumer.login, call.asked.model, ResponseState.WORKING, datetime.now(UTC)
        )
        try:
            async with services.database.write() as connection:
                abandoned_before = response.created_at - ABANDONED_AFTER
                new = await add_response(connection, services.tenant, response, abandoned_before)
        except StoreUnavailable:
            raise errors.unavailable("there is no place for this answer right now; nothing was asked") from None
        if not new:
            there = await self.respond(
                call.consumer, response.response_id, call.request_id, None, stream=call.asked.stream
            )
            assert there is not None
            return there
        placed = replace(call, document_id=response.response_id)
        task = asyncio.create_task(self._work(placed, response.response_id, work))
        self._working[response.response_id] = task
        task.add_done_callback(lambda _: self._working.pop(response.response_id, None))
        if call.asked.stream:
            stream = self._stream(call.consumer, response.response_id, call.request_id, None)
            return Streamed(stream, STREAM_HEADERS)
        return _json(_unfinished(response, "queued"))

    def _place(self, call: Call) -> str:
        """A new id; with an Idempotency-Key the same one each time for the same request."""
        if call.key_digest is None:
            return new_id("resp")
        named = f"place\0{call.key_digest}\0{call.request_digest}".encode()
        return f"resp_{self._services.envelopes.index_digest(named)[:28]}"

    async def respond(
        self, caller: Principal, response_id: str, request_id: str, starting_after: int | None, *, stream: bool
    ) -> Response | None:
        """Where a background answer stands; None when this caller has none of that id. Raises GatewayError."""
        found = await self._standing(caller, response_id, request_id)
        if found is None:
            return None
        if stream:
            body = self._stream(caller, response_id, request_id, starting_after)
            return Streamed(body, STREAM_HEADERS)
        return _json(found.document)

    async def cancel(self, caller: Principal, response_id: str, request_id: str) -> Response | None:
        """Stop it: what nobody has decided is withdrawn. None when this caller has none of that id."""
        services = self._services
        response = await self._find(caller, response_id)
        if response is None:
            return None
        if response.state is ResponseState.HELD and response.escalation_id:
            await services.withdrawer.withdraw(caller, response.escalation_id)
        elif response.state is ResponseState.WORKING:
            try:
                async with services.database.write() as connection:
                    await finish_response(connection, services.tenant, response_id, ResponseState.CANCELLED)
            except StoreUnavailable:
                raise errors.unavailable() from None
            return _json(_unfinished(response, "cancelled"))
        found = await self._standing(caller, response_id, request_id)
        assert found is not None
        return _json(found.document if found.final else _unfinished(response, "cancelled"))

    async def _work(self, call: Call, response_id: str, work: Work) -> None:
        state, escalation_id, problem = ResponseState.FAILED, None, None
        services, document = self._services, None
        try:
            result = await work(call)
            if isinstance(result, Held):
                state, escalation_id = ResponseState.HELD, result.escalation_id
            else:
                state, document = ResponseState.DONE, result.document
        except GatewayError as fault:
            problem = fault.code
        try:
            async with services.database.write() as connection:
                if document is not None:
                    key, wrapped = services.contents.new_key(services.tenant, response_id)
                    fields = {ANSWER: orjson.dumps(document)}
                    now = datetime.now(UTC)
                    await services.contents.create(connection, services.tenant, response_id, wrapped, key, fields, now)
                kept = await finish_response(
                    connection, services.tenant, response_id, state, escalation_id=escalation_id, problem=problem
                )
            if not kept and escalation_id is not None:
                await services.withdrawer.withdraw(call.consumer, escalation_id)
        except (StoreUnavailable, GatewayError) as fault:
            _logger.error("a background answer has no place any more: %s", type(fault).__name__)

    async def _find(self, caller: Principal, response_id: str) -> BackgroundResponse | None:
        try:
            async with self._services.database.read() as connection:
                return await find_response(connection, self._services.tenant, caller.login, response_id)
        except StoreUnavailable:
            raise errors.unavailable() from None

    async def _standing(self, caller: Principal, response_id: str, request_id: str) -> Standing | None:
        response = await self._find(caller, response_id)
        if response is None:
            return None
        match response.state:
            case ResponseState.WORKING if datetime.now(UTC) - response.created_at < ABANDONED_AFTER:
                return Standing(_unfinished(response, "in_progress"), final=False)
            case ResponseState.CANCELLED:
                return Standing(_unfinished(response, "cancelled"), final=True)
            case ResponseState.HELD:
                return await self._held(caller, response, request_id)
            case ResponseState.DONE:
                return Standing(await self._document(response_id), final=True)
        failed = _unfinished(response, "failed")
        code = response.problem or "server_error"
        failed["error"] = {"code": code, "message": f"this answer failed ({code})"}
        return Standing(failed, final=True)

    async def _held(self, caller: Principal, response: BackgroundResponse, request_id: str) -> Standing:
        assert response.escalation_id is not None
        try:
            found = await self._releaser.decided(caller, response.escalation_id, request_id)
        except (StoreUnavailable, VaultError):
            raise errors.unavailable() from None
        if found is None:
            waiting = _unfinished(response, "in_progress")
            waiting["escalation"] = {"id": response.escalation_id, "status": "open", "resolution": None}
            return Standing(waiting, final=False)
        if found.document is not None:
            return Standing(found.document, final=True)
        held = {**await self._releaser.held(response.escalation_id), "id": response.response_id}
        release = found.release
        document = _SURFACE.withheld(held, release.escalation_id, release.outcome, release.category)
        return Standing(document, final=True)

    async def _document(self, response_id: str) -> dict[str, Any]:
        services = self._services
        try:
            async with services.database.read() as connection:
                found = await services.contents.read(connection, services.tenant, response_id, ANSWER)
        except (StoreUnavailable, VaultError):
            raise errors.unavailable("what is stored cannot be read; nothing was released") from None
        document: dict[str, Any] = orjson.loads(found[ANSWER])
        return document

    async def _stream(
        self, caller: Principal, response_id: str, request_id: str, starting_after: int | None
    ) -> AsyncGenerator[bytes, None]:
        """Comments until it is final, then its events, from the number that the client has not seen."""
        clock = asyncio.get_running_loop()
        end = clock.time() + LONGEST_STREAM_S
        while clock.time() < end:
            yield b": working\n\n"
            try:
                found = await self._standing(caller, response_id, request_id)
            except GatewayError as fault:
                yield _SURFACE.stream_error(fault)
                return
            if found is not None and found.final:
                for event in _SURFACE.stream(found.document, include_usage=True, starting_after=starting_after):
                    yield event
                return
            await self._something(response_id)

    async def _something(self, response_id: str) -> None:
        """Until the model's answer is there, or a moment has passed."""
        task = self._working.get(response_id)
        if task is not None:
            await asyncio.wait({task}, timeout=KEEPALIVE_S)
        else:
            await asyncio.sleep(LOOK_EVERY_S)


def _unfinished(response: BackgroundResponse, status: str) -> dict[str, Any]:
    return {
        "id": response.response_id,
        "object": "response",
        "created_at": int(response.created_at.timestamp()),
        "status": status,
        "background": True,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": response.model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": None,
        "top_p": None,
        "usage": None,
    }


def _json(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), 200, media_type="application/json")
