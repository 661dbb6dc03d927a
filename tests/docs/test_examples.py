"""The examples run as they stand there, against a running installation."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.stack import LEGAL, Stack

_numbers = iter(range(10**6))


def run(stack: Stack, root: Path, name: str, question: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        **stack.environment,
        "KT_GATEWAY_URL": stack.info["gateway_url"],
        "KT_GATEWAY_KEY": stack.info["gateway_key"],
    }
    command = [sys.executable, str(root / "examples" / name), *([question] if question else [])]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)


def test_every_example_is_run_here(root: Path) -> None:
    known = {"openai_chat.py", "openai_background.py", "anthropic_messages.py"}
    assert {path.name for path in (root / "examples").glob("*.py")} == known


@pytest.mark.parametrize("name", ["openai_chat.py", "openai_background.py", "anthropic_messages.py"])
def test_a_harmless_question_is_answered(stack: Stack, root: Path, name: str) -> None:
    done = run(stack, root, name)
    assert (done.returncode, done.stdout.strip().endswith("Paris.")) == (0, True), done.stderr


@pytest.mark.parametrize("name", ["openai_chat.py", "openai_background.py", "anthropic_messages.py"])
def test_a_held_answer_comes_when_it_is_allowed(stack: Stack, root: Path, name: str) -> None:
    marker = f"example-{next(_numbers)}"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, stack, root, name, f"{marker} {LEGAL} ANSWER: You may terminate.")
        stack.decide(stack.case_about(marker)["escalation_id"], "allow")
        done = running.result(90)
    assert (done.returncode, done.stdout.strip().endswith("You may terminate.")) == (0, True), done.stderr


def test_a_blocked_answer_ends_with_the_code(stack: Stack, root: Path) -> None:
    marker = f"example-{next(_numbers)}"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, stack, root, "openai_chat.py", f"{marker} {LEGAL} ANSWER: You may terminate.")
        stack.decide(stack.case_about(marker)["escalation_id"], "block")
        done = running.result(90)
    assert (done.returncode, done.stdout.strip()) == (1, "withheld: human_review_blocked")
