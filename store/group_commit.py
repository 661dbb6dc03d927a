"""Many small writes, one durable commit: whoever arrives while a commit is running goes into the next one.

The price of durability is a flush of the disk; paid once per commit, not once per writer, it stays the same under
load. Nobody's `submit` returns before the commit that holds its items is durable.

On SQLite the commits themselves are made by store/commit_thread.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

Item = TypeVar("Item")
Receipt = TypeVar("Receipt")
_Submitted = tuple[Item, asyncio.Future[Receipt]]
Outcome = Sequence[Receipt] | Exception | None
Quick = Callable[[list[Item], Callable[[Outcome[Receipt]], None]], bool]
"""Begins the commit of a batch and returns True, or does nothing and returns False.

The callback takes the receipts, the error for all, or None where the batch has to go the ordinary way after all.
"""


class GroupCommit(Generic[Item, Receipt]):
    """Collects items and hands them to `commit`, one batch at a time, in the order in which they came.

    `commit` returns one receipt per item. If it raises, everybody in that batch gets the error and nothing of the
    batch has happened. `largest` bounds a batch. `quick`, where given, is tried first: it begins a commit elsewhere,
    without a turn of the event loop, and tells of its end on the loop; see `Quick`.
    """

    def __init__(
        self,
        commit: Callable[[list[Item]], Awaitable[Sequence[Receipt]]],
        largest: int = 500,
        quick: Quick[Item, Receipt] | None = None,
    ) -> None:
        self._commit = commit
        self._largest = largest
        self._quick = quick
        self._waiting: list[_Submitted[Item, Receipt]] = []
        self._busy = False
        self._slow: asyncio.Task[None] | None = None
        self._closing: asyncio.Future[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[Receipt]:
        """The receipt, once the item is durable."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if not self._busy:
            self._busy = True
            self._next()
        return future

    async def close(self) -> None:
        """Wait until everything that was submitted is durable or has failed."""
        while self._busy:
            self._closing = self._closing or asyncio.get_running_loop().create_future()
            await self._closing

    def _next(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            try:
                begun = self._quick is not None and self._quick(_items(batch), partial(self._ended, batch))
            except Exception as fault:
                _settle_all(batch, fault)
                continue
            if not begun:
                self._slow = asyncio.create_task(self._slowly(batch))
            return
        self._busy = False
        closing, self._closing = self._closing, None
        if closing is not None and not closing.done():
            closing.set_result(None)

    def _ended(self, batch: list[_Submitted[Item, Receipt]], outcome: Outcome[Receipt]) -> None:
        if outcome is None:
            self._slow = asyncio.create_task(self._slowly(batch))
            return
        _settle_all(batch, outcome)
        self._next()

    async def _slowly(self, batch: list[_Submitted[Item, Receipt]]) -> None:
        outcome: Sequence[Receipt] | Exception = ConnectionError("stopped")
        try:
            outcome = await self._commit(_items(batch))
        except Exception as fault:
            outcome = fault
        finally:
            _settle_all(batch, outcome)
            self._next()


def _items(batch: list[_Submitted[Item, Receipt]]) -> list[Item]:
    return [item for item, _ in batch]


def _settle_all(batch: list[_Submitted[Item, Receipt]], outcome: Sequence[Receipt] | Exception) -> None:
    if isinstance(outcome, Exception):
        for _, future in batch:
            if not future.done():
                future.set_exception(outcome)
        return
    for (_, future), receipt in zip(batch, outcome, strict=True):
        if not future.done():
            future.set_result(receipt)
