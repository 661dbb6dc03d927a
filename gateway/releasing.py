"""Letting a decided answer go: read from the store, checked against what was approved, on the record, then sent.

Before the first byte a decision can still be a status (403, 410); after it, it is in the body: a 200 with
`content_filter` and a refusal that says which it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from escalations.case import End
from gateway import errors
from gateway.asking import Asked
from gateway.services import Services
from gateway.streaming import Streamed
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
    """How a case ended, with the answer that may leave, None when none may."""

    release: Release
    document: dict[str, Any] | None


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
        with self._services.waiting.watch(escalation_id) as hint:
            return await self._until(caller, escalation_id, request_id, hint, time.monotonic() + timeout_s, look=True)

    async def _until(
        self,
        caller: Principal,
        escalation_id: str,
        request_id: str,
        hint: asyncio.Event,
        deadline: float,
        *,
        look: bool,
    ) -> Decided | None:
        """Until decided or `deadline`. Without `look` only a hint makes it look into the store."""
        while True:
            if look or hint.is_set():
                hint.clear()
                try:
                    found = await self.decided(caller, escalation_id, request_id)
                    if found is not None:
                        hint.set()  # others may watch the same case
                        return found
                except StoreUnavailable as fault:
                    _logger.warning("a release waits: %s", fault)
                    hint.set()
                    await asyncio.sleep(min(RETRY_S, max(0.0, deadline - time.monotonic())))
            look = False
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            try:
                async with asyncio.timeout(left):
                    await hint.wait()
            except TimeoutError:
                return None

    async def respond(self, waiting: HeldCaller, headers: dict[str, str]) -> Response:
        """The answer to a caller whose answer is held: they wait for the decision, kept alive meanwhile."""
        asked, hold = waiting.asked, waiting.hold
        if hold.mode == "deferred":
            return await self._deferred(waiting, headers)
        patience = patience_of(hold, asked)
        if asked.stream:
            return Streamed(self.stream(waiting), {**headers, **STREAM_HEADERS})
        try:
            found = await self.wait(waiting.caller, waiting.escalation_id, waiting.request_id, patience.grace)
        except VaultError as fault:
            _logger.error("%s", fault)
            raise errors.unavailable("what is stored is not what was approved; nothing was released") from None
        if found is None:
            return Streamed(self._spaces(waiting), {**headers, "content-type": "application/json"})
        if found.document is None and hold.blocked_as == "content_filter":
            body = await self._body(waiting, found)
            return Response(orjson.dumps(body), 200, headers, "application/json")
        return self.plain(found, headers)

    def plain(self, found: Decided, headers: dict[str, str]) -> Response:
        """A decision that comes while the status is still ours to choose."""
        if found.document is not None:
            return Response(orjson.dumps(found.document), 200, headers, "application/json")
        raise _ENDED.get(found.release.outcome, errors.blocked)(found.release.escalation_id)

    async def _deferred(self, waiting: HeldCaller, headers: dict[str, str]) -> Response:
        """Told at once where the answer will be."""
        body = await self._body(waiting, UNDECIDED)
        if waiting.asked.stream:
            events = waiting.asked.surface.stream(body, include_usage=waiting.asked.include_usage)
            return Response(b"".join(events), 200, {**headers, **STREAM_HEADERS})
        return Response(orjson.dumps(body), 200, headers, "application/json")

    async def _spaces(self, waiting: HeldCaller) -> AsyncGenerator[bytes, None]:
        """White space, which JSON allows before its body, until there is one."""
        yield b" "
        async for found in self._signs_of_life(waiting):
            yield b" " if found is None else orjson.dumps(await self._body(waiting, found))

    async def stream(self, waiting: HeldCaller) -> AsyncGenerator[bytes, None]:
        """Comments, which every client of server-sent events skips, until there is something to replay."""
        asked = waiting.asked
        comment = f": escalation {waiting.escalation_id} status=open\n\n".encode()
        yield comment
        async for found in self._signs_of_life(waiting):
            if found is None:
                yield comment
                continue
            for event in asked.surface.stream(await self._body(waiting, found), include_usage=asked.include_usage):
                yield event

    async def _signs_of_life(self, waiting: HeldCaller) -> AsyncGenerator[Decided | Undecided | None, None]:
        """None for each sign of life, then once the decision, or that there is none yet."""
        patience = patience_of(waiting.hold, waiting.asked)
        end = time.monotonic() + patience.max_wait
        look = True
        with self._services.waiting.watch(waiting.escalation_id) as hint:
            while (now := time.monotonic()) < end:
                deadline = min(now + patience.keepalive, end)
                who = waiting.caller, waiting.escalation_id, waiting.request_id
                try:
                    found = await self._until(*who, hint, deadline, look=look)
                except VaultError as fault:
                    _logger.error("%s", fault)
                    break
                if found is not None:
                    yield found
                    return
                look = False
                yield None
        yield UNDECIDED

    async def _body(self, waiting: HeldCaller, found: Decided | Undecided) -> dict[str, Any]:
        """What is said at the end: the answer, or that there is none, in the shape that the caller's API has for it."""
        if isinstance(found, Decided) and found.document is not None:
            return found.document
        surface, escalation_id = waiting.asked.surface, waiting.escalation_id
        held = await self.held(escalation_id)
        if isinstance(found, Decided):
            return surface.withheld(held, escalation_id, found.release.outcome, found.release.category)
        if waiting.hold.on_wait_timeout == "block" and waiting.hold.mode == "wait":
            return surface.withheld(held, escalation_id, await self._give_up(waiting), None)
        return surface.withheld(held, escalation_id, "open", None)

    async def _give_up(self, waiting: HeldCaller) -> str:
        """The case is withdrawn, because nobody will fetch its answer. Where that fails it stays open."""
        try:
            await self._services.withdrawer.withdraw(waiting.caller, waiting.escalation_id)
        except errors.GatewayError as fault:
            _logger.warning("%s could not be withdrawn: %s", waiting.escalation_id, fault)
        return End.WITHDRAWN.value

    async def held(self, escalation_id: str) -> dict[str, Any]:
        """The held answer, for its id, model, usage and number of choices; none of its text is used."""
        services = self._services
        try:
            async with services.database.read() as connection:
                found = await services.contents.read(connection, services.tenant, escalation_id, ANSWER)
            held: dict[str, Any] = orjson.loads(found[ANSWER])
        except (StoreUnavailable, VaultError, KeyError):
            return {"id": escalation_id}
        return held


@dataclass(frozen=True, slots=True)
class HeldCaller:
    """Somebody who waits for a held answer, and how they are kept."""

    caller: Principal
    escalation_id: str
    asked: Asked
    request_id: str
    hold: Hold


class Undecided:
    """The patience is at its end, the case is not."""


UNDECIDED = Undecided()


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
