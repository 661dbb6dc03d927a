"""Every stored history replays with today's workflow code."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from runtime.worker import PASSED_THROUGH
from tests.replay.scenarios import HISTORIES, REVIEWS, SCENARIOS
from workflows.escalation import EscalationWorkflow
from workflows.second_review import SecondReviewWorkflow


@pytest.mark.parametrize("file", sorted(HISTORIES.glob("*.json")), ids=lambda file: str(file.stem))
async def test_a_stored_history_replays(file: Path) -> None:
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    replayer = Replayer(
        workflows=[EscalationWorkflow, SecondReviewWorkflow],
        data_converter=pydantic_data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
    )
    result = await replayer.replay_workflow(WorkflowHistory.from_json(f"esc_{file.stem}", file.read_text()))
    assert result.replay_failure is None


def test_every_scenario_has_its_history() -> None:
    assert {file.stem for file in HISTORIES.glob("*.json")} == {*SCENARIOS, *REVIEWS}


@pytest.mark.parametrize("file", sorted(HISTORIES.glob("*.json")), ids=lambda file: str(file.stem))
def test_a_stored_history_names_no_place_of_the_machine_it_was_recorded_on(file: Path) -> None:
    assert "site-packages" not in file.read_text()
