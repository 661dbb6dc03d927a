"""Every scenario again with a worker that remembers nothing: each task replays the whole history so far."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.replay.scenarios import SCENARIOS
from tests.support.bench import Bench, running_bench


@pytest_asyncio.fixture(scope="module")
async def forgetful(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with running_bench(tmp_path_factory.mktemp("forgetful"), max_cached_workflows=0) as bench:
        yield bench


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_scenario_without_any_cache(forgetful: Bench, name: str) -> None:
    begins, play = SCENARIOS[name]
    held = f"esc_uncached_{name}"
    handle = await forgetful.start(replace(begins, escalation_id=held))
    await forgetful.happened(held, "opened")
    await play(forgetful, held)
    ended = await handle.result()
    view = await forgetful.view(held)
    assert view is not None
    assert view.end is not None
    assert (view.end.value, view.resolution) == (ended["end"], ended["resolution"])
    numbers = [entry.event.seq for entry in await forgetful.timeline(held)]
    assert numbers == list(range(1, view.version + 1))
