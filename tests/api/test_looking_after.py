"""What the API does by itself goes on after a fault that nobody thought of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from api import assigning, slack_socket
from api.assigning import Assigner
from api.slack_socket import SlackSockets


class FaultyDatabase:
    """Fails in a way of its own; `again` is set when somebody asks once more."""

    def __init__(self) -> None:
        self.asked = 0
        self.again = asyncio.Event()

    def read(self) -> None:
        self.asked += 1
        if self.asked > 1:
            self.again.set()
        raise ValueError("a text that no log may quote")


class QuietFeed:
    async def listen(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield None


@pytest.mark.parametrize("kind", [Assigner, SlackSockets])
async def test_it_is_logged_by_its_kind_and_tried_again(
    kind: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (assigning, slack_socket):
        monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    database = FaultyDatabase()
    work = asyncio.create_task(kind(SimpleNamespace(database=database, feed=QuietFeed()), None).run())
    async with asyncio.timeout(30):
        await database.again.wait()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    assert "ValueError" in caplog.text
    assert "no log may quote" not in caplog.text
