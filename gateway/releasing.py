"""Letting a decided answer go: read from the store, checked against what was approved, on the record, then sent.

Before the first byte a decision can still be a status (403, 410); after it, it is in the body: a 200 with
`content_filter` and a refusal that says which it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from escalations.case import End
from gateway import errors
from gateway.answers import stream as chunks
from gateway.answers import withheld
from gateway.asking import Asked
from gateway.services import Services
from ledger.entries import Draft
from policies.config import Hold
from store.contents import ANSWER
from store.database import StoreUnavailable
from store.releases import Release, open_release
from store.tokens import Principal
from vault.envelopes import VaultError

_logger = logging.getLogger("keeptrusts.gateway")

STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
RETRY_S = 0.5
SHORTEST_KEEPALIVE_S = 0.2


@dataclass(frozen=True, slots=True)
class Decided:
    """How a case ended, with the completion that may leave, None when none may."""

    release: Release
    completion: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How this caller is kept: `grace` in silence, a sign of life every `keepalive`, `max_wait` at most. Seconds."""

    grace: float
    keepalive: float
    max_wait: float


def patience_of(hold: Hold, asked: Asked) -> Patience:
    """The configured patience, within what the client itself says it bears between two bytes."""
    grace, keepalive = hold.grace.total_seconds(), hold.keepalive.total_seconds()
    if asked.read_timeout_s is not None:
        bears = asked.read_timeout_s / 2
        grace, keepalive = min(grace, bears), min(keepalive, bears)
    return Patience(grace, max(SHORTEST_KEEPALIVE_S, keepalive), hold.max_wait.total_seconds())


class Releaser:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def decided(self, caller: Principal, escalation_id: str, request_id: str) -> Decided | None:
        """How the case ended; None while it has not. An answer that may leave is on the record when this returns.

        Raises StoreUnavailable or VaultError; then nothing may leave.
        """
        services = self._services
        async with services.database.read() as connection:
            release, answer = await open_release(connection, services.contents, services.tenant, escalation_id)
        if release is None:
            return None
        await services.ledger.append(_entry(services, caller, release, request_id))
        return Decided(release, None if answer is None else orjson.loads(answer))

    async def wait(self, caller: Principal, escalation_id: str, request_id: str, timeout_s: float) -> Decided | None:
        """The same, for as long as that; a store that is away is waited for as well. Raises VaultError."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                found = await self.decided(caller, escalation_id, request_id)
                if found is not None:
                    return found
            except StoreUnavailable as fault:
                _logger.warning("a release waits: %s", fault)
                await asyncio.sleep(min(RETRY_S, max(0.0, deadline - time.monotonic())))
            left = deadline - time.monotonic()
            if left <= 0 or not await self._services.waiting.decided(escalation_id, left):
                return await self._last_look(caller, escalation_id, request_id)

    async def _last_look(self, caller: Principal, escalation_id: str, request_id: str) -> Decided | None:
        try:
            return await self.decided(caller, escalation_id, request_id)
        except StoreUnavailable:
            return None

    async def respond(
        self, caller: Principal, escalation_id: str, asked: Asked, request_id: str, headers: dict[str, str]
    ) -> Response:
        """The answer to a caller whose answer is held: they wait for the decision, kept alive meanwhile."""
        patience = patience_of(self._hold(), asked)
        if asked.stream:
            body = self._stream(caller, escalation_id, asked, request_id, patience)
            return StreamingResponse(body, 200, {**headers, **STREAM_HEADERS})
        try:
            found = await self.wait(caller, escalation_id, request_id, patience.grace)
        except VaultError as fault:
            _logger.error("%s", fault)
            raise errors.unavailable("what is stored is not what was approved; nothing was released") from None
        if found is not None:
            return self.plain(found, headers)
        spaces = self._spaces(caller, escalation_id, request_id, patience)
        return StreamingResponse(spaces, 200, {**headers, "content-type": "application/json"})

    def plain(self, found: Decided, headers: dict[str, str]) -> Response:
        """A decision that comes while the status is still ours to choose."""
        if found.completion is not None:
            return Response(orjson.dumps(found.completion), 200, headers, "application/json")
        raise _ENDED.get(found.release.outcome, errors.blocked)(found.release.escalation_id)

    async def _spaces(
        self, caller: Principal, escalation_id: str, request_id: str, patience: Patience
    ) -> AsyncIterator[bytes]:
        """White space, which JSON allows before its body, until there is one."""
        yield b" "
        async for found in self._signs_of_life(caller, escalation_id, request_id, patience):
            yield b" " if found is None else orjson.dumps(await self._body(found, escalation_id))

    async def _stream(
        self, caller: Principal, escalation_id: str, asked: Asked, request_id: str, patience: Patience
    ) -> AsyncIterator[bytes]:
        """Comments, which every client of server-sent events skips, until there is something to replay."""
        comment = f": escalation {escalation_id} status=open\n\n".encode()
        yield comment
        async for found in self._signs_of_life(caller, escalation_id, request_id, patience):
            if found is None:
                yield comment
                continue
            for chunk in chunks(await self._body(found, escalation_id), include_usage=asked.include_usage):
                yield chunk

    async def _signs_of_life(
        self, caller: Principal, escalation_id: str, request_id: str, patience: Patience
    ) -> AsyncIterator[Decided | _Undecided | None]:
        """None for each sign of life, then once the decision, or that there is none yet."""
        deadline = time.monotonic() + patience.max_wait
        while (left := deadline - time.monotonic()) > 0:
            try:
                found = await self.wait(caller, escalation_id, request_id, min(patience.keepalive, left))
            except VaultError as fault:
                _logger.error("%s", fault)
                break
            if found is not None:
                yield found
                return
            yield None
        yield _Undecided()

    async def _body(self, found: Decided | _Undecided, escalation_id: str) -> dict[str, Any]:
        if isinstance(found, Decided) and found.completion is not None:
            return found.completion
        held = await self._held(escalation_id)
        if isinstance(found, _Undecided):
            return withheld(held, escalation_id, "open", None)
        return withheld(held, escalation_id, found.release.outcome, found.release.category)

    async def _held(self, escalation_id: str) -> dict[str, Any]:
        """The held completion, for its id, model, usage and number of choices; none of its text is used."""
        services = self._services
        try:
            async with services.database.read() as connection:
                found = await services.contents.read(connection, services.tenant, escalation_id, ANSWER)
            completion: dict[str, Any] = orjson.loads(found[ANSWER])
        except (StoreUnavailable, VaultError, KeyError):
            return {"id": f"chatcmpl-{escalation_id}", "choices": [{}]}
        return completion

    def _hold(self) -> Hold:
        oversight = self._services.chain.oversight
        return oversight.hold if oversight else Hold()


class _Undecided:
    """The patience is at its end, the case is not."""


_ENDED = {End.EXPIRED.value: errors.expired, End.WITHDRAWN.value: errors.withdrawn}


def _entry(services: Services, caller: Principal, release: Release, request_id: str) -> Draft:
    return Draft(
        event_id=f"{release.escalation_id}/sent/{request_id}",
        type="answer.released" if release.released_digest else "answer.withheld",
        at=datetime.now(UTC),
        ts_source=services.name,
        tenant=services.tenant,
        op="release",
        outcome=release.outcome,
        actor={"id": caller.login, "kind": "consumer", "roles": ["gateway"]},
        escalation_id=release.escalation_id,
        request_id=request_id,
        data={"content_digest": release.content_digest, "released_digest": release.released_digest},
    )
