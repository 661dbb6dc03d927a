"""Deciding several cases in one go, each by the very commands of a single decision.

    1. the list: few, of one policy, none critical, no case twice; each one may be claimed or decided by the caller
    2. those that the caller does not hold are claimed; if one is lost to another, the others go back
    3. every case is asked whether it would accept its decision; if one would not, what was claimed goes back
    4. one after the other is decided

Up to 3 the list is refused as a whole and nothing is decided. What only time can bring between 3 and 4 (the consumer
withdraws, a deadline passes, Temporal is away) is told case by case, and repeating with the same key does the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse, Response, StreamingResponse

from api.authentication import Caller, Key, Using, scope_of
from api.decision_schemas import BulkBody, ResolveBody
from api.decisions import resolve_order
from api.desk import AtDesk, Desk, Order
from api.problems import Problem
from api.services import Services
from escalations.case import Status
from escalations.commands import Claim, Unclaim
from escalations.errors import EscalationError
from escalations.together import check_number, check_together
from escalations.views import View
from store.database import StoreUnavailable
from store.tokens import Principal

router = APIRouter(prefix="/v1/escalations", tags=["escalations"])

NDJSON = "application/x-ndjson"
_AT_ONCE = 8
Found = TypeVar("Found")
_running: set[asyncio.Task[None]] = set()


@router.post("/bulk", summary="Decide several escalations at once: one policy, one resolution, a note for each")
async def decide_together(
    caller: Caller,
    using: Using,
    at: AtDesk,
    body: BulkBody,
    key: Key = None,
    accept: Annotated[str, Header(description=f"`{NDJSON}`: a line for each as it is decided")] = "",
) -> Response:
    """Refused as a whole, with nothing decided, when the list or one of its cases breaks a rule."""
    decided = await _Together(using, at, caller, body, key).begin()
    if NDJSON in accept:
        return StreamingResponse(_lines(decided), media_type=NDJSON)
    results = [result async for result in decided]
    return JSONResponse({"results": results, "decided": sum("code" not in one for one in results)})


async def _lines(results: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    async for result in results:
        yield orjson.dumps(result) + b"\n"


@dataclass(frozen=True, slots=True)
class _Together:
    using: Services
    at: Desk
    caller: Principal
    body: BulkBody
    key: str | None

    async def begin(self) -> AsyncIterator[dict[str, Any]]:
        """The results as they come. Raises EscalationError or Problem; then nothing is decided."""
        ids = [item.escalation_id for item in self.body.items]
        check_number(ids)
        views = await self._each(ids, lambda held: self.at.seen_by(scope_of(self.caller), held))
        check_together(views, self.body.resolution)
        over = [view.escalation_id for view in views if self._is_decided(view)]
        if over:
            # Only what this very request has decided before gets an answer here; anything else is refused.
            await self._each(over, lambda held: self.at.carry_out(self.caller, held, self._order(held, views)))
        left = [view for view in views if view.escalation_id not in over]
        await self._each([view.escalation_id for view in left], lambda held: self._may(_of(held, left)))
        mine = [view.escalation_id for view in left if self._holds(view)]
        wanted = [view.escalation_id for view in left if view.escalation_id not in mine]
        views = [*(view for view in views if view.escalation_id not in wanted), *await self._claim(wanted)]
        try:
            await self._each(
                [view.escalation_id for view in left],
                lambda held: self.at.rehearse(self.caller, held, self._order(held, views)),
            )
        except (EscalationError, Problem, StoreUnavailable):
            await self._give_back(wanted)
            raise
        return self._decide(ids, views)

    async def _claim(self, ids: Sequence[str]) -> list[View]:
        """Raises what the first refusal was; then those that were had are free again."""
        had: list[str] = []

        async def claim(held: str) -> View:
            view = await self.at.carry_out(
                self.caller, held, Order("claim", b"", self.key, lambda actor, *_: Claim(actor))
            )
            had.append(held)
            return view

        try:
            return await self._each(ids, claim)
        except (EscalationError, Problem, StoreUnavailable):
            await self._give_back(had)
            raise

    async def _give_back(self, ids: Sequence[str]) -> None:
        for held in ids:
            try:
                await self.at.carry_out(
                    self.caller, held, Order("unclaim", b"", None, lambda actor, *_: Unclaim(actor))
                )
            except (EscalationError, Problem, StoreUnavailable):
                continue  # Its lease ends by itself.

    async def _decide(self, ids: Sequence[str], views: Sequence[View]) -> AsyncIterator[dict[str, Any]]:
        """In a task of its own: a client that goes away does not leave half of the list undecided."""
        told: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

        async def work() -> None:
            try:
                for held in ids:
                    told.put_nowait(await self._decide_one(held, views))
            finally:
                told.put_nowait(None)

        task = asyncio.create_task(work())
        _running.add(task)
        task.add_done_callback(_running.discard)
        while (result := await told.get()) is not None:
            yield result

    async def _decide_one(self, held: str, views: Sequence[View]) -> dict[str, Any]:
        try:
            view = await self.at.carry_out(self.caller, held, self._order(held, views))
        except EscalationError as refusal:
            return {"escalation_id": held, "code": refusal.code, "detail": refusal.message}
        except Problem as problem:
            return {"escalation_id": held, "code": problem.code, "detail": problem.detail}
        except StoreUnavailable:
            return {"escalation_id": held, "code": "unavailable", "detail": "the store is away; try again"}
        return {
            "escalation_id": held,
            "status": view.status.value,
            "resolution": view.resolution,
            "pending": view.pending is not None,
            "proposed": view.proposal is not None,
        }

    def _order(self, held: str, views: Sequence[View]) -> Order:
        note = next(item.note for item in self.body.items if item.escalation_id == held)
        one = ResolveBody(resolution=self.body.resolution, category=self.body.category, note=note)
        return resolve_order(one, _of(held, views), self.key)

    async def _may(self, view: View) -> None:
        async def nothing_more(_caller: Principal, _view: View) -> None:
            return None

        await self.at.may(self.caller, view.escalation_id, "resolve" if self._holds(view) else "claim", nothing_more)

    def _holds(self, view: View) -> bool:
        return view.status is Status.CLAIMED and view.assignee == self.caller.login

    def _is_decided(self, view: View) -> bool:
        proposed = view.proposal is not None and view.proposal.decision.reviewer == self.caller.login
        return self.key is not None and (view.end is not None or view.pending is not None or proposed)

    async def _each(self, ids: Sequence[str], do: Callable[[str], Awaitable[Found]]) -> list[Found]:
        """What it gives for each, a few at a time. Raises what the first that fails raises, naming its case; by then
        all have ended."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(held: str) -> Found:
            async with turn:
                return await do(held)

        done = await asyncio.gather(*(one(held) for held in ids), return_exceptions=True)
        found: list[Found] = []
        for held, result in zip(ids, done, strict=True):
            if isinstance(result, EscalationError):
                told = f"{held}: {result.message}; nothing was decided"
                raise type(result)(told, **{**result.details, "escalation_id": held})
            if isinstance(result, BaseException):
                raise result
            found.append(result)
        return found


def _of(held: str, views: Sequence[View]) -> View:
    return next(view for view in views if view.escalation_id == held)
