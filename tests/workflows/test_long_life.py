"""A case that lives long: its history is cut, its memory is not."""

from __future__ import annotations

from pathlib import Path

from escalations.commands import Claim, Comment
from tests.escalations.cases import opening, resolve
from tests.support.bench import eventually, reviewer, running_bench
from workflows.escalation import MOST_UPDATES


async def test_a_case_of_many_comments_continues_as_new_and_forgets_nothing(tmp_path: Path) -> None:
    """More updates than one run takes: the outcome of an earlier key is still known after the run was changed."""
    async with running_bench(tmp_path) as bench:
        held = "esc_long"
        await bench.start(opening(escalation_id=held))
        await bench.happened(held, "opened")
        await bench.do(held, Claim(reviewer()), id="claim-once")
        handle = bench.client.get_workflow_handle(held)
        first_run = (await handle.describe()).run_id
        for number in range(MOST_UPDATES + 5):
            await bench.do(held, Comment(reviewer(), f"{number:064}"), id=f"comment-{number}")

        async def continued() -> bool:
            return (await handle.describe()).run_id != first_run

        await eventually(continued, "the workflow to continue as new")
        earlier = MOST_UPDATES - 50
        again = await bench.do(held, Comment(reviewer(), f"{earlier:064}"), id=f"comment-{earlier}")
        assert [event.data["text_digest"] for event in again.events] == [f"{earlier:064}"]
        done = await bench.do(held, resolve(reviewer()))
        assert done.view.version == MOST_UPDATES + 5 + 3, "opened, claimed, every comment once, resolved"
        await handle.result()
        numbers = [entry.event.seq for entry in await bench.timeline(held)]
        assert numbers == list(range(1, done.view.version + 1))
