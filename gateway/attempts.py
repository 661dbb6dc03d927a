"""First attempts and their repetitions.

A stock client repeats a request by itself when it hears nothing, with the same body and no key. Such a retry joins the
attempt that is under way here, or finds the hold that any gateway made of it; it never becomes a second call to the
model or a second escalation. Two first attempts are two requests, however alike they look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from activities.opening import NotOpened
from gateway.errors import GatewayError, unavailable
from gateway.governing import Call, Held, Released
from gateway.services import Services
from store.database import StoreUnavailable
from store.holds import HeldRequest, HoldState, attach_retry, find_by_key
from vault.envelopes import VaultError

Result = Released | Held
_Identity = tuple[str, str]


@dataclass(slots=True)
class _Running:
    task: asyncio.Task[Result]
    request_digest: str
    joined: int = 0


class Attempts:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._running: dict[_Identity, list[_Running]] = {}

    async def result(self, call: Call, work: Callable[[Call], Awaitable[Result]]) -> Result:
        """The result of this request: of its own work, or of the attempt that it repeats. Raises GatewayError.

        The work goes on when the caller goes away: its retry will ask for the result.
        """
        if call.key_digest is not None or call.asked.retry:
            joined = self._join(call)
            if joined is not None:
                return await asyncio.shield(joined)
            held = await self._attach(call)
            if held is not None:
                return held
            joined = self._join(call)
            if joined is not None:
                return await asyncio.shield(joined)
        return await asyncio.shield(self._begin(call, work))

    def _begin(self, call: Call, work: Callable[[Call], Awaitable[Result]]) -> asyncio.Task[Result]:
        async def run() -> Result:
            return await work(call)

        running = _Running(asyncio.create_task(run()), call.request_digest)
        identity = self._identity(call)
        self._running.setdefault(identity, []).append(running)

        def done(task: asyncio.Task[Result]) -> None:
            siblings = self._running.get(identity, [])
            siblings.remove(running)
            if not siblings:
                self._running.pop(identity, None)
            if not task.cancelled():
                task.exception()  # the caller may be gone; an error that nobody awaits is no news

        running.task.add_done_callback(done)
        return running.task

    def _join(self, call: Call) -> asyncio.Task[Result] | None:
        siblings = self._running.get(self._identity(call), [])
        if not siblings:
            return None
        chosen = min(siblings, key=lambda running: running.joined)
        if chosen.request_digest != call.request_digest:
            raise _key_reused()
        chosen.joined += 1
        return chosen.task

    async def _attach(self, call: Call) -> Held | None:
        """The hold that an earlier attempt left, here or on another gateway."""
        services, now = self._services, datetime.now(UTC)
        tenant, consumer = services.tenant, call.consumer.login
        try:
            async with services.database.write() as connection:
                if call.key_digest is not None:
                    hold = await find_by_key(connection, tenant, consumer, call.key_digest, now)
                else:
                    hold = await attach_retry(connection, tenant, consumer, call.request_digest, now)
            if hold is None or hold.state is HoldState.WITHDRAWN:
                return None
            if hold.request_digest != call.request_digest:
                raise _key_reused()
            await self._make_sure(hold)
        except (StoreUnavailable, NotOpened, VaultError, TimeoutError):
            raise unavailable() from None
        return Held(hold.escalation_id)

    async def _make_sure(self, hold: HeldRequest) -> None:
        """An earlier attempt may have died between the hold and its workflow: start it again, which is idempotent."""
        if hold.state is HoldState.OPENING:
            async with asyncio.timeout(5):
                await self._services.opener.open_again(self._services.tenant, hold)

    @staticmethod
    def _identity(call: Call) -> _Identity:
        return call.consumer.login, f"key:{call.key_digest}" if call.key_digest else f"body:{call.request_digest}"


def _key_reused() -> GatewayError:
    return GatewayError(
        422,
        "idempotency_key_reused",
        "this Idempotency-Key was used for another request",
        param="Idempotency-Key",
        retry=False,
    )
