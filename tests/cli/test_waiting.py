"""`kt escalation wait` ends when the case does, and says by its exit code how."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.ledger import ledger_entries
from tests.support.stack import Stack, wait_for


@pytest.fixture
def held(stack: Stack) -> str:
    return str(stack.create("Write to jane@roe.example now.")["escalation_id"])


@contextmanager
def waiting(stack: Stack, held: str, *options: str, token: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """The command, started and not waited for."""
    environment = {
        **stack.environment,
        "KT_API_URL": stack.info["api_url"],
        "KEEPTRUSTS_API_TOKEN": token or stack.token("reviewer"),
    }
    command = [sys.executable, "-m", "cli.main", "escalation", "wait", held, *options]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        yield it


@pytest.mark.parametrize(
    ("resolution", "code"), [("allow", 0), ("redact_and_allow", 0), ("block", 1)], ids=["allow", "redact", "block"]
)
def test_it_ends_with_the_decision(stack: Stack, held: str, resolution: str, code: int) -> None:
    with waiting(stack, held) as process:
        stack.decide(held, resolution)
        told, _ = process.communicate(timeout=60)
    assert (process.returncode, told) == (code, f"escalation {held}: {resolution}\n")


def test_a_case_that_was_withdrawn_is_no_release(stack: Stack, held: str) -> None:
    stack.must(held, "withdraw", who="admin")
    told = stack.kt("escalation", "wait", held, "--json", code=1)
    assert json.loads(told.strip()) == {"escalation_id": held, "outcome": "withdrawn"}


def test_the_time_that_is_up_has_an_exit_code_of_its_own(stack: Stack, held: str) -> None:
    assert "has not ended" in stack.kt("escalation", "wait", held, "--timeout", "1s", code=7)
    assert "--timeout" in stack.kt("escalation", "wait", held, "--timeout", "soon", code=2)
    stack.kt("escalation", "wait", "esc_none", code=5)


def test_nobody_is_shown_or_said_to_have_read_content(stack: Stack, held: str) -> None:
    stack.decide(held, "allow")
    asked = f"/v1/escalations/{held}/response"
    assert stack.api().get(asked, params={"content": "false"}).json() == {"escalation_id": held, "outcome": "allow"}
    assert reads_of(stack, held) == 0
    assert stack.api().get(asked).status_code == 200
    assert reads_of(stack, held) == 1


def reads_of(stack: Stack, escalation_id: str) -> int:
    """How often the ledger says that somebody was shown this content."""
    entries = ledger_entries(stack.data_dir / "ledger")
    return sum((entry["type"], entry["escalation_id"]) == ("content.read", escalation_id) for entry in entries)


def test_it_outlives_an_api_that_is_started_again(stack: Stack, held: str) -> None:
    with waiting(stack, held, "--timeout", "5m") as process:
        stack.back("api", stack.kill("api"))
        wait_for(lambda: stack.api("admin").get("/livez").status_code == 200, "the API")
        stack.decide(held, "allow")
        told, problem = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, f"escalation {held}: allow\n"), problem
