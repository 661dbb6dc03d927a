"""Many small writes, one durable commit: whoever arrives while a commit is running goes into the next one.

The price of durability is a flush of the disk; paid once per commit, not once per writer, it stays the same under
load. Nobody's `submit` returns before the commit that holds its items is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Receipt = TypeVar("Receipt")


class GroupCommit(Generic[Item, Receipt]):
    """Collects items and hands them to `commit`, one batch at a time, in the order in which they came.

    `commit` returns one receipt per item. If it raises, everybody in that batch gets the error and nothing of the
    batch has happened. `largest` bounds a batch.
    """

    def __init__(self, commit: Callable[[list[Item]], Awaitable[Sequence[Receipt]]], largest: int = 500) -> None:
        self._commit = commit
        self._largest = largest
        self._waiting: list[tuple[Item, asyncio.Future[Receipt]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Receipt:
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            try:
                receipts = await self._commit([item for item, _ in batch])
            except BaseException as fault:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(fault if isinstance(fault, Exception) else ConnectionError("stopped"))
                if not isinstance(fault, Exception):
                    raise
                continue
            for (_, future), receipt in zip(batch, receipts, strict=True):
                if not future.done():
                    future.set_result(receipt)

    async def close(self) -> None:
        """Wait until everything that was submitted is durable or has failed."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])
