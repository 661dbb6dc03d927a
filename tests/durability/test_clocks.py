"""SLA timers while the worker and the Temporal server are killed: each fires once, none early, none is lost."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.model import FakeModel
from tests.support.stack import Stack, running_stack, wait_for

CASES = 10


def deadlines(stack: Stack, held: str) -> dict[str, datetime]:
    told = stack.api("admin").get(f"/v1/escalations/{held}/explain").json()["deadline"]
    return {"amber": datetime.fromisoformat(told["amber_at"]), "breached": datetime.fromisoformat(told["sla_deadline"])}


def happened(stack: Stack, held: str, kind: str) -> bool:
    return kind in stack.events(held)


def times(history: list[dict[str, Any]], kind: str) -> list[datetime]:
    return [datetime.fromisoformat(entry["at"]) for entry in history if entry["type"] == kind]


@pytest.mark.timeout(300)
def test_each_timer_fires_once_and_none_early_while_worker_and_server_are_killed(
    tmp_path: Path, model: FakeModel
) -> None:
    with running_stack(tmp_path, "--upstream", model.url) as stack:
        with stack.settings(sla={"high": "12s", "amber_at_remaining": "50%", "expire_after": "1h"}):
            cases = [stack.create()["escalation_id"] for _ in range(CASES)]

        for kind in ("amber", "breached"):
            for part in ("worker", "temporal"):
                stack.back(part, stack.kill(part))
            for held in cases:
                wait_for(partial(happened, stack, held, kind), f"{kind} of {held}", 120)
        for held in cases:
            history = stack.history(held)
            for kind, due in deadlines(stack, held).items():
                [at] = times(history, kind)
                assert at >= due, (held, kind)
            assert stack.escalation(held)["breached_at"] == stack.escalation(held)["sla_deadline"]
