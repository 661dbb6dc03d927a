"""First attempts and their repetitions.

A stock client repeats a request by itself when it hears nothing, with the same body and no key. Such a retry joins the
attempt that is under way here, or finds the hold that any gateway made of it; it never becomes a second call to the
model or a second escalation. Two first attempts are two requests, however alike they look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from activities.opening import NotOpened
from gateway.calls import Call, Held, Released
from gateway.errors import GatewayError, unavailable
from gateway.services import Services
from store.database import StoreUnavailable
from store.holds import HeldRequest, HoldState, attach_retry, find_by_key
from vault.envelopes import VaultError

Result = Released | Held
_Identity = tuple[str, str | None]


class _Running:
    """An attempt that is under way, and a future of its result once somebody joins it."""

    __slots__ = ("_result", "call", "joined")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.joined = 0
        self._result: asyncio.Future[Result] | None = None

    def join(self) -> asyncio.Future[Result]:
        self.joined += 1
        if self._result is None:
            self._result = asyncio.get_running_loop().create_future()
        return self._result

    def ended(self, result: Result) -> None:
        if self._result is not None:
            self._result.set_result(result)

    def failed(self, fault: BaseException) -> None:
        if self._result is None:
            return
        if isinstance(fault, Exception):
            self._result.set_exception(fault)
            self._result.exception()  # those who joined may be gone; an error that nobody awaits is no news
        else:
            self._result.cancel()


class Attempts:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._running: dict[_Identity, list[_Running]] = {}

    async def result(self, call: Call, work: Callable[[Call], Awaitable[Result]]) -> Result:
        """The result of this request: of its own work, or of the attempt that it repeats. Raises GatewayError.

        The work goes on when the caller goes away, because the server tells of that and cancels nothing: a retry will
        ask for the result. Who runs this in a task that may be cancelled must shield it.
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
        return await self._work(call, work)

    async def _work(self, call: Call, work: Callable[[Call], Awaitable[Result]]) -> Result:
        identity, running = self._identity(call), _Running(call)
        siblings = self._running.setdefault(identity, [])
        siblings.append(running)
        try:
            result = await work(call)
        except BaseException as fault:
            running.failed(fault)
            raise
        else:
            running.ended(result)
            return result
        finally:
            siblings.remove(running)
            if not siblings:
                del self._running[identity]

    def _join(self, call: Call) -> asyncio.Future[Result] | None:
        siblings = self._running.get(self._identity(call), [])
        if call.key_digest is None:
            siblings = [running for running in siblings if _repeats(call, running.call)]
        if not siblings:
            return None
        chosen = min(siblings, key=lambda running: running.joined)
        if chosen.call.request_digest != call.request_digest:
            raise _key_reused()
        return chosen.join()

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
        return call.consumer.login, call.key_digest


def _repeats(call: Call, earlier: Call) -> bool:
    """Whether they ask for the same. Digests cost more than looking, and bodies that differ do so early."""
    return earlier.asked.body == call.asked.body and earlier.request_digest == call.request_digest


def _key_reused() -> GatewayError:
    return GatewayError(
        422,
        "idempotency_key_reused",
        "this Idempotency-Key was used for another request",
        param="Idempotency-Key",
        retry=False,
    )
