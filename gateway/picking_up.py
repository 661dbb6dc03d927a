"""Fetching what was held, or asked for in the background: by the answer's id, or by the escalation's."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway import errors
from gateway.background import Background
from gateway.errors import GatewayError
from gateway.releasing import Releaser
from gateway.services import Services
from store.database import StoreUnavailable
from store.holds import HeldRequest, find_hold
from store.tokens import Principal
from vault.envelopes import VaultError

LONGEST_WAIT_S = 60.0


class PickingUp:
    def __init__(self, services: Services, releaser: Releaser, background: Background) -> None:
        self._services = services
        self._releaser = releaser
        self._background = background

    async def stored_completion(self, request: Request) -> Response:
        """An answer whose caller went away, by the completion's id."""
        caller = await self._services.consumers.authenticate(request.headers)
        hold = await self._hold(caller, completion_id=request.path_params["completion_id"])
        return await self._pick_up(request, caller, hold)

    async def escalation_response(self, request: Request) -> Response:
        """The same, by the escalation's id; `?wait=60` waits for the decision."""
        caller = await self._services.consumers.authenticate(request.headers)
        hold = await self._hold(caller, escalation_id=request.path_params["escalation_id"])
        return await self._pick_up(request, caller, hold)

    async def stored_response(self, request: Request) -> Response:
        """An answer of the Responses API: one asked for in the background, or one that is held."""
        caller = await self._services.consumers.authenticate(request.headers)
        response_id, query = request.path_params["response_id"], request.query_params
        found = await self._background.respond(
            caller,
            response_id,
            request.state.request_id,
            _number(query.get("starting_after"), "starting_after"),
            stream=query.get("stream") == "true",
        )
        if found is not None:
            return found
        hold = await self._hold(caller, completion_id=response_id)
        return await self._pick_up(request, caller, hold)

    async def cancelled_response(self, request: Request) -> Response:
        """Stop a background answer; what waits for a person is withdrawn."""
        caller = await self._services.consumers.authenticate(request.headers)
        response_id = request.path_params["response_id"]
        found = await self._background.cancel(caller, response_id, request.state.request_id)
        if found is None:
            raise GatewayError(
                404, "not_found", "there is no background answer of that id for this API key", retry=False
            )
        return found

    async def _hold(self, caller: Principal, *, escalation_id: str = "", completion_id: str = "") -> HeldRequest:
        services, who = self._services, caller.login
        try:
            async with services.database.read() as connection:
                hold = await find_hold(
                    connection, services.tenant, who, escalation_id=escalation_id, completion_id=completion_id
                )
        except StoreUnavailable:
            raise errors.unavailable() from None
        if hold is None:
            raise _nothing("held")
        return hold

    async def _pick_up(self, request: Request, caller: Principal, hold: HeldRequest) -> Response:
        wait = min(LONGEST_WAIT_S, _number(request.query_params.get("wait"), "wait") or 0)
        try:
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


def _nothing(kind: str) -> GatewayError:
    return GatewayError(404, "not_found", f"there is no {kind} answer of that id for this API key", retry=False)


def _number(text: str | None, name: str) -> int | None:
    """Raises GatewayError."""
    if text is None:
        return None
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        raise errors.invalid(f"{name} is a whole number", name) from None
